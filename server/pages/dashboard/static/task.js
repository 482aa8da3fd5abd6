// A task's page while the task runs: the server sends the parts that changed, in the words of the very same templates.
import { clocks } from './page.js';

const work = document.getElementById('work'), steps = document.getElementById('steps'), live = document.getElementById('live');
const parts = new Map();

function put(name, html) {
  if (parts.get(name) === html) return;
  parts.set(name, html);
  const box = document.getElementById(name);
  const at = box.contains(document.activeElement) ? document.activeElement.getAttribute('formaction') : null;
  box.innerHTML = html;
  if (at) (box.querySelector(`[formaction="${at}"]`) || box.querySelector('button'))?.focus({ preventScroll: true });
}

function putSteps(first, items) {
  items.forEach((html, n) => {
    const item = document.createElement('template');
    item.innerHTML = html;
    const fresh = item.content.firstElementChild, old = steps.children[first + n];
    if (!old) steps.append(fresh);
    else if (old.outerHTML !== fresh.outerHTML) old.replaceWith(fresh);
  });
}

function putLive(address) {
  const frame = live.querySelector('iframe');
  if (address && !frame) {
    const made = Object.assign(document.createElement('iframe'), { src: address, title: "The task's browser, live" });
    made.allow = 'clipboard-read; clipboard-write';
    live.replaceChildren(made);
  }
  if (!address && frame) frame.remove();
  live.hidden = !address;
  work.classList.toggle('watching', Boolean(address));
}

function take(event) {
  const told = JSON.parse(event.data);
  for (const [name, html] of Object.entries(told.parts)) put(name, html);
  const before = steps.children.length;
  putSteps(told.first, told.steps);
  putLive(told.live);
  document.title = told.title;
  const panel = steps.parentElement;
  if (steps.children.length > before && panel.scrollHeight > panel.clientHeight) panel.scrollTop = panel.scrollHeight;
  clocks();
  if (told.ended) {
    source.close();
    work.dataset.ended = 'yes';
    document.querySelector('.none').textContent = 'No steps were taken.';
  }
}

let source = null;
function listen() {
  source = new EventSource(`${work.dataset.events}?steps=${steps.children.length}`);
  source.onmessage = take;
  source.onerror = () => {
    // A lost connection is tried again by the browser itself; a refused one is not.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 3000);
  };
}
if (work.dataset.ended === 'no') listen();

// Screenshots, large, one after another.
const shot = document.getElementById('shot');
let shown = 0;
const pictures = () => [...steps.querySelectorAll('.picture')];

function show(index) {
  const all = pictures();
  shown = Math.min(all.length - 1, Math.max(0, index));
  const link = all[shown], step = link.closest('li');
  shot.querySelector('img').src = link.href;
  shot.querySelector('img').alt = link.firstElementChild.alt;
  shot.querySelector('p').textContent = `${[...steps.children].indexOf(step) + 1}. ${step.querySelector('h3').textContent}`;
  shot.querySelector('a').href = link.href;
  for (const button of shot.querySelectorAll('[data-go]')) button.disabled = !all[shown + Number(button.dataset.go)];
  if (!shot.open) shot.showModal();
}

steps.addEventListener('click', event => {
  const link = event.target.closest('.picture');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(pictures().indexOf(link));
});
for (const button of shot.querySelectorAll('[data-go]')) button.onclick = () => show(shown + Number(button.dataset.go));
shot.addEventListener('keydown', event => {
  const go = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (go) show(shown + go);
});
shot.addEventListener('click', event => event.target === shot && shot.close());
