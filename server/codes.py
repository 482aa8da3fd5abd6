"""Short codes by which somebody proves that a question was put to them: its page is plain, and the code comes beside its address.

A code is made of its question and the server's own key, so that nothing is kept and every front knows it. It ends with its question.
"""

from __future__ import annotations

import hmac

from server.signing import Signer
from storage.tables import Task

_PURPOSE = "code"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing that can be taken for something else."""
_READ_AS = str.maketrans("OIL", "011")
_LENGTH = 8
"""Forty bits: who tries a thousand a second needs seventeen years, and no question waits so long."""


class Codes:
    """Makes and checks them."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def of(self, question: str) -> str:
        """The code of a question, as it is shown."""
        digits = self._signer.digest(_PURPOSE, question)[:_LENGTH]
        code = "".join(_ALPHABET[digit % len(_ALPHABET)] for digit in digits)
        return f"{code[:4]}-{code[4:]}"

    def fits(self, question: str, typed: str) -> bool:
        """Whether somebody typed the code of a question, however they wrote it."""
        read = "".join(filter(str.isalnum, typed.upper())).translate(_READ_AS)
        return hmac.compare_digest(read.encode(), self.of(question).replace("-", "").encode())


def pause(task: Task) -> str:
    """The question that a paused task asks: each pause is a new one."""
    moment = round(task.paused_at.timestamp() * 1000) if task.paused_at else 0
    return f"{task.id}-{task.pause_reason}-{moment}"
