"""A runner's end of the line to its supervisor: what it sends, what it asks, what it is told."""

from __future__ import annotations

import asyncio
import logging
import os
from itertools import count
from typing import Literal

from agent.full.wire import Beat, Begin, Log, Message, Prepare, Question, encode, read_line, to_runner
from agent.redaction import Redactor

BROWSER_USE = ("browser_use", "bubus", "cdp_use", "BrowserSession")
BEAT = 1.0
"""Seconds between two signs of life."""


class Channel:
    """The line. When the supervisor is gone, the process ends: there is nobody left to work for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.prepare: asyncio.Future[Prepare] = asyncio.get_running_loop().create_future()
        self.begin: asyncio.Future[Begin] = asyncio.get_running_loop().create_future()
        self.numbers = count(1)
        self.asked: dict[int, asyncio.Future[str]] = {}

    def send(self, message: Message) -> None:
        """Sends a message; never waits."""
        self.writer.write(encode(message))

    async def ask(
        self,
        about: Literal["gate", "arm", "person"],
        reason: Literal["challenge", "sign_in", "two_factor"] | None = None,
        message: str = "",
        tab: str = "",
    ) -> str:
        """Asks the supervisor and waits for its answer, however long a person takes."""
        number = next(self.numbers)
        answer = self.asked[number] = asyncio.get_running_loop().create_future()
        self.send(Question(id=number, about=about, reason=reason, message=message, tab=tab))
        return await answer

    async def listen(self) -> None:
        """Takes orders and answers until the supervisor is gone, then ends the process."""
        while (line := await read_line(self.reader)) is not None:
            message = to_runner.validate_json(line)
            if isinstance(message, Prepare):
                self.prepare.set_result(message)
            elif isinstance(message, Begin):
                self.begin.set_result(message)
            elif message.id in self.asked:
                self.asked.pop(message.id).set_result(message.text)
        os._exit(0)

    async def beat(self) -> None:
        """Shows that the loop is alive, for ever."""
        while True:
            self.send(Beat())
            await asyncio.sleep(BEAT)


class LogLines(logging.Handler):
    """Sends the errors that are logged to the supervisor's log, redacted. Those of browser-use stand in the steps already."""

    def __init__(self, channel: Channel, redactor: Redactor) -> None:
        super().__init__(logging.ERROR)
        self.channel = channel
        self.redactor = redactor

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        if record.name.startswith(BROWSER_USE):
            return
        self.channel.send(Log(level="error", event=self.redactor.text(record.getMessage())[:1000]))
