"""The code of a question: read however it is typed, and good for that question alone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from server.codes import Codes, pause
from server.signing import Signer
from storage.tables import Task

CODES = Codes(Signer(b"k" * 32))


def test_a_code_is_eight_letters_and_digits_that_cannot_be_confused() -> None:
    codes = {CODES.of(str(number)) for number in range(200)}
    assert len(codes) == 200
    for code in codes:
        assert len(code) == 9
        assert code[4] == "-"
        assert set(code.replace("-", "")) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.mark.parametrize("question", ["a", "b", "c", "d", "e", "f"])
def test_it_is_read_however_a_person_types_it(question: str) -> None:
    code = CODES.of(question)
    slips = code.translate(str.maketrans("01", "OI"))
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} ", slips, slips.lower()):
        assert CODES.fits(question, typed)


@pytest.mark.parametrize(
    "typed", ["", "0000-0000", "x" * 9, "ÀÀÀÀ-ÀÀÀÀ", CODES.of("another"), CODES.of("a")[:-1], CODES.of("a") * 2]
)
def test_nothing_else_fits(typed: str) -> None:
    assert not CODES.fits("a", typed)


def test_another_servers_code_does_not_fit() -> None:
    assert not CODES.fits("a", Codes(Signer(b"x" * 32)).of("a"))


def test_each_pause_has_a_code_of_its_own() -> None:
    task = Task(
        id="task_1",
        owner="owner",
        dialect="mcp",
        platform="demo",
        tool="createPost",
        effect="publish",
        writes=True,
        engine="lite",
        timeout_ms=1000,
    )
    pauses: set[str] = set()
    for reason in ("challenge", "sign_in"):
        for minute in (1, 2):
            task.pause_reason, task.paused_at = reason, datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
            pauses.add(CODES.of(pause(task)))
    assert len(pauses) == 4
