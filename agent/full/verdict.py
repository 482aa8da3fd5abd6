"""What an agent's words and a broken run mean for the task: its result, or the failure with the code that fits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.full.brief import Brief
from agent.full.warm import Pair
from agent.full.wire import Finished
from agent.redaction import Redactor
from tools.errors import (
    AgentFailed,
    AgentGaveUp,
    BlockedByWall,
    BrowserFailed,
    Failure,
    Interrupted,
    OutcomeUncertain,
)


def admitted(finished: Finished, redactor: Redactor) -> Failure | None:
    """The failure that the agent itself admits to."""
    if finished.done and finished.success:
        return None
    said = sentence(redactor.text(finished.text or finished.last_error))
    if not finished.done or finished.forced:
        why = f"after {finished.steps} steps" + (f": {said}" if said else ".")
        return AgentGaveUp(f"The agent gave up {why} Allow more steps, or say the task more plainly.")
    return AgentFailed(
        f"The agent says that it did not succeed: {said} Look at its steps, then say the task more plainly."
        if said
        else None
    )


def sentence(said: str) -> str:
    """Somebody's words as a sentence; empty where there are none."""
    said = said.strip()
    return said if not said or said[-1] in ".!?…。" else f"{said}."


def said_result(finished: Finished, brief: Brief, redactor: Redactor) -> Mapping[str, Any]:
    """The result in the tool's form, from what the agent says alone."""
    text = redactor.text(finished.text)
    if brief.output_schema is None or brief.assignment.options.dry_run:
        return {"output": text}
    answer = redactor.tree(finished.output)
    if brief.site is None:
        return {"output": json.dumps(answer, ensure_ascii=False)}
    return brief.assignment.tool.result.model_validate(answer).model_dump(mode="json", exclude_none=True)


def unfounded(finished: Finished, redactor: Redactor) -> AgentFailed:
    """The agent says that it is done, but it has done nothing that could publish, and nothing proves it."""
    said = redactor.text(finished.text)
    return AgentFailed(
        f"The agent says that it is done, but nothing was published and nothing proves it. It said: {said}"
    )


def unproved(failure: Failure) -> OutcomeUncertain:
    """The act may have gone out and could not be read back."""
    return OutcomeUncertain(
        f"The publishing act may have gone out, but no proof of it was found ({failure.message}): look at the site before you try again.",
        details={"cause": failure.code},
    )


def meant(failure: Failure, brief: Brief, pair: Pair, *, armed: bool) -> Failure:
    """What a failure means, seen from outside: the wall behind an agent's defeat, the doubt behind a broken publishing act."""
    if isinstance(failure, AgentFailed):
        failure = walled(failure, pair)
    broken = isinstance(failure, Interrupted | BrowserFailed) or brief.site is not None
    if armed and broken and not isinstance(failure, OutcomeUncertain):
        return OutcomeUncertain(
            f"The run ended after the publishing act may have gone out, without proof of it: look at the site before you try again. "
            f"{failure.message}",
            details={"cause": failure.code},
        )
    return failure


def walled(failure: Failure, pair: Pair) -> Failure:
    """The same failure, or the wall, where a page that was wanted lay outside of it."""
    outside = sorted(pair.watch.hosts.intersection(pair.gate.blocked))
    if outside:
        return BlockedByWall(
            f"The task needed {', '.join(outside)}, outside its allowed domains: allow it, or change the task. {failure.message}",
            details={"hosts": outside},
        )
    ads = sorted(pair.watch.hosts.intersection(pair.gate.ads))
    if ads:
        return BlockedByWall(
            f"The task needed {', '.join(ads)}, blocked as an advertiser or tracker: name it in the task or its allowed domains, "
            f"or switch ad blocking off. {failure.message}",
            details={"hosts": ads},
        )
    return failure
