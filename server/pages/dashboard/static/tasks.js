// The list of tasks freshens itself while somebody looks at it.
const list = document.getElementById('list');
const QUICK = 2500, SLOW = 15000;

async function freshen() {
  if (!document.hidden) {
    const response = await fetch(`/tasks/list?${list.dataset.query}`, { headers: { Accept: 'application/json' } }).catch(() => null);
    if (response?.status === 401) return location.reload();
    if (response?.ok) put(await response.text());
  }
  setTimeout(freshen, list.querySelector('[data-open=yes]') ? QUICK : SLOW);
}

let last = '';
function put(html) {
  if (html === last) return;
  last = html;
  const at = document.activeElement?.getAttribute('href');
  list.innerHTML = html;
  if (at) list.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
}

setTimeout(freshen, QUICK);
