// What every page has: forms that need no new page, questions before what cannot be undone, clocks.

const toast = document.getElementById('toast');
let hiding = 0;
export function say(text) {
  toast.textContent = text;
  toast.hidden = !text;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 6000);
}

function sure(button) {
  const dialog = document.getElementById('sure');
  const yes = dialog.querySelector('[value=yes]');
  document.getElementById('sure-what').textContent = button.dataset.sure;
  yes.textContent = button.dataset.yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}

async function send(form, button) {
  const label = button.textContent;
  button.disabled = true;
  button.ariaBusy = 'true';
  if (button.dataset.busy) button.textContent = button.dataset.busy;
  try {
    const body = new URLSearchParams(new FormData(form));
    const response = await fetch(button.formAction || form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
    const answer = await response.json();
    if (!response.ok) say(answer.error);
    else if (answer.to) location.assign(answer.to);
    else if (document.getElementById('work')?.dataset.ended !== 'no') location.reload();     // a running task's page hears of it by itself
  } catch {
    say('The server does not answer.');
  } finally {
    Object.assign(button, { disabled: false, ariaBusy: null, textContent: label });
  }
}

addEventListener('submit', async event => {
  const form = event.target, button = event.submitter;
  if (form.method === 'dialog' || !button) return;
  const quiet = 'quiet' in form.dataset;
  if (!quiet && !button.dataset.sure) return;
  event.preventDefault();
  if (button.dataset.sure && !await sure(button)) return;
  await send(form, button);
});

addEventListener('click', async event => {
  const button = event.target.closest?.('[data-copy]');
  if (!button) return;
  try { await navigator.clipboard.writeText(button.dataset.copy); say('Copied.'); }
  catch { button.previousElementSibling.select(); say('Press Ctrl+C to copy.'); }
});

export function clocks() {
  for (const clock of document.querySelectorAll('[data-since]')) {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(clock.dataset.since)) / 1000));
    clock.textContent = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  }
}
setInterval(clocks, 1000);
clocks();
