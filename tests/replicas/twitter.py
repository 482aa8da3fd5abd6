"""A stand-in for X: the addresses, test ids, editor, answers and toasts that its web pages are publicly known for."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from tests.replicas.faults import Fault
from tests.replicas.replica import Post, Replica, cut

WAIT = 700
"""The seconds that a rate limit with a number says."""


class Twitter(Replica):
    """X, with two posts of others to like, repost, quote and answer."""

    platform = "twitter"
    entrance = "/home"
    publishing = "/i/api/graphql/"
    login_path = "/i/flow/login"

    def reset(self, *faults: Fault) -> None:
        super().reset(*faults)
        self.others = {"20": Post("20", "jack", "just setting up my twttr"), "2001": Post("2001", "bob", "Hello 😀")}
        self.liked: set[tuple[str, str]] = set()
        self.reposted: set[tuple[str, str]] = set()

    def cookies(self, member: str) -> dict[str, str]:
        return {"auth_token": f"{member}-token", "ct0": "0123456789abcdef"}

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.home),
            Route("/home", self.home),
            Route("/compose/post", self.home),
            Route("/i/status/{number}", self.status),
            Route("/{user}/status/{number}", self.status),
            Route("/i/flow/login", self.login),
            Route("/account/access", self.access),
            Route("/i/api/graphql/{hash}/{operation}", self.graphql, methods=["POST"]),
            Route("/{user}", self.home),
        ]

    def _who(self, request: Request) -> str | None:
        if Fault.LOGGED_OUT in self.faults:
            return None
        return request.cookies.get("auth_token", "").removesuffix("-token") or None

    def _elsewhere(self, request: Request) -> Response | None:
        if self._who(request) is None:
            return RedirectResponse("/i/flow/login?redirect_after_login=%2Fcompose%2Fpost", 302)
        return RedirectResponse("/account/access", 302) if Fault.CHALLENGE in self.faults else None

    async def home(self, request: Request) -> Response:
        answered = self._post(request.query_params.get("in_reply_to", ""))
        return self._shell(request, composing=request.url.path == "/compose/post", answered=answered)

    async def status(self, request: Request) -> Response:
        post = self._post(request.path_params["number"])
        above = self._post(post.more.get("answers", "")) if post else None
        return self._shell(request, posts=[each for each in (above, post) if each], missing=post is None)

    def _shell(self, request: Request, **values: Any) -> Response:
        who = self._who(request)
        posts: list[Post] = values.pop("posts", [])
        answered: Post | None = values.pop("answered", None)
        page: dict[str, Any] = {
            **values,
            "who": who,
            "posts": [self._shown(post, who) for post in posts],
            "answered": self._shown(answered, who) if answered else None,
            **self.shown_faults(),
            "blank": Fault.BLANK in self.faults and bool(posts),
            "unknown": Fault.NO_ANSWER in self.faults,
            "fake": Fault.FAKE_TOAST in self.faults,
        }
        return self._elsewhere(request) or self.page("twitter.html", **page)

    def _shown(self, post: Post, who: str | None) -> dict[str, Any]:
        did = (who or "", post.id)
        quoted = self._post(post.more.get("quotes", ""))
        return {
            "id": post.id,
            "author": post.author,
            "text": post.text,
            "liked": did in self.liked,
            "reposted": did in self.reposted,
            "quotes": quoted and {"author": quoted.author, "text": quoted.text},
        }

    def _post(self, number: str) -> Post | None:
        made = self.post(number)
        if made is not None and Fault.REVIEW in self.faults:
            return None
        return made or self.others.get(number)

    async def access(self, request: Request) -> Response:
        if Fault.CHALLENGE in self.faults or Fault.CHALLENGE_AFTER in self.faults:
            return self.page("twitter_access.html")
        return RedirectResponse("/home", 302)

    async def graphql(self, request: Request) -> Response:
        who = self._who(request)
        if who is None:
            return JSONResponse({"errors": [{"message": "Could not authenticate you", "code": 32}]}, 401)
        variables = (await request.json())["variables"]
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        answer = getattr(self, f"_{request.path_params['operation'].lower()}")(who, variables)
        return await cut(request) if Fault.CUT in self.faults else answer

    def _refusal(self) -> Response | None:
        if Fault.DUPLICATE in self.faults:
            return _errors(187, "Authorization: Status is a duplicate. (187)")
        if Fault.ERRORS in self.faults:
            return _errors(226, "This request looks like it might be automated.")
        if Fault.REJECTED in self.faults:
            return _errors(186, "Authorization: Tweet needs to be a bit shorter. (186)")
        if {Fault.RATE_LIMIT, Fault.RATE_LIMIT_BARE} & self.faults:
            reset = {"x-rate-limit-reset": str(int(time.time()) + WAIT)} if Fault.RATE_LIMIT in self.faults else {}
            return JSONResponse({"errors": [{"message": "Rate limit exceeded", "code": 88}]}, 429, reset)
        return None

    def _createtweet(self, who: str, variables: dict[str, Any]) -> Response:
        text = variables["tweet_text"]
        if any(post.text == text and post.author == who for post in self.published):
            return _errors(187, "Authorization: Status is a duplicate. (187)")
        answers = variables.get("reply", {}).get("in_reply_to_tweet_id", "")
        quotes = variables.get("attachment_url", "").rpartition("/")[2]
        post = self.publish(who, text, answers=answers, quotes=quotes, ai=variables.get("ai_generated", False))
        result = {"rest_id": post.id, "legacy": {"full_text": text, "id_str": post.id}}
        body: dict[str, Any] = {"data": {"create_tweet": {"tweet_results": {"result": result}}}}
        if Fault.PARTIAL in self.faults:
            body["errors"] = [{"message": "Dependency: Unspecified", "code": 131}]
        return JSONResponse(body)

    _newpost = _createtweet

    def _favoritetweet(self, who: str, variables: dict[str, Any]) -> Response:
        if (who, variables["tweet_id"]) in self.liked:
            return _errors(139, "You have already favorited this status.")
        self.liked.add((who, variables["tweet_id"]))
        return JSONResponse({"data": {"favorite_tweet": "Done"}})

    def _createretweet(self, who: str, variables: dict[str, Any]) -> Response:
        if (who, variables["tweet_id"]) in self.reposted:
            return _errors(327, "You have already retweeted this Tweet.")
        self.reposted.add((who, variables["tweet_id"]))
        result = {"rest_id": str(next(self._numbers)), "legacy": {"full_text": "RT"}}
        return JSONResponse({"data": {"create_retweet": {"retweet_results": {"result": result}}}})


def _errors(code: int, message: str) -> Response:
    return JSONResponse({"errors": [{"message": message, "code": code, "name": "AuthorizationError"}], "data": {}})
