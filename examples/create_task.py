"""Creates a task, waits for its end and prints the result: WEBHAND_URL and WEBHAND_KEY say where and as whom.

WEBHAND_URL=http://127.0.0.1:8765 WEBHAND_KEY=sk_live_... python examples/create_task.py my-demo "Hello World!"
"""

from __future__ import annotations

import os
import sys
from typing import Any

import httpx

FINAL = {"completed", "failed", "timeout", "cancelled"}


def post(account: str, text: str) -> dict[str, Any]:
    """Publishes a text on the practice site and gives the finished task."""
    headers = {"Authorization": f"Bearer {os.environ['WEBHAND_KEY']}"}
    with httpx.Client(base_url=os.environ["WEBHAND_URL"], headers=headers, timeout=60) as client:
        body = {"platform": "demo", "tool": "createPost", "accountName": account, "parameters": {"text": text}}
        task = client.post("/api/tasks", json=body).raise_for_status().json()["data"]
        while task["state"] not in FINAL:
            task = client.get(f"/api/tasks/{task['taskId']}", params={"wait": 30}).raise_for_status().json()["data"]
        return task


if __name__ == "__main__":
    finished = post(*sys.argv[1:3])
    sys.stdout.write(f"{finished['state']}: {finished.get('result') or finished.get('error')}\n")
    sys.exit(finished["state"] != "completed")
