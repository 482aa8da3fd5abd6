// The live page: what its news say is shown, what its person wants goes back the same way.
import { Picture } from './picture.js';
import { Question } from './question.js';
import { Run } from './run.js';

const here = location.pathname.replace(/\/$/, '');
const seat = mySeat();
const by = id => document.getElementById(id);
const EXPIRED = 4401;

const REASONS = {
  challenge: ['The site wants a person', 'Continue'],
  sign_in: ['Please sign in', 'I am signed in'],
  two_factor: ['A code is needed', 'Continue'],
  approval: ['Approval is needed', ''],
  budget: ['The budget is used up', 'Continue'],
  take_over: ['A person has taken over', 'Let the agent go on'],
  requested: ['Paused', 'Let the agent go on'],
};
const PAUSES = ['take_over', 'requested'];      // by somebody who knows what they do
const ENDS = { completed: ['Finished', 'done'], failed: ['Failed', 'bad'], timeout: ['Timed out', 'bad'], cancelled: ['Stopped', 'bad'] };

let news = null, socket = null, delay = 250, sure = false;
const picture = new Picture(by('screen'), by('keys'), socketUrl('ws'), { onchange: veil, onrefused: hint, onleave: () => by('give').focus() });
const question = new Question(by('question'), { say, upload });
const run = new Run(by('steps'), by('shot'), by('player'), { onchange: veil });

function mySeat() {
  const fresh = () => [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');
  try {
    const key = 'seat';
    if (!sessionStorage.getItem(key)) sessionStorage.setItem(key, fresh());
    return sessionStorage.getItem(key);
  } catch { return fresh(); }        // storage may be blocked inside a frame
}

function socketUrl(what) {
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}${here}/${what}?seat=${seat}`;
}

function listen() {
  socket = new WebSocket(socketUrl('news'));
  socket.onmessage = event => { delay = 250; take(JSON.parse(event.data)); };
  socket.onclose = async event => {
    if (event.code === EXPIRED) return lost('This link has expired.');
    const status = await fetch(`${here}/state`, { cache: 'no-store' }).then(r => r.status, () => 0);
    if (status === 404 || status === 403) return lost('This link is not valid any more.');
    tone('off', 'Reconnecting…', '');
    setTimeout(listen, delay);
    delay = Math.min(delay * 2, 5000);
  };
}

function lost(why) {
  picture.stop();
  question.show(null);
  tone('bad', why, '');
  by('actions').hidden = true;
  news = null;
  veil(why);
}

function say(what, more = {}) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ do: what, ...more }));
}

async function upload(file) {
  const response = await fetch(`${here}/files?seat=${seat}&name=${encodeURIComponent(file.name)}`, { method: 'PUT', body: file });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer.file;
}

function take(told) {
  if (told.task.ended && !news?.task.ended) openSteps(true);      // the result stands there
  news = told;
  const { task, control, browser } = told;
  const mine = control.mine && control.phase === 'held';
  run.take(told.first_step, told.steps, task);
  picture.wanted = Boolean(browser) && !task.ended;
  picture.controlled = mine;
  status(task, control);
  by('address').textContent = task.ended ? task.title : browser?.url || task.title;
  by('address').title = browser?.title || '';
  by('history').hidden = !mine;
  by('keyboard').hidden = by('zoom').hidden = !mine;
  by('take').hidden = !control.allowed || task.ended || control.phase !== 'free' || task.state === 'pending' || !browser;
  by('give').hidden = !control.mine || task.ended;
  by('give').textContent = control.phase === 'taking' ? 'Cancel' : 'Give back';
  by('stop').hidden = !control.allowed || task.ended;
  needed(task, control);
  tabs(browser, mine);
  notice(task.ended ? { notice: '' } : control);
  question.show(mine ? told.prompts[0] : null);
  document.title = `${by('status').querySelector('strong').textContent} · ${task.title}`;
  veil();
}

function tone(name, text, detail) {
  document.body.dataset.tone = name;
  const [strong, span] = by('status').querySelectorAll('strong, span');
  strong.textContent = text;
  span.textContent = detail;
}

function status(task, control) {
  const bar = by('progress');
  bar.hidden = task.ended || task.state === 'pending';
  bar.setAttribute('aria-valuenow', task.percentage);
  bar.firstElementChild.style.width = `${task.percentage}%`;
  if (task.ended) return tone(ENDS[task.state][1], ENDS[task.state][0], '');
  if (control.phase === 'taking') return tone('warn', 'Pausing…', control.mine ? 'after this step' : '');
  if (control.phase === 'held') return control.mine ? tone('mine', 'You are in control', '') : tone('warn', 'Someone is in control', '');
  if (task.state === 'paused') return tone('warn', task.reason && !PAUSES.includes(task.reason) ? 'Waiting for a person' : 'Paused', '');
  if (task.state === 'pending') return tone('off', 'Waiting to start', '');
  tone('live', 'The agent is working', task.word.replaceAll('_', ' '));
}

function needed(task, control) {
  const box = by('needed');
  const byUs = PAUSES.includes(task.reason) && control.phase !== 'free';
  const waits = task.state === 'paused' && task.reason && !byUs;
  box.hidden = !waits;
  by('give').classList.toggle('primary', !waits);
  by('continue').classList.toggle('primary', control.mine);
  if (!waits) return;
  const [title, button] = REASONS[task.reason] || ['Paused', 'Continue'];
  box.querySelector('strong').textContent = title;
  box.querySelector('p').textContent = task.message;
  by('continue').textContent = button;
  // An approval is given with a key, not with a link.
  by('continue').hidden = !control.allowed || task.reason === 'approval' || (control.phase !== 'free' && !control.mine);
}

function tabs(browser, mine) {
  const list = by('tabs'), known = browser?.tabs || [];
  list.hidden = known.length < 2 || news.task.ended;
  list.replaceChildren(...known.map(tab => {
    const item = document.createElement('span');
    item.className = tab.shown ? 'shown' : '';
    const show = document.createElement('button');
    show.textContent = tab.title || 'New tab';
    show.role = 'tab';
    show.ariaSelected = String(tab.shown);
    show.disabled = !mine;
    show.onclick = () => say('show_tab', { id: tab.id });
    item.append(show);
    if (mine) {
      const shut = document.createElement('button');
      shut.ariaLabel = 'Close tab';
      shut.innerHTML = '<svg aria-hidden="true"><use href="#i-close"/></svg>';
      shut.onclick = () => say('close_tab', { id: tab.id });
      item.append(shut);
    }
    return item;
  }));
}

let countdown = 0;
function notice(control) {
  clearInterval(countdown);
  let left = control.seconds_left;
  const show = () => {
    const text = left != null ? `Are you still there? The agent goes on in ${left} s unless you do something.` : control.notice;
    by('notice').textContent = text;
    by('notice').hidden = !text;
  };
  if (left != null) countdown = setInterval(() => { left = Math.max(0, left - 1); show(); }, 1000);
  show();
}

let hinting = 0;
function hint() {
  if (!news?.control.allowed || news.control.phase !== 'free' || news.task.ended) return;
  by('notice').textContent = 'You are watching. Take control to use the page.';
  by('notice').hidden = false;
  clearTimeout(hinting);
  hinting = setTimeout(() => news && !news.task.ended && notice(news.control), 4000);
}

function veil(why) {
  const box = by('veil');
  let text = typeof why === 'string' ? why : '', busy = false;
  if (news && !run.showing) {
    if (news.task.ended) text = run.empty ? 'Nothing was done in this run.' : 'No pictures were kept of this run.';
    else if (picture.missing) text = 'The VNC client is not installed on this server.';
    else if (news.task.state === 'pending') [text, busy] = ['The task waits for its turn.', true];
    else if (news.task.reason === 'approval') text = 'Nothing is done before this is approved, on the task’s page or with an API key.';
    else if (!news.browser) [text, busy] = ['Waiting for the browser…', true];
    else if (news.browser.crashed) text = 'The page has crashed. Reload it, or let the agent go on.';
    else if (!picture.connected) [text, busy] = ['Connecting to the browser…', true];
  }
  box.hidden = !text;
  box.className = busy ? 'busy' : '';
  box.firstElementChild.textContent = text;
}

for (const button of document.querySelectorAll('button[data-do]')) button.onclick = () => { say(button.dataset.do); picture.focus(); };
by('stop').onclick = () => {
  const button = by('stop');
  if (sure) say('stop');
  sure = !sure;
  button.textContent = sure ? 'Really stop?' : 'Stop';
  button.className = sure ? 'danger' : 'quiet';
  if (sure) setTimeout(() => { sure = false; button.textContent = 'Stop'; button.className = 'quiet'; }, 4000);
};
function openSteps(open) {
  document.body.classList.toggle('steps', open);
  by('list').setAttribute('aria-expanded', open);
}

by('list').onclick = () => openSteps(!document.body.classList.contains('steps'));
by('keyboard').onclick = () => picture.focus();
by('zoom').onclick = () => by('zoom').setAttribute('aria-pressed', picture.zoom());
openSteps(matchMedia('(min-width: 1000px)').matches);
listen();
