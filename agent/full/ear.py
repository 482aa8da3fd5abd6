"""Stands between a platform's pages and the site for the requests that publish.

The agent only sees the page. Here it is known what the site answered: a refusal ends the run with its code instead of a doubt, a
yes says the new post's number. And as nobody knows what a page or an agent does next, such a request leaves once: after one that
the site may have taken, no other goes out, and none at all in a dry run. Once shut, it lets out only what reads.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.answers import Heard, meant, readings_of, refusal_in
from agent.cdp import Cdp, Gone, Refused
from agent.origins import Origins
from tools.errors import Failure
from tools.playbook import Answer, Listen

KINDS = ("Document", "XHR", "Fetch", "Ping", "Other")
"""What can carry a form or a call away; pictures, scripts and styles pass without a stop."""
SETUP: Sequence[tuple[str, Mapping[str, object]]] = (
    ("Fetch.enable", {"patterns": [{"urlPattern": "*", "resourceType": kind} for kind in KINDS]}),
)
"""The commands that make a tab ask before it sends anything of these kinds."""
READING = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing at the site (RFC 9110, 9.2.1)."""
SENT_ON = (307, 308)
"""Redirects after which the browser sends the same again: no answer yet."""


@dataclass
class Sending:
    """A publishing request under way. `session`: the tab or frame that sent it."""

    answer: Answer
    session: str | None
    over: asyncio.Event


class Ear:
    """Hears what the site answers to one task's publishing requests.

    `may_leave` is asked before each is let out. `taken`: whether one went out that the site did not refuse, so that something may
    have been published. `readings`: what the answers said. `shut`: whether only requests that read are let out.
    """

    def __init__(
        self,
        publishing: Sequence[tuple[Listen, Answer]],
        origins: Origins,
        may_leave: Callable[[], Awaitable[bool]],
    ) -> None:
        self.publishing = publishing
        self.origins = origins
        self.may_leave = may_leave
        self.sending: dict[str, Sending] = {}
        self.taken = False
        self.readings: dict[str, str] = {}
        self.refused: Failure | None = None
        self.shut = False

    async def stop(self, cdp: Cdp, paused: Mapping[str, Any], session: str | None) -> None:
        """Lets a stopped request or answer go on, or not."""
        with suppress(Gone, Refused, TimeoutError):
            if "responseStatusCode" in paused or "responseErrorReason" in paused:
                await self.hear(cdp, paused, session)
            elif self.shut and paused["request"]["method"] not in READING:
                await self.hold_back(cdp, paused, session)
            elif (answer := self.wanted(paused["request"])) is None:
                await cdp.post("Fetch.continueRequest", {"requestId": paused["requestId"]}, session)
            else:
                await self.send(cdp, answer, paused, session)

    def wanted(self, request: Mapping[str, Any]) -> Answer | None:
        """The answer that is listened for, where the request publishes."""
        method, url = str(request["method"]), str(request["url"])
        return next((answer for listen, answer in self.publishing if meant(listen, method, url, self.origins)), None)

    async def send(self, cdp: Cdp, answer: Answer, paused: Mapping[str, Any], session: str | None) -> None:
        """Lets a publishing request out, when none went out before and it may."""
        own, number = {"requestId": paused["requestId"]}, number_of(paused)
        free = not self.taken and not self.sending
        if free:
            self.sending[number] = Sending(answer, session, asyncio.Event())
        if free and await self.may_leave():
            await cdp.post("Fetch.continueRequest", {**own, "interceptResponse": True}, session)
            return
        if free:
            self.forget(number)
        await self.hold_back(cdp, paused, session)

    async def hold_back(self, cdp: Cdp, paused: Mapping[str, Any], session: str | None) -> None:
        """Fails a request before it leaves the browser."""
        own = {"requestId": paused["requestId"], "errorReason": "BlockedByClient"}
        await cdp.post("Fetch.failRequest", own, session)

    async def hear(self, cdp: Cdp, paused: Mapping[str, Any], session: str | None) -> None:
        """Reads the answer before the page does, which may take it away."""
        sending = self.sending.get(number_of(paused))
        try:
            if sending is not None and paused.get("responseStatusCode") not in SENT_ON:
                heard = await self.read(cdp, paused, session, sending.answer.seconds)
                self.understand(heard, sending.answer)
        finally:
            self.forget(number_of(paused))
            await cdp.post("Fetch.continueRequest", {"requestId": paused["requestId"]}, session)

    async def read(self, cdp: Cdp, paused: Mapping[str, Any], session: str | None, seconds: float) -> Heard | None:
        """The answer; None where none came, or not all of it."""
        if "responseStatusCode" not in paused:
            return None
        headers = {header["name"].lower(): header["value"] for header in paused.get("responseHeaders", [])}
        body = b""
        if not 300 <= paused["responseStatusCode"] < 400:
            try:
                said = await cdp.call(
                    "Fetch.getResponseBody", {"requestId": paused["requestId"]}, session, seconds=seconds
                )
            except (Refused, TimeoutError):
                return None
            body = base64.b64decode(said["body"]) if said["base64Encoded"] else said["body"].encode()
        return Heard.of(paused["responseStatusCode"], headers, body)

    def understand(self, heard: Heard | None, answer: Answer) -> None:
        """Keeps what the answer means. One that is lost is no refusal: what it said may have been yes."""
        refused = refusal_in(heard, answer) if heard is not None else None
        if refused is not None:
            self.refused = refused
            return
        self.taken = True
        if heard is not None:
            self.readings.update(readings_of(heard, answer))

    def lose(self, session: str) -> None:
        """Gives up the requests of a tab or frame that is gone."""
        for number in [number for number, sending in self.sending.items() if sending.session == session]:
            self.taken = True
            self.forget(number)

    def forget(self, number: str) -> None:
        """Ends a request."""
        if (sending := self.sending.pop(number, None)) is not None:
            sending.over.set()

    async def refusal(self) -> Failure | None:
        """What the site refused the act with, told once; waits for an answer that is under way, as long as the tool says."""
        for sending in list(self.sending.values()):
            with suppress(TimeoutError):
                async with asyncio.timeout(sending.answer.seconds):
                    await sending.over.wait()
        if self.taken or self.sending:
            return None
        refused, self.refused = self.refused, None
        return refused


def number_of(paused: Mapping[str, Any]) -> str:
    """What stays the same from a request to its answer."""
    return str(paused.get("networkId") or paused["requestId"])
