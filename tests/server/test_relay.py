"""What a front shows a worker: good for a moment, for no more than the person may do, and for nobody else."""

from __future__ import annotations

import os
import time

from server.live.door import CONTROL, PURPOSE
from server.live.relay import RELAYED, person_of, relayed_token
from server.signing import Signed, Signer


def test_a_fronts_token_carries_the_persons_rights_and_their_end_and_is_good_for_a_moment() -> None:
    signer, ends = Signer(os.urandom(32)), int(time.time()) + 3600
    for rights in (frozenset[str](), frozenset({CONTROL})):
        shown = signer.verify(RELAYED, relayed_token(signer, Signed("task", ends, rights)))
        assert shown is not None
        assert shown.expires - time.time() < 31
        assert person_of(shown) == Signed("task", ends, rights)


def test_a_persons_link_opens_no_worker_and_a_fronts_token_no_front() -> None:
    signer, soon = Signer(os.urandom(32)), int(time.time()) + 60
    assert signer.verify(RELAYED, signer.sign(PURPOSE, "task", expires=soon, rights=[CONTROL])) is None
    assert signer.verify(PURPOSE, relayed_token(signer, Signed("task", soon))) is None
    assert Signer(os.urandom(32)).verify(RELAYED, relayed_token(signer, Signed("task", soon))) is None
