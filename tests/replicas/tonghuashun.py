"""A stand-in for Tonghuashun's community: the creators' workplace with its editor in a frame, and a page for each article."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tests.replicas.faults import Fault
from tests.replicas.replica import Replica

WAIT = 3600
"""The seconds that a rate limit with a number says."""
GAP = 0.2
"""Whoever opens two pages within this time is thrown out to the login (the site itself: about a second)."""


class Tonghuashun(Replica):
    """Articles."""

    platform = "tonghuashun"
    entrance = "/newcircle/creation/postAll"
    publishing = "/newcircle/creation/publishPost"
    login_path = "/login"

    def reset(self, *faults: Fault) -> None:
        super().reset(*faults)
        self.last_page = 0.0

    def cookies(self, member: str) -> dict[str, str]:
        return {"v": "A" * 40, "userid": str(len(member)), "u_name": member, "ticket": "t"}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/newcircle/creation/postAll", self.workplace),
            Route("/newcircle/creation/adviserEnterGuide/", self.guide),
            Route("/newcircle/creation/publishPost", self.add, methods=["POST"]),
            Route("/pid_{number}.shtml", self.article),
            Route("/editor_frame", self.frame),
            Route("/login", self.login),
        ]

    def _who(self, request: Request) -> str | None:
        return None if Fault.LOGGED_OUT in self.faults else request.cookies.get("u_name")

    def _refused(self, request: Request) -> Response | None:
        if not request.cookies.get("v"):
            return HTMLResponse("<h1>401</h1>", 401)
        early = time.monotonic() - self.last_page < GAP
        self.last_page = time.monotonic()
        return RedirectResponse("/login", 302) if early else None

    async def workplace(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if self._who(request) is None or Fault.NO_RIGHTS in self.faults:
            away = RedirectResponse("/newcircle/creation/adviserEnterGuide/", 302)
            for name in ("userid", "u_name", "ticket") if Fault.LOGGED_OUT in self.faults else ():
                away.delete_cookie(name)
            return away
        return self.page(
            "tonghuashun.html",
            **self.shown_faults(),
        )

    async def guide(self, _: Request) -> Response:
        return HTMLResponse("<h1>入驻同花顺创作者</h1>")

    async def frame(self, _: Request) -> Response:
        return self.page("tonghuashun_frame.html")

    async def add(self, request: Request) -> Response:
        who, form = self._who(request), await request.form()
        if who is None:
            return JSONResponse({"errorCode": -1, "errorMsg": "请先登录", "result": None}, 401)
        if sentence := self._sentence():
            return JSONResponse({"errorCode": 1001, "errorMsg": sentence, "result": None})
        post = self.publish(who, str(form["content"]), title=str(form["title"]))
        return await self.answer(request, {"errorCode": 0, "errorMsg": "", "result": {"pid": int(post.id)}})

    def _sentence(self) -> str | None:
        sentences = {
            Fault.DUPLICATE: "请勿重复提交相同内容",
            Fault.RATE_LIMIT: f"今日发文次数过多,请{WAIT // 3600}小时后再试",
            Fault.RATE_LIMIT_BARE: "操作过于频繁",
            Fault.REJECTED: "文章内容违规",
            Fault.ERRORS: "系统异常",
        }
        return self.said(self.refusal(sentences))

    async def article(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        post = self.post(request.path_params["number"])
        shown = post is not None and Fault.REVIEW not in self.faults
        text, title = (post.text, post.more["title"]) if post and shown else (None, None)
        return self.blank() or self.page("tonghuashun_post.html", status=200 if shown else 404, text=text, title=title)
