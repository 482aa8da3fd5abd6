"""GET /api/platforms/schema: every platform's actions as an OpenAPI document, made from the catalogue (contract 1.9)."""

from __future__ import annotations

from typing import Any

from server.rest.openapi import Schema, Untitled
from tools.catalog import Catalog
from tools.tool import AnyTool

_REFERENCE = "#/components/schemas/{model}"


def platforms_document(catalog: Catalog, version: str, url: str) -> Schema:
    """One path, POST /api/tasks, whose body is one of all actions; each action's parameters and result stand by name."""
    schemas: Schema = {}
    for tool in catalog.tools.values():
        schemas |= _schemas(tool)
    tools = list(catalog.tools.values())
    examples = {tool.mcp_name: {"summary": tool.summary, "value": request_example(tool)} for tool in tools}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Platforms and actions",
            "version": version,
            "description": "What tasks can be created: one schema for each action's request, parameters and result.",
        },
        "servers": [{"url": url}],
        "tags": [{"name": site.id, "description": site.name} for site in catalog.sites.values()],
        "paths": {
            "/api/tasks": {
                "post": {
                    "operationId": "create_task",
                    "summary": "Create a task",
                    "tags": list(catalog.sites),
                    "security": [{"bearer": []}],
                    "requestBody": {
                        "required": True,
                        "content": {
                            "application/json": {
                                "schema": {"oneOf": [_ref(f"{tool.mcp_name}_request") for tool in tools]},
                                "examples": examples,
                            }
                        },
                    },
                    "responses": {"200": _created(tools)},
                }
            }
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "schemas": schemas,
        },
    }


def request_example(tool: AnyTool) -> dict[str, Any]:
    """The request that creates a task of the tool's own example."""
    account = {"accountName": f"my-{tool.platform}"} if tool.account else {}
    parameters = tool.example.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return {"platform": tool.platform, "tool": tool.action, **account, "parameters": parameters}


def _schemas(tool: AnyTool) -> Schema:
    parameters = tool.parameters.model_json_schema(
        by_alias=True, ref_template=_REFERENCE, schema_generator=Untitled, mode="validation"
    )
    result = tool.result.model_json_schema(
        by_alias=True, ref_template=_REFERENCE, schema_generator=Untitled, mode="serialization"
    )
    shared = parameters.pop("$defs", {}) | result.pop("$defs", {})
    engines = ["lite", "full"] if tool.playbook is not None else ["full"]
    # Where the hosted service has it (contract 1.3); the tool itself never sees it.
    parameters["properties"] = parameters.get("properties", {}) | {"preferredEngine": {"enum": engines}}
    name = tool.mcp_name
    request = {
        "type": "object",
        "description": tool.summary,
        "required": ["platform", "tool", *(["accountName"] if tool.account else []), "parameters"],
        "properties": {
            "platform": {"const": tool.platform},
            "tool": {"const": tool.action},
            "accountName": {"type": "string", "minLength": 1},
            "parameters": _ref(f"{name}_parameters"),
            "timeout": {"type": "integer", "minimum": 1000, "description": "Milliseconds."},
        },
    }
    return {**shared, f"{name}_request": request, f"{name}_parameters": parameters, f"{name}_result": result}


def _created(tools: list[AnyTool]) -> Schema:
    task = {
        "type": "object",
        "required": ["taskId", "state"],
        "properties": {
            "taskId": {"type": "string"},
            "state": {"type": "string"},
            "result": {"anyOf": [_ref(f"{tool.mcp_name}_result") for tool in tools]},
        },
    }
    data = {"type": "object", "properties": {"success": {"const": True}, "data": task}}
    return {
        "description": "The task; `result` once it is completed",
        "content": {"application/json": {"schema": data}},
    }


def _ref(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(model=name)}
