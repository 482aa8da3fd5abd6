"""Logging: one JSON line per event when not on a terminal; no secret in any of them, whoever logs it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, cast

import structlog
from structlog.typing import Processor

from server.settings import Settings
from server.signing import hide_tokens
from storage.database import is_away, reason

_KEY = re.compile(r"\b(?:sk_live|sk|bu)[-_][A-Za-z0-9_-]{12,}")
_HIDDEN_NAMES = re.compile(
    r"password|secret|cookie|authorization|api_?key|token$|credentials|storage_state", re.IGNORECASE
)
_QUIET = ("httpx", "httpcore", "asyncio", "uvicorn.access", "websockets", "dbos", "alembic", "mcp")


def set_up_logging(settings: Settings) -> None:
    """Sends everything that is logged in this process, by us or by libraries, to stderr in one form."""
    plain = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, drop_colors, shorten]
    if plain:
        # Plain tracebacks: the fancy ones show every local variable, secrets too, and take seconds to draw.
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        last += [hide, console]
    else:
        last += [structlog.processors.format_exc_info, hide, structlog.processors.JSONRenderer(ensure_ascii=False)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(is_news)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:-1],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def drop_colors(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Drops uvicorn's second, coloured copy of its message."""
    event.pop("color_message", None)
    return event


def shorten(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A database that is away is a line, not a traceback: whoever needs it says so again and again, until it is back."""
    given = event.get("exc_info")
    error: Any = sys.exc_info()[1] if given is True else given
    if isinstance(error, tuple):
        error = cast("tuple[Any, ...]", error)[1]
    if isinstance(error, Exception) and is_away(error):
        del event["exc_info"]
        event["error"] = reason(error)
    return event


def is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn says something new: a WebSocket that was refused with an HTTP answer it takes for one without an answer."""
    return record.msg != "ASGI callable returned without completing handshake."


def hide(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Masks keys and link tokens in every text of the event, and whatever stands under a name that says it is secret."""
    return cast("Mapping[str, Any]", hidden(event))


def hidden(value: Any) -> Any:
    """The same value with secrets masked."""
    if isinstance(value, str):
        return hide_tokens(_KEY.sub("[key]", value))
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {name: "[hidden]" if _HIDDEN_NAMES.search(str(name)) else hidden(item) for name, item in items}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in cast("list[Any]", value)]
    return value
