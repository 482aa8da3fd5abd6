"""The practice site's JSON: the answers behind its buttons, and the public read-back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.practice.faults import Faults
from server.practice.state import MAX_TEXT, DemoSite, Post
from server.practice.visit import Visit, visit


class Draft(BaseModel):
    """What the editor sends. The draft's id keeps a request that the browser itself repeats from posting twice."""

    model_config = ConfigDict(extra="forbid")

    text: str
    draft: str = ""


class Refused(Exception):
    """An act is refused: the answer's status, its `error` and its message."""

    def __init__(self, status: int, error: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.retry_after = retry_after

    def answer(self) -> Response:
        """The answer that says so: {"error", "message"} and, where it is known, "retryAfter" (seconds)."""
        body: dict[str, Any] = {"error": self.error, "message": str(self)}
        headers: dict[str, str] = {}
        if self.retry_after is not None:
            body["retryAfter"] = self.retry_after
            headers["Retry-After"] = str(self.retry_after)
        return JSONResponse(body, self.status, headers)


def shown(request: Request, post: Post) -> dict[str, Any]:
    """A post as JSON."""
    return {
        "id": post.id,
        "url": f"{request.base_url}posts/{post.id}",
        "author": post.author,
        "text": post.text,
        "createdAt": post.at.isoformat(),
        "likes": sorted(post.likes),
    }


def admit(who: Visit, faults: Faults) -> str:
    """The name of the member who may act now. Raises Refused."""
    if who.session is None or who.user is None:
        raise Refused(401, "logged_out", "You are not logged in.")
    if faults.logged_out:
        who.site.log_out(who.token or "")
        raise Refused(401, "logged_out", "Your session has ended: log in again.")
    if faults.challenge and not who.session.solved:
        raise Refused(403, "challenge", "Please show that you are a person.")
    if faults.locked:
        raise Refused(403, "locked", "Your account is locked for now.")
    if faults.rate_limited:
        wait = faults.rate_limited
        raise Refused(429, "rate_limited", f"You are doing that too often: wait {wait} seconds.", wait)
    return who.user.name


async def cut(request: Request) -> Response:
    """Drops the connection without an answer."""
    sever: Callable[[], None] | None = request.scope.get("extensions", {}).get("practice.cut")
    if sever is None:
        return Refused(502, "cut", "The connection would be cut here.").answer()
    sever()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


async def act(request: Request, take_effect: Callable[[Visit, Faults, str], Response]) -> Response:
    """Carries out an act with whatever misbehaves now."""
    await request.body()
    who = visit(request)
    faults = who.faults.take()
    await asyncio.sleep(faults.slow)
    try:
        name = admit(who, faults)
        if faults.cut == "before":
            return await cut(request)
        answer = JSONResponse({"ok": True}) if faults.silent else take_effect(who, faults, name)
    except Refused as refused:
        return refused.answer()
    await asyncio.sleep(faults.slow_answer)
    return await cut(request) if faults.cut == "after" else answer


async def create(request: Request) -> Response:
    """POST /api/posts {"text"}: 201 and the post."""
    try:
        draft = Draft.model_validate_json(await request.body())
    except ValidationError:
        return Refused(400, "bad_request", 'Send {"text": "..."}.').answer()

    def take_effect(who: Visit, faults: Faults, name: str) -> Response:
        text = draft.text.strip()
        if not 1 <= len(text) <= MAX_TEXT:
            raise Refused(422, "rejected", f"A post has 1 to {MAX_TEXT} characters.")
        post = who.site.drafted(name, draft.draft)
        if (
            post is None
            and faults.duplicates_refused
            and any((p.author, p.text) == (name, text) for p in who.site.published)
        ):
            raise Refused(409, "duplicate", "You have posted that already.")
        post = post or who.site.publish(name, text, hidden=faults.hidden, draft=draft.draft)
        return JSONResponse(shown(request, post), 201)

    return await act(request, take_effect)


def find(site: DemoSite, request: Request) -> Post:
    """The post that the path names. Raises Refused."""
    post = site.visible(request.path_params["id"])
    if post is None:
        raise Refused(404, "not_found", "There is no such post.")
    return post


async def like(request: Request) -> Response:
    """PUT and DELETE /api/posts/{id}/like."""

    def take_effect(who: Visit, _: Faults, name: str) -> Response:
        post = find(who.site, request)
        who.site.like(name, post, liked=request.method == "PUT")
        return JSONResponse(shown(request, post) | {"liked": request.method == "PUT"})

    return await act(request, take_effect)


async def delete(request: Request) -> Response:
    """DELETE /api/posts/{id}, by its author."""

    def take_effect(who: Visit, _: Faults, name: str) -> Response:
        post = find(who.site, request)
        if post.author != name:
            raise Refused(403, "not_yours", "Only its author can delete a post.")
        who.site.delete(name, post)
        return JSONResponse({"id": post.id, "deleted": True})

    return await act(request, take_effect)


async def one(request: Request) -> Response:
    """GET /api/posts/{id}: for everybody."""
    post = visit(request).site.visible(request.path_params["id"])
    return JSONResponse(shown(request, post)) if post else Refused(404, "not_found", "There is no such post.").answer()


async def listed(request: Request) -> Response:
    """GET /api/posts?author=&text=: the visible posts, newest first, for everybody."""
    query = request.query_params
    posts = visit(request).site.feed(author=query.get("author"), text=query.get("text"))
    return JSONResponse({"posts": [shown(request, post) for post in posts], "total": len(posts)})


async def published(request: Request) -> Response:
    """GET /api/published: how often each text was really published, whatever the answers said."""
    return JSONResponse({"counts": dict(visit(request).site.counts)})


routes = [
    Route("/api/posts", listed),
    Route("/api/posts", create, methods=["POST"]),
    Route("/api/posts/{id}", one),
    Route("/api/posts/{id}", delete, methods=["DELETE"]),
    Route("/api/posts/{id}/like", like, methods=["PUT", "DELETE"]),
    Route("/api/published", published),
]
