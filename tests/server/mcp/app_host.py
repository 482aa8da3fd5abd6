"""A host for the MCP App that does what the specification says: it shows the page in a sandbox and hands its calls on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from mcp.client import Client
from playwright.async_api import Browser, Frame, Page, async_playwright

from agent.installed import find_chromium
from server.mcp_facade.app import app_html
from tests.person import FLAGS

POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
"""What a host must enforce where the app asks for nothing."""
HOST = """
<iframe id="app" sandbox="allow-scripts" style="width:480px;height:480px"></iframe>
<script>
window.heard = []
const frame = document.getElementById("app")
const send = message => frame.contentWindow.postMessage({jsonrpc: "2.0", ...message}, "*")
window.tell = (method, params) => send({method, params})
addEventListener("message", async ({source, data}) => {
  if (source !== frame.contentWindow || !data.method) return
  window.heard.push({method: data.method, params: data.params})
  if (data.id === undefined) return
  if (data.method === "ui/initialize") send({id: data.id, result: {protocolVersion: "2026-01-26", hostCapabilities: {},
    hostInfo: {name: "test", version: "1"}, hostContext: {theme: "dark", styles: {variables: {"--color-text-primary": "rgb(1, 2, 3)"}},
    toolInfo: {tool: {name: "browser_run_task"}}}}})
  else if (data.method === "tools/call") send({id: data.id, result: await window.callTool(data.params)})
  else send({id: data.id, result: {}})
})
window.load = html => { frame.srcdoc = html }
</script>
"""


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A browser for hosts."""
    found = find_chromium(None)
    assert found is not None
    async with async_playwright() as library:
        browser = await library.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        await browser.close()


@asynccontextmanager
async def shown(browser: Browser, client: Client) -> AsyncGenerator[tuple[Page, Frame]]:
    """The host's page and the app in it."""
    async with await browser.new_page() as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

        async def call(params: dict[str, Any]) -> dict[str, Any]:
            answer = await client.call_tool(params["name"], params["arguments"])
            return answer.model_dump(by_alias=True, mode="json", exclude_none=True)

        await page.expose_function("callTool", call)  # pyright: ignore[reportUnknownMemberType]  # Playwright types it loosely
        await page.set_content(HOST)
        policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        await page.evaluate(
            "html => load(html)", app_html().replace('<meta charset="utf-8">', f'<meta charset="utf-8">{policy}')
        )
        frame = page.frames[-1]
        await frame.wait_for_selector("#status")
        yield page, frame
        assert complaints == []


async def heard(page: Page, method: str) -> list[Any]:
    """What the app said to its host."""
    said: list[dict[str, Any]] = await page.evaluate("heard")
    return [message["params"] for message in said if message["method"] == method]
