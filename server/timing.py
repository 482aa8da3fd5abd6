"""When a schedule is due: every so many minutes, or by a cron expression; always in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from croniter import croniter
from croniter.croniter import CroniterError

from storage.tables import Schedule, now
from tools.errors import InvalidParameters

Kind = Literal["interval", "cron"]
MAX_INTERVAL = 525_600
"""Minutes: a year."""
TICK = timedelta(microseconds=1)
_CRON = re.compile(r"(?![HhRr])[\w*/,?#-]+( (?![HhRr])[\w*/,?#-]+){4}", re.ASCII)
"""Five fields; none is left to chance (R) or to a name (H)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule is due. Moments are in UTC."""

    kind: Kind
    interval_minutes: int | None
    cron: str | None
    start_at: datetime
    end_at: datetime

    @classmethod
    def of(cls, schedule: Schedule) -> Timing:
        """The timing of a row."""
        return cls(
            kind="cron" if schedule.kind == "cron" else "interval",
            interval_minutes=schedule.interval_minutes,
            cron=schedule.cron,
            start_at=schedule.start_at,
            end_at=schedule.end_at,
        )

    def check(self) -> None:
        """Raises InvalidParameters, whose details name the field."""
        if self.kind == "interval" and not self.interval_minutes:
            raise unfit("interval_minutes", "is needed for schedule_type 'interval'")
        if self.kind == "cron" and not self.cron:
            raise unfit("cron_expression", "is needed for schedule_type 'cron'")
        if self.cron and not valid_cron(self.cron):
            raise unfit(
                "cron_expression", "is not a cron expression of five fields that ever comes, such as '0 9 * * 1-5'"
            )
        if self.end_at <= self.start_at:
            raise unfit("end_at", "must be after start_at")

    def following(self, moment: datetime) -> datetime | None:
        """The first due moment after this one; None: it is over."""
        due = self._cron(moment) if self.kind == "cron" else self._interval(moment)
        return due if due is not None and due <= self.end_at else None

    def _interval(self, moment: datetime) -> datetime:
        if moment < self.start_at:
            return self.start_at
        step = timedelta(minutes=self.interval_minutes or MAX_INTERVAL)
        return self.start_at + ((moment - self.start_at) // step + 1) * step

    def _cron(self, moment: datetime) -> datetime | None:
        # A moment before the start, so that a start that fits the expression is due itself.
        since = max(moment, self.start_at - TICK)
        try:
            return croniter(self.cron or "", since.astimezone(UTC)).get_next(datetime)
        except CroniterError:
            return None


def first(timing: Timing) -> datetime | None:
    """When a new schedule is due for the first time: at its start, or when that is past, at the next moment from now on."""
    return timing.following(max(now() - timedelta(seconds=1), timing.start_at - TICK))


def valid_cron(expression: str) -> bool:
    """Whether it is a cron expression of five fields that comes at least once."""
    if not _CRON.fullmatch(" ".join(expression.split())) or not croniter.is_valid(expression):
        return False
    try:
        croniter(expression, now()).get_next(datetime)
    except CroniterError:
        return False
    return True


def unfit(name: str, what: str) -> InvalidParameters:
    """A field that does not fit."""
    return InvalidParameters(f"'{name}' {what}.", details={"field": name})
