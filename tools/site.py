"""A platform's site: its home, aliases, and the signs by which a browser knows where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tools.playbook import Selector


@dataclass(frozen=True, slots=True)
class Signs:
    """Signs of one condition: any one is enough. URLs are regular expressions, selectors the automation library's."""

    urls: tuple[str, ...] = ()
    selectors: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    """HTTP statuses of the page itself."""
    cookies: tuple[str, ...] = ()
    """Cookies of the site's hosts: `name` (there, and not empty) or `name=value`."""


@dataclass(frozen=True, slots=True)
class Who:
    """Where the page says who is logged in.

    An element, its attribute (None: its text), and the part of it that is the name. Where the page does not say it but
    a `cookie` does, that cookie's value (percent-decoded) is read the same way.
    """

    selector: Selector | None = None
    attribute: str | None = None
    pattern: str = r"\s*(.+?)\s*$"
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one account may do in a class of actions, and the least time between two of them (seconds)."""

    hourly: int
    daily: int
    spacing: float = 0.0


@dataclass(frozen=True, slots=True)
class LoginForm:
    """Where a user name and a password go, for accounts that have credentials instead of a stored login."""

    username: Selector
    password: Selector
    submit: Selector
    otp: Selector | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """One platform.

    `hosts` are what a task's browser may reach (`*.` covers subdomains); everything else is outside its wall.
    """

    id: str
    name: str
    home: str
    """Origin of the home page, without a trailing slash."""
    hosts: tuple[str, ...]
    login_url: str
    logged_in: Signs
    aliases: tuple[str, ...] = ()
    logged_out: Signs = field(default_factory=Signs)
    challenge: Signs = field(default_factory=Signs)
    suspended: Signs = field(default_factory=Signs)
    rate: Signs = field(default_factory=Signs)
    who: Who | None = None
    session: tuple[str, ...] = ()
    """The cookies that hold a login: when one of them changes under an open page, what the page says of the member is old."""
    login_form: LoginForm | None = None
    locale: str = "en-US"
    timezone: str = "UTC"
    gap: float = 0.0
    """The least time between two page loads of one run (seconds), for sites that throw fast callers out."""
    publish: Caps = Caps(hourly=10, daily=40, spacing=10)
    engage: Caps = Caps(hourly=30, daily=200, spacing=3)
    verified: Literal["practice", "replica", "live"] = "replica"
    """How far this platform's playbooks were proved: on the practice site, on a replica, or with a real account."""
    selectors: Mapping[str, Selector] = field(default_factory=dict[str, Selector])
    """The selectors of this platform's playbooks by name, for `tools.overrides` and for checking a platform. A name
    in braces stands for something that a tool fills in, for example `{id}`."""
    policy: str = ""
    """What the site's own rules say of automation, in a sentence for README and doctor."""
