// The browser's picture, by noVNC, and the person's keyboard.
//
// Keys go through a text field of our own instead of noVNC's canvas: only in a text field do dead keys, input methods and
// the keyboards of phones compose text, and only there does a paste event bring the clipboard without asking for leave.

const FILL = '···';                     // so that a phone's keyboard has something to delete
const keysymOf = char => { const cp = char.codePointAt(0); return cp < 0x100 ? cp : 0x01000000 + cp; };
const CONTROL = 0xffe3, SHIFT = 0xffe1, BACKSPACE = 0xff08, ENTER = 0xff0d;
const onMac = /Mac|iP(hone|ad)/.test(navigator.platform);

export class Picture {
  connected = false;
  missing = false;
  #rfb = null; #keyboard = null; #RFB = null; #wanted = false; #controlled = false; #delay = 250; #timer = 0; #dead = false;

  constructor(host, keys, url, { onchange, onrefused, onleave }) {
    Object.assign(this, { host, keys, url, onchange, onrefused, onleave });
    this.#listen();
    host.addEventListener('pointerdown', () => this.#controlled ? this.#focusByPointer() : onrefused(), true);
  }

  set wanted(on) {
    if (on === this.#wanted) return;
    this.#wanted = on;
    if (on) this.#connect(); else this.#disconnect();
  }

  set controlled(on) {
    if (on === this.#controlled) return;
    this.#controlled = on;
    this.keys.tabIndex = on ? 0 : -1;
    if (this.#rfb) this.#rfb.viewOnly = !on;
    if (on) this.#focusByPointer(); else this.keys.blur();
  }

  focus() { if (this.#controlled) this.keys.focus({ preventScroll: true }); }

  #focusByPointer() { if (!matchMedia('(pointer: coarse)').matches) this.focus(); }

  stop() { this.#dead = true; this.wanted = false; }

  zoom() {
    const near = this.#rfb?.scaleViewport ?? false;
    if (this.#rfb) Object.assign(this.#rfb, { scaleViewport: !near, clipViewport: near, dragViewport: near });
    return near;
  }

  async #connect() {
    clearTimeout(this.#timer);
    try {
      const [{ default: RFB }, { default: Keyboard }] = await Promise.all([
        import('../novnc/core/rfb.js'), import('../novnc/core/input/keyboard.js')]);
      if (!this.#keyboard) {
        this.#keyboard = new Keyboard(this.keys);
        this.#keyboard.onkeyevent = (keysym, code, down) => this.#rfb?.sendKey(keysym, code, down);
        this.#keyboard.grab();
      }
      this.#RFB = RFB;
    } catch { this.missing = true; this.onchange(); return; }
    if (!this.#wanted || this.#rfb) return;
    const rfb = this.#rfb = new this.#RFB(this.host, this.url, { wsProtocols: ['binary'] });
    Object.assign(rfb, { scaleViewport: true, viewOnly: !this.#controlled, focusOnClick: false, background: 'transparent' });
    rfb.addEventListener('connect', () => {
      Object.assign(this.host.querySelector('canvas'), { role: 'img', ariaLabel: 'The page' });
      this.connected = true;
      this.#delay = 250;
      this.onchange();
    });
    rfb.addEventListener('clipboard', event => navigator.clipboard?.writeText(event.detail.text).catch(() => {}));
    rfb.addEventListener('disconnect', () => {
      if (this.#rfb === rfb) this.#rfb = null;
      this.connected = false;
      this.onchange();
      if (this.#wanted && !this.#dead) {
        this.#timer = setTimeout(() => this.#connect(), this.#delay);
        this.#delay = Math.min(this.#delay * 2, 4000);
      }
    });
  }

  #disconnect() {
    clearTimeout(this.#timer);
    this.#rfb?.disconnect();
    this.#rfb = null;
  }

  // -- the keyboard

  #listen() {
    const { keys } = this;
    keys.value = FILL;
    // In the capture phase of the field's parent: before noVNC's keyboard, which listens on the field itself.
    for (const kind of ['keydown', 'keyup']) keys.parentElement.addEventListener(kind, event => event.target === keys && this.#key(event), true);
    keys.addEventListener('compositionstart', () => { keys.value = ''; keys.classList.add('composing'); });
    keys.addEventListener('compositionend', event => { keys.classList.remove('composing'); this.#text(event.data); this.#refill(); });
    keys.addEventListener('input', event => event.isComposing || this.#input());
    keys.addEventListener('paste', event => { event.preventDefault(); this.#paste(event.clipboardData.getData('text/plain')); });
    keys.addEventListener('blur', () => this.#refill());
  }

  #key(event) {
    if (event.key === 'F6') {                                             // Tab goes to the page: without this nobody leaves it by keyboard
      event.stopImmediatePropagation();
      event.preventDefault();
      return event.type === 'keydown' && this.onleave();
    }
    const composing = event.isComposing || ['Process', 'Dead', 'Unidentified'].includes(event.key) || event.keyCode === 229;
    const command = (event.ctrlKey || event.metaKey) && !event.altKey;
    if (composing) return event.stopImmediatePropagation();               // the field composes
    if (!command) return;
    // Latin letter by its place on the keyboard, where the layout has none: Ctrl+C on a Cyrillic layout.
    const letter = /^[\x20-\x7e]$/.test(event.key) ? event.key.toLowerCase() : /^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : '';
    if (letter === 'v') return event.stopImmediatePropagation();          // the paste event follows
    const foreign = event.key.length === 1 && event.key.charCodeAt(0) > 0x7e;
    if (letter && (foreign || (onMac && event.metaKey))) {
      event.stopImmediatePropagation();
      event.preventDefault();
      if (event.type === 'keydown') this.#shortcut(letter, event.shiftKey);
    }
  }

  #shortcut(letter, shift) {
    const rfb = this.#rfb;
    if (!rfb) return;
    rfb.sendKey(CONTROL, 'ControlLeft', true);
    if (shift) rfb.sendKey(SHIFT, 'ShiftLeft', true);
    rfb.sendKey(keysymOf(letter), `Key${letter.toUpperCase()}`);
    if (shift) rfb.sendKey(SHIFT, 'ShiftLeft', false);
    rfb.sendKey(CONTROL, 'ControlLeft', false);
  }

  #text(text) {
    for (const char of text || '') this.#rfb?.sendKey(char === '\n' ? ENTER : keysymOf(char), null);
  }

  #input() {
    const { value } = this.keys;
    if (value.length < FILL.length) for (let n = value.length; n < FILL.length; n++) this.#rfb?.sendKey(BACKSPACE, 'Backspace');
    else this.#text(value.startsWith(FILL) ? value.slice(FILL.length) : value.replaceAll('·', ''));
    this.#refill();
  }

  #refill() {
    this.keys.value = FILL;
    this.keys.setSelectionRange(FILL.length, FILL.length);
  }

  #paste(text) {
    if (!text || !this.#controlled || !this.#rfb) return;
    this.#rfb.clipboardPasteFrom(text);
    this.#shortcut('v', false);
  }
}
