// Greenroom's buttons and its editor. The editor believes the keyboard alone: what a script writes into it is put back, as the
// editors of big sites do, so that only real input counts.

const role = (name, within = document) => within.querySelector(`[data-role="${name}"]`);

function toast(words, { link, bad = false } = {}) {
  const note = document.createElement("p");
  note.className = bad ? "toast bad" : "toast";
  note.dataset.testid = "toast";
  note.setAttribute("role", bad ? "alert" : "status");
  note.append(words);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link;
    anchor.textContent = "View";
    note.append(" ", anchor);
  }
  role("toasts").replaceChildren(note);
}

async function ask(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  try {
    const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    const found = await answer.json();
    if (answer.ok) return found;
    toast(found.message ?? "That did not work.", { bad: true });
    // The message stays long enough to be read.
    if (found.error === "challenge") setTimeout(() => location.assign(`/challenge?next=${location.pathname}`), 900);
    if (found.error === "logged_out") setTimeout(() => location.assign(`/login?next=${location.pathname}`), 900);
  } catch {
    toast("The site did not answer. Look before you try again.", { bad: true });
  }
  return null;
}

// The text of an editor: each block is a line, and a <br> that ends a block only holds it open.
function written(node) {
  let text = "";
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) text += child.data.replaceAll("\u00a0", " ");
    else if (child.nodeName === "BR") text += child === node.lastChild ? "" : "\n";
    else text += (child.nodeName === "DIV" && child !== node.firstChild ? "\n" : "") + written(child);
  }
  return text;
}

class Composer {
  constructor(form) {
    this.form = form;
    this.box = role("text", form);
    this.button = role("publish", form);
    this.limit = Number(form.dataset.limit);
    this.text = "";
    this.busy = false;
    this.box.addEventListener("input", (event) => event.isTrusted && this.take());
    this.box.addEventListener("paste", (event) => {
      event.preventDefault();
      document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
    });
    this.button.addEventListener("click", () => this.publish());
    form.addEventListener("submit", (event) => event.preventDefault());
    this.guard = new MutationObserver(() => written(this.box) !== this.text && this.show());
    this.guard.observe(this.box, { childList: true, characterData: true, subtree: true });
    this.begin();
  }

  begin() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    this.draft = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.text = "";
    this.show();
  }

  take() {
    this.text = written(this.box);
    this.count();
  }

  show() {
    this.box.textContent = this.text;
    this.guard.takeRecords();
    this.count();
  }

  count() {
    const left = this.limit - [...this.text.trim()].length;
    const counter = role("count", this.form);
    counter.textContent = left;
    counter.classList.toggle("over", left < 0);
    this.box.classList.toggle("empty", this.text === "");
    this.ready = this.text.trim() !== "" && left >= 0 && !this.busy;
    this.button.setAttribute("aria-disabled", String(!this.ready));
  }

  async publish() {
    if (!this.ready) return;
    this.busy = true;
    this.count();
    const post = await ask("POST", "/api/posts", { text: this.text, draft: this.draft });
    this.busy = false;
    if (post) {
      toast("Your post is out.", { link: post.url });
      this.begin();
      this.insert(post);
    } else {
      this.count();
    }
  }

  async insert(post) {
    const feed = role("feed");
    if (!feed || !post.id) return;
    const page = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
    const fresh = page.querySelector(`[data-post-id="${post.id}"]`);
    if (fresh) {
      feed.prepend(fresh);
      wire(fresh);
    }
  }
}

function wire(article) {
  const id = article.dataset.postId;
  const heart = role("like", article);
  heart.addEventListener("click", async () => {
    const liked = heart.getAttribute("aria-pressed") !== "true";
    const post = await ask(liked ? "PUT" : "DELETE", `/api/posts/${id}/like`);
    if (!post) return;
    const counter = role("likes", article);
    heart.setAttribute("aria-pressed", String(liked));
    heart.setAttribute("aria-label", liked ? "Unlike" : "Like");
    heart.dataset.testid = liked ? heart.dataset.unlike : heart.dataset.like;
    counter.textContent = Number(counter.textContent) + (liked ? 1 : -1);
  });
  role("delete", article)?.addEventListener("click", () => role("sure").showModal());
}

function wireDeletion() {
  const dialog = role("sure");
  if (!dialog) return;
  const article = role("post");
  role("keep", dialog).addEventListener("click", () => dialog.close());
  role("delete-sure", dialog).addEventListener("click", async () => {
    const gone = await ask("DELETE", `/api/posts/${article.dataset.postId}`);
    dialog.close();
    if (!gone) return;
    toast("The post is deleted.");
    const note = document.createElement("section");
    note.className = "card empty";
    note.dataset.testid = "deleted";
    note.textContent = "This post was deleted.";
    article.replaceWith(note);
  });
}

function wireLogin() {
  for (const button of document.querySelectorAll('[data-role="fill-in"]')) {
    button.addEventListener("click", () => {
      document.querySelector("[name=username]").value = button.dataset.name;
      document.querySelector("[name=password]").value = button.dataset.word;
    });
  }
}

document.querySelectorAll('[data-role="composer"]').forEach((form) => new Composer(form));
document.querySelectorAll('[data-role="post"]').forEach(wire);
wireDeletion();
wireLogin();
