// The sign-in page: the live view's picture, keyboard and questions, and a browser that is the person's from the start.
import { Picture } from '/static/live/picture.js';
import { Question } from '/static/live/question.js';

const { live, left } = document.body.dataset;
const ends = Date.now() + left * 1000;
const seat = [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');
const by = id => document.getElementById(id);
const socketUrl = what => `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${live}/${what}?seat=${seat}`;

let socket = null, delay = 250, mine = false, news = null;
const say = (what, more = {}) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ do: what, ...more }));
const picture = new Picture(by('screen'), by('keys'), socketUrl('ws'), { onchange: veil, onrefused: () => say('take'), onleave: () => by('done').focus() });
const question = new Question(by('question'), { say, upload: async () => { throw new Error('A sign-in takes no files.'); } });

function listen() {
  socket = new WebSocket(socketUrl('news'));
  socket.onmessage = event => { delay = 250; take(JSON.parse(event.data)); };
  socket.onclose = async () => {
    // The page itself knows how it ended.
    const status = await fetch(`${live}/state`, { cache: 'no-store' }).then(answer => answer.status, () => 0);
    if (status === 404) return location.reload();
    setTimeout(listen, delay);
    delay = Math.min(delay * 2, 5000);
  };
}

function take(told) {
  news = told;
  const { task, control, browser } = told;
  if (task.ended) {
    picture.stop();
    return location.reload();
  }
  mine = control.mine && control.phase === 'held';
  if (browser && control.phase === 'free') say('take');
  picture.wanted = Boolean(browser);
  picture.controlled = mine;
  by('address').textContent = browser?.url || '';
  by('address').title = browser?.title || '';
  by('needed').hidden = !task.message;
  if (by('needed').querySelector('p').textContent !== task.message) by('needed').querySelector('p').textContent = task.message;
  document.body.dataset.tone = mine ? 'mine' : 'off';
  tabs(browser?.tabs || []);
  question.show(mine ? told.prompts[0] : null);
  veil();
}

function tabs(known) {
  by('tabs').hidden = known.length < 2;
  by('tabs').replaceChildren(...known.map(tab => {
    const item = document.createElement('span');
    item.className = tab.shown ? 'shown' : '';
    const show = Object.assign(document.createElement('button'), { textContent: tab.title || 'New tab', role: 'tab', ariaSelected: String(tab.shown), onclick: () => say('show_tab', { id: tab.id }) });
    const shut = Object.assign(document.createElement('button'), { ariaLabel: 'Close tab', onclick: () => say('close_tab', { id: tab.id }) });
    shut.innerHTML = '<svg aria-hidden="true"><use href="#i-close"/></svg>';
    item.append(show, shut);
    return item;
  }));
}

function veil() {
  let text = '';
  if (picture.missing) text = 'The VNC client is not installed on this server.';
  else if (!news?.browser) text = 'Opening the browser…';
  else if (news.browser.crashed) text = 'The page has crashed: reload it.';
  else if (!picture.connected) text = 'Connecting to the browser…';
  by('veil').hidden = !text;
  by('veil').className = picture.missing || news?.browser?.crashed ? '' : 'busy';
  by('veil').firstElementChild.textContent = text;
}

function clock() {
  const seconds = Math.max(0, Math.round((ends - Date.now()) / 1000));
  by('left').textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left`;
}

for (const button of document.querySelectorAll('button[data-do]')) button.onclick = () => { say(button.dataset.do); picture.focus(); };
by('keyboard').onclick = () => picture.focus();
by('zoom').onclick = () => by('zoom').setAttribute('aria-pressed', picture.zoom());
setInterval(clock, 1000);
clock();
listen();
