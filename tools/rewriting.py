"""Making a tool whose playbook and proof differ in something: their waits, their selectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from tools.playbook import Move, Playbook, Selector, Stage
from tools.proof import Proof
from tools.tool import AnyTool, Parameters

SELECTORS = ("frame", "within", "selector")
"""The fields of moves that hold selectors, from the outside in."""


def rewritten(tool: AnyTool, change: Callable[[Stage], Stage]) -> AnyTool:
    """A copy of the tool with every stage of its playbook and its proof changed."""
    playbook, proof = tool.playbook, tool.proof

    def changed_playbook(parameters: Parameters) -> Playbook:
        return tuple(map(change, playbook(parameters))) if playbook else ()

    def changed_proof(parameters: Parameters) -> Proof:
        read = proof(parameters) if proof else Proof(())
        return replace(read, stages=tuple(map(change, read.stages)))

    return replace(tool, playbook=playbook and changed_playbook, proof=proof and changed_proof)


def candidates(selector: Selector) -> tuple[str, ...]:
    """The selector as a tuple of candidates."""
    return (selector,) if isinstance(selector, str) else selector


def selectors(move: Move) -> dict[str, Selector]:
    """The selectors of a move by the name of their field, from the outside in."""
    present = {field.name for field in fields(move)}
    return {name: getattr(move, name) for name in SELECTORS if name in present and getattr(move, name) is not None}
