"""The same tool with more or less patience: for slow links, and for tests that make it wait in vain."""

from __future__ import annotations

from dataclasses import replace

from tools.playbook import Answer, Expect, Move, Read, Stage, Wait
from tools.rewriting import rewritten
from tools.tool import AnyTool


def paced(tool: AnyTool, factor: float) -> AnyTool:
    """A copy whose playbook and proof wait `factor` times as long wherever they name a time."""

    def stage(given: Stage) -> Stage:
        return replace(given, moves=tuple(_move(move, factor) for move in given.moves))

    return rewritten(tool, stage)


def _move(move: Move, factor: float) -> Move:
    return replace(move, seconds=move.seconds * factor) if isinstance(move, Wait | Expect | Read | Answer) else move
