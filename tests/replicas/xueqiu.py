"""A stand-in for Xueqiu: its lazy editor, its one-use tokens, its answers and its review."""

from __future__ import annotations

import html
import re
import secrets

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tests.replicas.faults import Fault
from tests.replicas.replica import LOGIN_FORM, Replica

NUMBERS = {"alice": "1000000001", "mallory": "9000000009"}
WAIT = 60
"""The seconds that a rate limit with a number says."""


class Xueqiu(Replica):
    """The home page with its box, and a page for each post."""

    platform = "xueqiu"
    entrance = "/"
    publishing = "/statuses/update.json"
    login_path = "/"
    member = NUMBERS["alice"]
    stranger = NUMBERS["mallory"]

    def reset(self, *faults: Fault) -> None:
        super().reset(*faults)
        self.tokens: set[str] = set()

    def cookies(self, member: str) -> dict[str, str]:
        return {"xq_a_token": "0" * 40, "xq_is_login": "1", "u": member}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.home),
            Route("/provider/session/token.json", self.token),
            Route("/statuses/text_check.json", self.check, methods=["POST"]),
            Route("/statuses/update.json", self.update, methods=["POST"]),
            Route("/{user:int}/{number:int}", self.status),
        ]

    def _who(self, request: Request) -> str | None:
        if Fault.LOGGED_OUT in self.faults or request.cookies.get("xq_is_login") != "1":
            return None
        return request.cookies.get("u")

    async def home(self, request: Request) -> Response:
        who = self._who(request)
        page = self.page(
            "xueqiu.html",
            who=who,
            form=LOGIN_FORM,
            **self.shown_faults(),
        )
        # Strangers get a token and a number of their own too.
        page.set_cookie("xq_a_token", "1" * 40)
        if who is None:
            page.set_cookie("u", "511614781555101")
            page.delete_cookie("xq_is_login")
        return page

    async def token(self, request: Request) -> Response:
        token = secrets.token_hex(16)
        self.tokens.add(token)
        return JSONResponse({"session_token": token if request.query_params.get("api_path") else ""})

    async def check(self, request: Request) -> Response:
        await request.form()
        return JSONResponse({"success": True})

    async def update(self, request: Request) -> Response:
        who, form = self._who(request), await request.form()
        if who is None:
            return _refusal("400016", "遇到错误,请刷新页面或者重新登录帐号后再试")
        if str(form.get("session_token")) not in self.tokens:
            return _refusal("400019", "请求已失效")
        self.tokens.discard(str(form.get("session_token")))
        if refusal := self._refusal():
            return refusal
        text = html.unescape(re.sub(r"<[^>]+>", "", str(form["status"]).replace("</p><p>", "\n")))
        post = self.publish(who, text, ai=form.get("ai_disclose") == "1")
        target = f"/{post.author}/{post.id}"
        made = {"id": int(post.id), "user_id": int(post.author), "text": str(form["status"]), "target": target}
        return await self.answer(request, made)

    def _refusal(self) -> Response | None:
        sentences = {
            Fault.DUPLICATE: ("20019", "请不要重复发布相同内容"),
            Fault.RATE_LIMIT: ("20021", f"发帖太频繁,请{WAIT}秒后再试"),
            Fault.RATE_LIMIT_BARE: ("20021", "操作太频繁,请稍后再试"),
            Fault.REJECTED: ("20031", "内容含有敏感词,未通过"),
            Fault.ERRORS: ("10001", "服务器开小差了"),
        }
        found = self.refusal(sentences)
        return _refusal(found[0], self.said(found[1]) or "", status=200) if found else None

    async def status(self, request: Request) -> Response:
        post = self.post(str(request.path_params["number"]))
        hidden = post is None or Fault.REVIEW in self.faults
        return self.blank() or self.page(
            "xueqiu_post.html", status=404 if hidden else 200, text=None if hidden or post is None else post.text
        )


def _refusal(code: str, sentence: str, status: int = 400) -> Response:
    body = {"error_description": sentence, "error_uri": "/statuses/update.json", "error_data": None, "error_code": code}
    return JSONResponse(body, status)
