"""`webhand platform`: whether a platform's pages still look as its playbooks know them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from server.commands.local import out, plainly, print_json, settings

if TYPE_CHECKING:
    from agent.lite.inspector import Inspection
    from server.checking import Checked

app = typer.Typer(no_args_is_help=True, help="Check the platforms' playbooks.")
_MARKS = {"found": "green", "missing": "red", "not needed": "dim", "not reached": "yellow"}


@app.command()
def check(
    platform: Annotated[str, typer.Argument(metavar="NAME", help="For example twitter.")],
    account: Annotated[
        str | None, typer.Option(help="The account to be logged in with; without one it goes as far as strangers get.")
    ] = None,
    tool: Annotated[list[str] | None, typer.Option(help="Only this tool; may be repeated.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plays each playbook in a real browser up to the publishing act, which is NOT made, and reports each selector.

    Exit code 1 when a playbook does not come that far.
    """
    from server.checking import check_platform  # the other commands start faster without its browsers

    with plainly():
        found = asyncio.run(check_platform(settings(), platform, account, tool or ()))
    report(found, json=json)


def report(checked: Checked, *, json: bool) -> None:
    """Prints what was found. Exit code 1 when a playbook does not come to its publishing act."""
    from server.checking import document, outcome  # as above

    if json:
        print_json(document(checked))
    else:
        for inspection in checked.inspections:
            out.print(table(checked, inspection))
            out.print(outcome(inspection), markup=False)
    if not all(inspection.fine for inspection in checked.inspections):
        raise typer.Exit(1)


def table(checked: Checked, inspection: Inspection) -> Table:
    """The selectors of a playbook in the order in which they are needed."""
    from server.checking import rank  # as above

    made = Table("Stage", "Move", "Selector", "", "Candidate", title=f"{checked.site.name}: {inspection.tool}")
    for seen in inspection.seen:
        colour = _MARKS[seen.standing]
        shown = rank(seen) if seen.candidate else " or ".join(seen.use.candidates)
        row = (seen.use.goal, seen.use.move, seen.use.name or "-")
        made.add_row(*row, f"[{colour}]{seen.standing}[/{colour}]", shown.replace("[", r"\["))
    return made
