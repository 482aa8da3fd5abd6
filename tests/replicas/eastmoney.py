"""A stand-in for the boards of Eastmoney: the old published form, its answers, and a page for each post."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tests.replicas.faults import Fault
from tests.replicas.replica import Replica

WAIT = 120
"""The seconds that a rate limit with a number says."""


class Eastmoney(Replica):
    """Boards of stocks."""

    platform = "eastmoney"
    entrance = "/list,000001.html"
    publishing = "/interface/GetData.aspx"
    login_path = "/pub/login"

    def cookies(self, member: str) -> dict[str, str]:
        return {"ct": "0" * 32, "ut": f"{member}-ticket"}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.board),
            Route("/list,{code}.html", self.board),
            Route("/news,{code},{number}.html", self.news),
            Route("/pub/login", self.login),
            Route("/interface/GetData.aspx", self.add, methods=["POST"]),
        ]

    def _who(self, request: Request) -> str | None:
        if Fault.LOGGED_OUT in self.faults:
            return None
        return request.cookies.get("ut", "").removesuffix("-ticket") or None

    async def board(self, request: Request) -> Response:
        who, code = self._who(request), request.path_params.get("code", "000001")
        return self.page(
            "eastmoney.html",
            who=who,
            code=code,
            posts=[post.id for post in self.published if post.more["board"] == code],
            **self.shown_faults(),
        )

    async def add(self, request: Request) -> Response:
        who, form = self._who(request), await request.form()
        if who is None:
            return RedirectResponse("/pub/login", 302)
        if sentence := self._sentence():
            return JSONResponse({"rc": 0, "me": sentence, "time": "2026-11-21 10:00:00"})
        post = self.publish(who, str(form["text"]), board=str(form["code"]), ai=form.get("ai") == "on")
        return await self.answer(request, {"rc": 1, "me": "发帖成功", "main_post_id": int(post.id)})

    def _sentence(self) -> str | None:
        sentences = {
            Fault.DUPLICATE: "请勿重复发帖",
            Fault.RATE_LIMIT: f"您发帖过于频繁,请{WAIT // 60}分钟后再发",
            Fault.RATE_LIMIT_BARE: "发帖次数过多",
            Fault.REJECTED: "您发表的内容包含违规信息",
            Fault.ERRORS: "系统繁忙",
        }
        return self.said(self.refusal(sentences))

    async def news(self, request: Request) -> Response:
        post = self.post(request.path_params["number"])
        shown = post is not None and Fault.REVIEW not in self.faults
        return self.blank() or self.page(
            "eastmoney_news.html", status=200 if shown else 404, text=post.text if post and shown else None
        )
