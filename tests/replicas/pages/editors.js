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

// A guarded editor that can be drawn anew: the fresh one is empty, and knows nothing of the old one's text.
function renewable(box, changed) {
  let editor = guarded(box, changed);
  const renew = () => {
    const fresh = box.cloneNode(false);
    box.replaceWith(fresh);
    box = fresh;
    editor = guarded(box, changed);
    changed("");
  };
  return { text: () => editor.text(), clear: () => editor.clear(), renew };
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

// What the page does at the last moment, between the arming of the act and the click. `send` is the button, `renew` draws the editor anew.
async function meanwhile({ send, renew }) {
  const cookies = (value) => Object.keys(page.other).forEach((name) => { document.cookie = `${name}=${value(name)}; path=/`; });
  const mischief = {
    "new tab": () => open("/"),
    "account switched": () => cookies((name) => page.other[name]),
    "account logged out": () => cookies(() => "; max-age=0"),
    "editor drawn anew": renew,
    "page reordered": () => { send.parentElement.prepend(send); document.body.prepend(document.body.lastElementChild); },
    "second button that sends": () => send.before(send.cloneNode(true)),
    "button that sends renamed": () => { send.className = "next-send"; for (const name of ["id", "data-testid", "type"]) send.removeAttribute(name); },
    "modal over the page": () => document.body.append(make(`<div role="dialog" style="position:fixed;inset:0;background:white;z-index:99">
      <h1>Welcome</h1><button>OK</button></div>`)),
  }[page.meanwhile];
  if (!mischief) return;
  await fetch("/armed");
  mischief();
  await fetch("/applied", { method: "POST" });
}

// A challenge over the page goes away once somebody has dealt with it.
async function challenged(over) {
  while (over && await (await fetch("/challenge")).json()) await new Promise((go) => later(go));
  if (!over) return;
  over.remove();
  await fetch("/challenge", { method: "POST" });
}
