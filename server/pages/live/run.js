// The steps of the run, as a list and, one at a time, as pictures: while it runs and when it is over.

const make = (tag, set = {}, ...children) => { const e = Object.assign(document.createElement(tag), set); e.append(...children); return e; };
const PACE = 1600;

export class Run {
  showing = false;
  #steps = []; #at = 0; #ended = false; #timer = 0;

  constructor(list, shot, player, { onchange }) {
    Object.assign(this, { list, shot, player, onchange });
    const [play, seek, live] = ['play', 'seek', 'live'].map(id => document.getElementById(id));
    Object.assign(this, { play, seek, live });
    seek.oninput = () => { this.#pause(); this.#play(Number(seek.value)); };
    play.onclick = () => this.#timer ? this.#pause() : this.#go();
    live.onclick = () => this.#hide();
  }

  get empty() { return this.#steps.length === 0; }

  take(first, steps, task) {
    const before = this.#steps.length;
    this.#steps.splice(first, Infinity, ...steps);
    const items = this.list.querySelector('ol');
    while (items.children.length > first) items.lastChild.remove();
    items.append(...steps.map((step, n) => this.#item(step, first + n)));
    if (this.#steps.length > before && !this.showing && !task.ended) items.lastChild?.scrollIntoView({ block: 'nearest' });
    this.#outcome(task);
    if (task.ended && !this.#ended) {
      this.#ended = true;
      this.#pause();
      const last = this.#steps.findLastIndex(step => step.screenshot);
      if (last >= 0) this.#show(last); else this.#hide();
      this.list.scrollTop = 0;                                            // the result stands there
      this.list.querySelector('#none').textContent = 'No steps were taken.';
    } else if (this.showing) this.#mark();
  }

  #outcome(task) {
    const box = this.list.querySelector('#outcome');
    box.hidden = !task.ended || !task.output;
    box.querySelector('strong').textContent = task.state === 'completed' ? 'Result' : 'What happened';
    box.querySelector('p').textContent = task.output;
  }

  #item(step, index) {
    const text = make('span', { textContent: step.goal || step.outcome });
    if (step.kind === 'person') text.append(make('small', { textContent: 'by a person' }));
    else if (step.outcome && step.goal) text.append(make('small', { textContent: step.outcome }));
    const button = make('button', { onclick: () => { this.#pause(); this.#show(index); } }, make('b', { textContent: step.number }), text);
    if (step.screenshot) button.append(make('img', { src: step.screenshot, loading: 'lazy', alt: '' }));
    return make('li', { className: step.kind }, button);
  }

  #show(index) {
    const step = this.#steps[index];
    if (!step) return;
    this.#at = index;
    this.showing = true;
    this.shot.hidden = this.player.hidden = false;
    const image = this.shot.querySelector('img');
    const source = step.screenshot || this.#steps.slice(0, index).findLast(earlier => earlier.screenshot)?.screenshot;
    if (source) image.src = source; else image.removeAttribute('src');
    this.shot.querySelector('figcaption').replaceChildren(
      step.goal || step.outcome,
      make('small', { textContent: [step.kind === 'person' ? 'by a person' : step.goal && step.outcome, step.url].filter(Boolean).join(' · ') }));
    this.#mark();
    this.onchange();
  }

  // As #show, and the list follows.
  #play(index) {
    this.#show(index);
    this.list.querySelector('[aria-current=true]')?.scrollIntoView({ block: 'nearest' });
  }

  #mark() {
    this.seek.max = this.#steps.length - 1;
    this.seek.value = this.#at;
    this.player.querySelector('output').textContent = `${this.#at + 1} of ${this.#steps.length}`;
    this.live.hidden = this.#ended;
    [...this.list.querySelectorAll('li button')].forEach((button, n) => button.setAttribute('aria-current', n === this.#at));
  }

  #hide() {
    this.#pause();
    this.showing = false;
    this.shot.hidden = this.player.hidden = true;
    this.list.querySelectorAll('li button').forEach(button => button.removeAttribute('aria-current'));
    this.onchange();
  }

  #go() {
    if (this.#at >= this.#steps.length - 1) this.#play(0);
    this.#timer = setInterval(() => this.#at < this.#steps.length - 1 ? this.#play(this.#at + 1) : this.#pause(), PACE);
    this.#symbol('pause');
  }

  #pause() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#symbol('play');
  }

  #symbol(name) {
    this.play.querySelector('use').setAttribute('href', `#i-${name}`);
    this.play.ariaLabel = name === 'play' ? 'Play' : 'Pause';
  }
}
