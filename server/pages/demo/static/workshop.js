// The workshop's benches: dragging, dialogs, popups, the slider and the table's filter.

const role = (name) => document.querySelector(`[data-role="${name}"]`);

function drag() {
  let carried = null;
  for (const thing of document.querySelectorAll('[data-role="thing"]')) {
    thing.addEventListener("dragstart", (event) => {
      carried = thing;
      event.dataTransfer.setData("text/plain", thing.textContent);
      event.dataTransfer.effectAllowed = "move";
    });
  }
  for (const place of [role("shelf"), role("basket")].filter(Boolean)) {
    place.addEventListener("dragover", (event) => event.preventDefault());
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      if (carried) place.append(carried);
      const packed = [...role("basket").querySelectorAll('[data-role="thing"]')].map((thing) => thing.textContent);
      role("packed").textContent = packed.join(", ") || "nothing";
    });
  }
}

const dialogs = {
  alert: () => {
    alert("The bridge is closed.");
    return "alert closed";
  },
  confirm: () => (confirm("Cross the bridge?") ? "yes" : "no"),
  prompt: () => prompt("Whose bridge is it?", "") ?? "no answer",
};

for (const button of document.querySelectorAll("[data-dialog]")) {
  button.addEventListener("click", () => {
    role("answer").textContent = dialogs[button.dataset.dialog]();
  });
}
for (const button of document.querySelectorAll("[data-popup]")) {
  button.addEventListener("click", () => window.open(button.dataset.popup, "", "popup,width=480,height=360"));
}
role("slider")?.addEventListener("input", (event) => {
  role("slid").textContent = event.target.value;
});
role("filter")?.addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
drag();
