"""`webhand webhook`: the webhooks of the running server, and the log of what they were sent."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from server.commands.local import Api, give_up, out, print_json, settings, table

app = typer.Typer(no_args_is_help=True, help="List webhooks, look at what they were sent, and send it again.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WebhookId = Annotated[str, typer.Argument(help="The webhook's id.")]


@app.command("list")
def list_webhooks(*, json: Json = False) -> None:
    """Lists webhooks, oldest first."""
    data = Api(settings()).call("GET", "/webhooks")
    if json:
        print_json(data)
        return
    rows = table("Webhook", "URL", "Form", "Events", "Status", "Why")
    for item in data["webhooks"]:
        events = ", ".join(item["events"])
        rows.add_row(item["id"], item["url"], item["dialect"], events, item["status"], item.get("disabledReason", "-"))
    out.print(rows)


@app.command()
def deliveries(
    webhook: WebhookId,
    state: Annotated[str | None, typer.Option(help="owed, sending, delivered or given_up.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    *,
    json: Json = False,
) -> None:
    """Lists what a webhook was sent, newest first, with each attempt."""
    data = Api(settings()).call("GET", f"/webhooks/{webhook}/deliveries", query={"state": state, "limit": limit})
    if json:
        print_json(data)
        return
    rows = table("Delivery", "Event", "Task", "State", "Attempts", title=f"{data['total']} deliveries")
    for item in data["deliveries"]:
        tries = "\n".join(attempted(one) for one in item["tries"]) or "-"
        rows.add_row(item["id"], item["event"], item.get("taskId", "-"), item["state"], tries)
    out.print(rows)


@app.command()
def replay(
    webhook: WebhookId,
    delivery: Annotated[
        str | None, typer.Argument(help="The delivery's id; left out: every one that was given up.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Sends deliveries once more, each as a new entry of the log."""
    api = Api(settings())
    chosen = [delivery] if delivery is not None else given_up(api, webhook)
    if not chosen:
        give_up("No delivery of this webhook was given up: name the one that is to be sent again.")
    made = [api.call("POST", f"/webhooks/{webhook}/deliveries/{one}/replay") for one in chosen]
    if json:
        print_json(made)
        return
    for first, again in zip(chosen, made, strict=True):
        out.print(f"{first} is sent again as {again['id']}.", markup=False)


@app.command("test")
def send_test(webhook: WebhookId, *, json: Json = False) -> None:
    """Sends a test event now. A webhook that was disabled is enabled again by one that it takes."""
    delivery = Api(settings()).call("POST", f"/webhooks/{webhook}/test")
    if json:
        print_json(delivery)
    elif delivery["state"] == "delivered":
        out.print("The test event was taken.", markup=False)
    else:
        give_up(f"The test event was not taken: {attempted(delivery['tries'][-1])}.")


def given_up(api: Api, webhook: str) -> list[str]:
    """The deliveries that nobody took and nothing tries any more, oldest first: at most a hundred."""
    data = api.call("GET", f"/webhooks/{webhook}/deliveries", query={"state": "given_up", "limit": 100})
    return [item["id"] for item in reversed(data["deliveries"])]


def attempted(one: dict[str, Any]) -> str:
    """One attempt in a line."""
    how = one.get("error") or f"HTTP {one.get('statusCode')}"
    took = f" ({one['durationMs']} ms)" if "durationMs" in one else ""
    return f"{one['at']} {how}{took}"
