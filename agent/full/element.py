"""One element of the agent's page, asked with functions of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from browser_use.browser.session import BrowserSession, CDPSession


@dataclass(frozen=True, slots=True)
class Element:
    """What an index of the agent's page stands for: its tab or frame, and the object there."""

    page: CDPSession
    object_id: str

    @classmethod
    async def at(cls, session: BrowserSession, index: int) -> Element | None:
        """The element of that index; None: there is none any more."""
        node = await session.get_element_by_index(index)
        if node is None:
            return None
        page = await session.cdp_client_for_node(node)
        found = await page.cdp_client.send.DOM.resolveNode(
            params={"backendNodeId": node.backend_node_id, "objectGroup": "webhand"}, session_id=page.session_id
        )
        return cls(page, found["object"].get("objectId", ""))

    async def call(self, function: str, *arguments: object) -> Any:
        """What a JavaScript function says, whose `this` is the element."""
        answer = await self.page.cdp_client.send.Runtime.callFunctionOn(
            params={
                "functionDeclaration": function,
                "objectId": self.object_id,
                "arguments": [{"value": argument} for argument in arguments],
                "returnByValue": True,
                "userGesture": True,
            },
            session_id=self.page.session_id,
        )
        return answer["result"].get("value")
