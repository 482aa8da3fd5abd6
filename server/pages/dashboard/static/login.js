// Whoever followed a link from another site is logged in, but their cookie was kept back: ask again from here.
const next = new URLSearchParams(location.search).get('next') || '/';
const own = new URL(next, location.href);
fetch('/session', { headers: { Accept: 'application/json' } })
  .then(answer => answer.json())
  .then(session => { if (session.in && own.origin === location.origin) location.replace(own.pathname + own.search); })
  .catch(() => {});
