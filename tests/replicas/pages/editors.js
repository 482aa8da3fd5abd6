// Editors that keep their own text, as the platforms' do: only what a person's (or the browser's own) input brings counts.
function guarded(box, changed) {
  let text = "";
  const seen = () => box.innerText.replace(/\u00a0/g, " ").replace(/\n$/, "");
  box.addEventListener("beforeinput", (event) => { if (!event.isTrusted) event.preventDefault(); });
  box.addEventListener("input", (event) => {
    if (!event.isTrusted) return;
    text = seen();
    changed(text);
  });
  new MutationObserver(() => { if (seen() !== text) box.innerText = text; })
    .observe(box, { childList: true, characterData: true, subtree: true });
  return { text: () => text, clear: () => { text = ""; box.innerText = ""; changed(text); } };
}

function later(what, milliseconds = 40) { setTimeout(what, milliseconds); }

function make(html) {
  const shell = document.createElement("template");
  shell.innerHTML = html.trim();
  return shell.content.firstElementChild;
}

function escaped(text) {
  const shell = document.createElement("p");
  shell.textContent = text;
  return shell.innerHTML;
}
