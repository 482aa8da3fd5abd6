"""The practice site's state: who is logged in, what was posted, and a record of everything that really took effect."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pyotp

from server.practice.faults import Faults
from server.settings import SettingWrong

COOKIE = "practice_session"
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class User:
    """A member of the practice site."""

    name: str
    full_name: str
    about: str
    hue: int
    """Which of the eight avatar colours is theirs."""
    totp: str | None = None
    """The base32 secret of one-time codes, for the one member who uses them."""

    @property
    def password(self) -> str:
        """The practice password: no secret, it stands on the login page."""
        return f"practice-{self.name}"

    def code_fits(self, code: str) -> bool:
        """Whether it is the present one-time code, or a neighbour of it."""
        return self.totp is not None and pyotp.TOTP(self.totp).verify(code.strip(), valid_window=1)


MEMBERS = {
    user.name: user
    for user in (
        User("alice", "Alice Moreau", "Rivers, small boats, long letters.", 6),
        User("bob", "Bob Tanaka", "Bread on weekdays, trains on Sundays.", 3),
        User("carol", "Carol Okafor", "Keeps her account behind one-time codes.", 4, "JBSWY3DPEHPK3PXP"),
    )
}
NEIGHBOURS = {
    user.name: user
    for user in (
        User("mira", "Mira Lindqvist", "Botanist. Moss before roses.", 1),
        User("jonas", "Jonas Albers", "Repairs clocks, is never late.", 2),
        User("ines", "Ines Duarte", "Maps of places that exist.", 0),
    )
}
SEEDS = (
    (1560, "jonas", "The tower clock runs again. It gained four seconds on its first day, and so did I.", ("mira", "bob")),
    (405, "ines", "Drew the harbour from memory, then went to look.\nThe harbour was wrong.", ("alice", "jonas", "mira")),
    (95, "bob", "Rye, 78 % hydration, eleven hours in the cold. Crumb like a sponge, crust like a door.", ("ines",)),
    (22, "mira", "Found Tortula muralis on the north wall. Forty years of guidebooks, and it was there all along.",
     ("alice", "bob", "jonas", "ines")),
)  # fmt: skip


@dataclass(slots=True)
class Post:
    """What somebody posted. A hidden one was accepted, but nobody can see it."""

    id: str
    author: str
    text: str
    at: datetime
    likes: set[str] = field(default_factory=set[str])
    hidden: bool = False
    draft: str = ""


@dataclass(slots=True)
class Session:
    """A browser that is logged in."""

    user: str
    faults: Faults | None = None
    solved: bool = False
    """Whether a person has answered the challenge."""


Kind = Literal["post", "like", "unlike", "delete", "login", "logout"]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that really took effect, as it stands in the journal."""

    kind: Kind
    author: str
    at: str
    post: str = ""
    text: str = ""
    hidden: bool = False
    draft: str = ""
    session: str = ""
    """The hash of the session's token, of a login or logout."""


class DemoSite:
    """All of the practice site's state. `acts` and `counts` say what really took effect, whatever the answers said.

    With a `journal` (a file of JSON lines) every act is written before it takes effect, so that posts, logins and counts survive
    the end of the process, however it ends. One process at a time may write; any may open it to read.
    """

    def __init__(self, *, faults: Faults | None = None, journal: Path | None = None, seeded: bool = True) -> None:
        self.faults = faults or Faults()
        self.faults_of: dict[str, Faults] = {}
        self.users = MEMBERS | NEIGHBOURS
        self.posts: dict[str, Post] = {}
        self.acts: list[Act] = []
        self.sessions: dict[str, Session] = {}
        self.received: list[dict[str, Any]] = []
        """What the practice forms were sent, oldest first."""
        self.awaited: dict[str, tuple[str, datetime]] = {}
        """Logins that wait for a one-time code: whose, and since when."""
        self._journal: int | None = None
        self._next_id = 101
        if seeded:
            self._seed(datetime.now(UTC))
        if journal is not None:
            self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            for act in read_journal(journal):
                self._take_effect(act)
            whole = journal.read_bytes().rfind(b"\n") + 1
            os.truncate(self._journal, whole)

    def _seed(self, now: datetime) -> None:
        for minutes, author, text, likes in SEEDS:
            post = Post(str(self._next_id), author, text, now - timedelta(minutes=minutes), set(likes))
            self.posts[post.id] = post
            self._next_id += 1

    # -- who

    def session(self, token: str | None) -> Session | None:
        """The session that the cookie's token opens."""
        return self.sessions.get(digest(token)) if token else None

    def log_in(self, name: str) -> str:
        """Opens a session for the member and returns its token, the value of the cookie `practice_session`."""
        token = secrets.token_urlsafe(24)
        self._record(Act("login", MEMBERS[name].name, stamp(), session=digest(token)))
        return token

    def await_code(self, name: str) -> str:
        """Begins a login that needs a one-time code and returns the token that the second page asks for."""
        token = secrets.token_urlsafe(24)
        self.awaited[token] = (name, datetime.now(UTC))
        return token

    def log_out(self, token: str) -> None:
        """Ends the session, if there is one."""
        session = self.session(token)
        if session is not None:
            self._record(Act("logout", session.user, stamp(), session=digest(token)))

    def log_everybody_out(self) -> None:
        """Ends all sessions."""
        for key, session in list(self.sessions.items()):
            self._record(Act("logout", session.user, stamp(), session=key))

    def storage_state(self, name: str, base_url: str) -> dict[str, Any]:
        """A browser's storage state that is logged in as the member: {"cookies": [...], "origins": []}."""
        cookie = {
            "name": COOKIE,
            "value": self.log_in(name),
            "domain": urlsplit(base_url).hostname,
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
        return {"cookies": [cookie], "origins": []}

    def faults_for(self, session: Session | None) -> Faults:
        """What misbehaves for that session: its own faults, else its user's, else the site's."""
        if session is None:
            return self.faults
        return session.faults or self.faults_of.get(session.user) or self.faults

    # -- what takes effect

    def drafted(self, author: str, draft: str) -> Post | None:
        """The post that this draft has become already: a browser repeats a request by itself when its connection is cut."""
        return next(
            (post for post in self.posts.values() if draft and (post.author, post.draft) == (author, draft)), None
        )

    def publish(self, author: str, text: str, *, hidden: bool = False, draft: str = "") -> Post:
        """Posts the text."""
        post_id = str(self._next_id)
        self._record(Act("post", author, stamp(), post=post_id, text=text, hidden=hidden, draft=draft))
        return self.posts[post_id]

    def like(self, name: str, post: Post, *, liked: bool) -> None:
        """Likes the post or takes that back; nothing happens when it is so already."""
        if liked != (name in post.likes):
            self._record(Act("like" if liked else "unlike", name, stamp(), post=post.id, text=post.text))

    def delete(self, name: str, post: Post) -> None:
        """Deletes the post; that it was published stays on record."""
        self._record(Act("delete", name, stamp(), post=post.id, text=post.text))

    def _record(self, act: Act) -> None:
        if self._journal is not None:
            os.write(self._journal, json.dumps(asdict(act), ensure_ascii=False).encode() + b"\n")
        self._take_effect(act)

    def _take_effect(self, act: Act) -> None:
        self.acts.append(act)
        if act.kind == "post":
            at = datetime.fromisoformat(act.at)
            self.posts[act.post] = Post(act.post, act.author, act.text, at, hidden=act.hidden, draft=act.draft)
            self._next_id = max(self._next_id, int(act.post) + 1)
        elif act.kind == "login":
            self.sessions[act.session] = Session(act.author)
        elif act.kind == "logout":
            self.sessions.pop(act.session, None)
        elif act.kind == "delete":
            self.posts.pop(act.post, None)
        elif act.post in self.posts:
            likes = self.posts[act.post].likes
            likes.add(act.author) if act.kind == "like" else likes.discard(act.author)

    # -- what can be seen

    def visible(self, post_id: str) -> Post | None:
        """The post that everybody can see under that id."""
        post = self.posts.get(post_id)
        return None if post is None or post.hidden else post

    def feed(self, *, author: str | None = None, text: str | None = None) -> list[Post]:
        """Visible posts, newest first; of one author, or with exactly that text."""
        posts = (post for post in reversed(self.posts.values()) if not post.hidden)
        return [post for post in posts if author in (None, post.author) and text in (None, post.text)]

    @property
    def published(self) -> list[Act]:
        """Every post that was really published, hidden and since deleted ones included, oldest first."""
        return [act for act in self.acts if act.kind == "post"]

    @property
    def counts(self) -> Counter[str]:
        """How often each text was really published."""
        return Counter(act.text for act in self.published)

    def close(self) -> None:
        """Closes the journal."""
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None


def read_journal(path: Path) -> Iterable[Act]:
    """The acts in a journal. A last line that was cut off in the middle is left out. Raises SettingWrong when another cannot be read."""
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        try:
            yield Act(**json.loads(line))
        except (ValueError, TypeError):
            message = f"Line {number} of the practice site's journal {path} cannot be read: move the file away."
            raise SettingWrong(message) from None


def digest(token: str) -> str:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def stamp() -> str:
    """The time now, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()
