// What the browser would ask in windows of its own: dialogs, file choosers, permissions.

const PERMISSIONS = {
  geolocation: 'know your location', notifications: 'send notifications', camera: 'use a camera', microphone: 'use a microphone',
  media: 'use a camera and a microphone', clipboard: 'read the clipboard',
};
const FIELDS = {
  date: 'a date', time: 'a time', month: 'a month', week: 'a week', 'datetime-local': 'a date and a time', color: 'a colour', text: 'a value',
};
const make = (tag, set = {}, ...children) => { const e = Object.assign(document.createElement(tag), set); e.append(...children); return e; };

export class Question {
  #shown = '';

  constructor(box, { say, upload }) { Object.assign(this, { box, say, upload }); }

  show(prompt) {
    if ((prompt?.id ?? '') === this.#shown) return;
    this.#shown = prompt?.id ?? '';
    this.box.hidden = !prompt;
    this.box.replaceChildren();
    if (!prompt) return;
    const form = this.#form(prompt);
    this.box.append(form);
    (form.querySelector('input') || form.querySelector('.primary')).focus();
    form.querySelector('input[type=text]')?.select();
    if (prompt.kind === 'field') try { form.querySelector('input').showPicker(); } catch { }     // a click on it opens it too
  }

  #form(prompt) {
    const answer = (accept, more = {}) => this.say('answer', { id: prompt.id, accept, ...more });
    const title = make('h2', { id: 'asking' });
    const yes = make('button', { className: 'primary', textContent: 'OK' });
    const no = make('button', { type: 'button', textContent: 'Cancel', onclick: () => answer(false) });
    const buttons = make('div', {}, no, yes);
    const form = make('form', {}, title);
    let accept = () => answer(true);
    if (prompt.kind === 'permission') {
      title.textContent = `${prompt.origin} wants to ${PERMISSIONS[prompt.permission] || prompt.permission}`;
      [yes.textContent, no.textContent] = ['Allow', 'Block'];
    } else if (prompt.kind === 'silent') {
      title.textContent = 'The page does not answer';
      form.append(make('p', { textContent: 'It may show a dialog from before you took control, which only goes when the page is loaded again. What was entered may be lost.' }));
      [yes.textContent, no.textContent] = ['Reload', 'Wait'];
    } else if (prompt.kind === 'field') {
      accept = this.#field(form, prompt, title, answer);
    } else if (prompt.kind === 'files') {
      accept = this.#files(form, prompt, title, yes, answer);
    } else {
      title.textContent = prompt.kind === 'beforeunload' ? 'Leave this page?' : `${prompt.origin} says`;
      form.append(make('p', { textContent: prompt.kind === 'beforeunload' ? 'What was entered may be lost.' : prompt.message }));
      if (prompt.kind === 'beforeunload') [yes.textContent, no.textContent] = ['Leave', 'Stay'];
      if (prompt.kind === 'alert') no.hidden = true;
      if (prompt.kind === 'prompt') {
        const field = make('input', { type: 'text', value: prompt.default, autocomplete: 'off' });
        field.setAttribute('aria-labelledby', 'asking');
        form.append(field);
        accept = () => answer(true, { text: field.value });
      }
    }
    form.append(buttons);
    form.onsubmit = event => { event.preventDefault(); accept(); };
    form.onkeydown = event => { if (event.key === 'Escape') answer(false); };
    return form;
  }

  #field(form, { field: { type, value, min, max, step, options } }, title, answer) {
    title.textContent = `Choose ${FIELDS[type]}`;
    const field = make('input', { type, value, min, max, step, autocomplete: 'off' });
    field.setAttribute('aria-labelledby', 'asking');
    form.append(field);
    if (options.length) {
      field.setAttribute('list', 'offered');
      form.append(make('datalist', { id: 'offered' }, ...options.map(([value, label]) => make('option', { value, label }))));
    }
    return () => answer(true, { text: field.value });
  }

  #files(form, prompt, title, yes, answer) {
    title.textContent = prompt.multiple ? 'The page asks for files' : 'The page asks for a file';
    const field = make('input', { type: 'file', multiple: prompt.multiple, accept: prompt.accept });
    field.setAttribute('aria-labelledby', 'asking');
    const said = make('small', { textContent: 'It is sent to the machine that runs the browser and removed when the task ends.' });
    form.append(field, said);
    yes.textContent = 'Send';
    return async () => {
      if (!field.files.length) return answer(false);
      yes.disabled = true;
      said.textContent = 'Sending…';
      try {
        const files = [];
        for (const file of field.files) files.push(await this.upload(file));
        answer(true, { files });
      } catch (error) {
        said.textContent = error.message || 'The file could not be sent.';
        yes.disabled = false;
      }
    };
  }
}
