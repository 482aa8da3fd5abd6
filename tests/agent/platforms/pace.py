"""The same tool with less patience, for tests in which it waits in vain."""

from __future__ import annotations

from dataclasses import replace

from tools.inspection import publishes
from tools.playbook import Answer, Expect, Playbook, Read, Stage, Wait
from tools.proof import Proof
from tools.tool import AnyTool, Parameters

BEFORE, AFTER = 0.6, 0.08


def hasty(tool: AnyTool) -> AnyTool:
    """A copy that waits little more than half of the time until it publishes, and a twelfth of it from then on.

    Before the act pages must have time to come, however busy this machine is; afterwards these tests know that nothing comes.
    """
    playbook, proof = tool.playbook, tool.proof
    assert playbook
    assert proof

    def hasty_playbook(parameters: Parameters) -> Playbook:
        stages: list[Stage] = []
        factor = BEFORE
        for stage in playbook(parameters):
            factor = AFTER if factor == AFTER or any(map(publishes, stage.moves)) else BEFORE
            stages.append(shortened(stage, factor))
        return tuple(stages)

    def hasty_proof(parameters: Parameters) -> Proof:
        read = proof(parameters)
        return replace(read, stages=tuple(shortened(stage, AFTER) for stage in read.stages))

    return replace(tool, playbook=hasty_playbook, proof=hasty_proof)


def shortened(stage: Stage, factor: float) -> Stage:
    moves = (
        replace(move, seconds=move.seconds * factor) if isinstance(move, Wait | Expect | Read | Answer) else move
        for move in stage.moves
    )
    return replace(stage, moves=tuple(moves))
