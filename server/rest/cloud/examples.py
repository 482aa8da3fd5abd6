"""The examples that the documents show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.rest.cloud import wire

ID = "0198c6a4-7d1e-7c3a-9d52-6b1f0e2a4c11"


def file(name: str) -> str:
    """A link to a file."""
    return f"https://webhand.example/files/{name}?token=..."


TASK: Mapping[str, Any] = {
    "id": ID,
    "task": "Report the title of example.com",
    "status": "finished",
    "created_at": "2023-11-07T05:31:56Z",
    "steps": [
        {
            "id": "step_0198c6a47d1e7c3a9d526b1f0e2a4c12",
            "step": 1,
            "evaluation_previous_goal": "Nothing was done yet.",
            "next_goal": "Open example.com.",
            "url": "about:blank",
        }
    ],
    "output": "Example Domain",
    "live_url": None,
    "finished_at": "2023-11-07T05:32:20Z",
    "browser_data": None,
    "user_uploaded_files": None,
    "output_files": None,
    "public_share_url": None,
    "metadata": {"customer": "42"},
}
SCHEDULE: Mapping[str, Any] = {
    "id": ID,
    "task": "Report the title of example.com",
    "save_browser_data": False,
    "structured_output_json": None,
    "llm_model": "gpt-4.1",
    "use_adblock": True,
    "use_proxy": True,
    "highlight_elements": True,
    "schedule_type": "interval",
    "interval_minutes": 60,
    "cron_expression": None,
    "start_at": "2023-11-07T05:31:56Z",
    "next_run_at": "2023-11-07T06:31:56Z",
    "end_at": "2024-11-06T05:31:56Z",
    "is_active": True,
    "created_at": "2023-11-07T05:31:56Z",
    "updated_at": "2023-11-07T05:31:56Z",
    "metadata": None,
}
PROFILE: Mapping[str, Any] = {
    "profile_id": ID,
    "profile_name": "Work",
    "description": "",
    "persist": True,
    "ad_blocker": True,
    "proxy": True,
    "proxy_country_code": "US",
    "browser_viewport_width": 1280,
    "browser_viewport_height": 960,
}


def page_of(member: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """An example of a list."""
    return {member: [entry], "total_pages": 1, "page": 1, "limit": 10, "total_count": 1}


ITEM = {name: TASK[name] for name in wire.TaskItem.model_fields}
RUN: dict[str, Any] = {
    "task": "Report the title of example.com",
    "max_agent_steps": 20,
    "metadata": {"customer": "42"},
}
REPEAT: dict[str, Any] = {
    "task": "Report the title of example.com",
    "schedule_type": "interval",
    "interval_minutes": 60,
}
