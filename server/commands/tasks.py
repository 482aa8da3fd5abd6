"""`webhand task`: the tasks of the running server."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from server.commands.local import Api, err, give_up, out, print_json, settings, table

app = typer.Typer(no_args_is_help=True, help="Run, watch and cancel tasks.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_FINAL = frozenset({"completed", "failed", "timeout", "cancelled"})
_LOOK_S = 2


@app.command()
def run(
    tool: Annotated[str, typer.Argument(help="For example twitter.createTweet, or browser.runTask.")],
    parameters: Annotated[list[str] | None, typer.Argument(help="name=value, as many as the tool needs.")] = None,
    account: Annotated[str | None, typer.Option(help="The account's name.")] = None,
    engine: Annotated[str | None, typer.Option(help="lite or full.")] = None,
    timeout: Annotated[int | None, typer.Option(help="Milliseconds.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option(help="Everything but the publishing act.")] = False,
    detach: Annotated[bool, typer.Option(help="Do not wait for the end.")] = False,
    json: Json = False,
) -> None:
    """Creates a task and watches it to its end. Exit code 1 when it did not complete."""
    platform, _, action = tool.partition(".")
    body: dict[str, Any] = {
        "platform": platform,
        "tool": action,
        "parameters": pairs(parameters or []),
        "dryRun": dry_run,
    }
    body |= {
        name: value
        for name, value in (("accountName", account), ("preferredEngine", engine), ("timeout", timeout))
        if value is not None
    }
    api = Api(settings())
    task = api.call("POST", "/tasks", body=body)
    show(task if detach else follow(api, task, quiet=json), json=json)


@app.command("list")
def list_tasks(
    platform: Annotated[str | None, typer.Option()] = None,
    status: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    *,
    json: Json = False,
) -> None:
    """Lists tasks, newest first."""
    data = Api(settings()).call("GET", "/tasks", query={"platform": platform, "status": status, "limit": limit})
    if json:
        print_json(data)
        return
    rows = table("Task", "Tool", "Account", "Engine", "Status", "Created", title=f"{data['total']} tasks")
    for item in data["tasks"]:
        rows.add_row(
            item["id"],
            f"{item['platform']}.{item['action']}",
            item.get("accountName", "-"),
            item["execution_engine"],
            item["status"],
            item["created_at"],
        )
    out.print(rows)


@app.command("show")
def show_task(task_id: str, *, json: Json = False) -> None:
    """Shows one task."""
    show(Api(settings()).call("GET", f"/tasks/{task_id}"), json=json)


@app.command()
def watch(task_id: str, *, json: Json = False) -> None:
    """Watches a task to its end. Exit code 1 when it did not complete."""
    api = Api(settings())
    show(follow(api, api.call("GET", f"/tasks/{task_id}"), quiet=json), json=json)


@app.command()
def cancel(task_id: str, *, json: Json = False) -> None:
    """Cancels a task."""
    task = Api(settings()).call("DELETE", f"/tasks/{task_id}")
    print_json(task) if json else out.print(f"{task_id} is cancelled.", markup=False)


def _steer(verb: str, done: str) -> None:
    def command(task_id: str) -> None:
        Api(settings()).call("POST", f"/tasks/{task_id}/{verb}")
        out.print(f"{task_id} {done}.", markup=False)

    app.command(verb, help=f"{verb.capitalize()} a task.")(command)


for _verb, _done in (
    ("pause", "pauses after its present step"),
    ("resume", "goes on"),
    ("approve", "is approved"),
    ("reject", "is rejected"),
):
    _steer(_verb, _done)


def pairs(given: list[str]) -> dict[str, Any]:
    """name=value pairs; a value that is JSON (true, 3, ["a"]) is taken as such, all else is text."""
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not equals or not name:
            give_up(f"'{item}' is not of the form name=value.")
        try:
            parsed = json_text.loads(value)
        except ValueError:
            parsed = value
        found[name] = value if isinstance(parsed, int | float) and not isinstance(parsed, bool) else parsed
    return found


def follow(api: Api, task: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    """Waits for the end, with a progress bar on a terminal."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"), console=err, disable=quiet
    ) as bar:
        line = bar.add_task(task["state"], total=100)
        while task["state"] not in _FINAL:
            progress = task.get("progress", {})
            bar.update(line, description=progress.get("step", task["state"]), completed=progress.get("percentage", 0))
            task = api.call("GET", f"/tasks/{task['taskId']}", query={"wait": _LOOK_S})
        bar.update(line, description=task["state"], completed=100)
    return task


def show(task: dict[str, Any], *, json: bool) -> None:
    """Prints a task; a failure of it is exit code 1."""
    if json:
        print_json(task)
    else:
        rows = Table.grid(padding=(0, 2))
        for name in (
            "taskId",
            "state",
            "platform",
            "tool",
            "accountName",
            "execution_engine",
            "createdAt",
            "duration_ms",
            "liveUrl",
        ):
            if name in task:
                rows.add_row(f"[bold]{name}[/bold]", str(task[name]))
        for name in ("progress", "result", "error"):
            if name in task:
                rows.add_row(f"[bold]{name}[/bold]", json_text.dumps(task[name], ensure_ascii=False))
        out.print(rows)
    if task["state"] in _FINAL - {"completed"}:
        raise typer.Exit(1)
