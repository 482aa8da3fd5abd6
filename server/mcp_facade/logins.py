"""A call whose account is not signed in: the person signs it in at a page of its own, and the call goes on.

Where the client can put a URL to its user, that page asks for the code which comes beside it, and the model sees neither. Where it
cannot, the answer's words carry a link that is good once and opens a browser at the site's login, nothing else.
"""

from __future__ import annotations

import asyncio

import mcp_types as types

from server.mcp_facade.people import People, Question
from server.mcp_facade.results import refused
from server.mcp_facade.visit import Context, Visit
from server.sign_in.attempt import SignIn
from server.sign_in.service import SignInService
from tools.errors import AuthenticationFailed, Failure, Internal

_PREFIX = "signin_"
_AGAIN = "Make the same call again when the user has signed in."
_LOOK_S = 5.0
Refusal = types.CallToolResult | types.InputRequiredResult
"""The call ends here, with this answer."""


class Logins:
    """Asks people to sign accounts in. `service`: None where this server has no sign-in pages."""

    def __init__(self, service: SignInService | None, people: People) -> None:
        self._service = service
        self._people = people

    async def ask(
        self, ctx: Context, visit: Visit, failure: AuthenticationFailed, seconds: float, *, modern: bool
    ) -> Refusal | None:
        """Has the failure's account signed in, for at most `seconds`. None: it is, the call may be made again. Raises the failure."""
        account_id = failure.details.get("accountId")
        if self._service is None or not isinstance(account_id, str):
            raise failure
        attempt = await self._attempt(self._service, visit, account_id)
        question = self._question(attempt)
        in_words = refused(failure, f"Ask the user to open {self._service.link(attempt)} and sign in there. {_AGAIN}")
        if not self._people.can_ask(ctx, question):
            return in_words
        if modern:
            requests: types.InputRequests = {question.key: question.request(legacy=False)}
            return types.InputRequiredResult(input_requests=requests, request_state=attempt.id)
        answer = await self._people.ask(ctx, question, seconds)
        if answer is None:
            return in_words
        outcome = await self._outcome(attempt, answer, failure, seconds)
        if attempt.over:
            await ctx.session.send_elicit_complete(question.key, ctx.request_id)
        return outcome

    async def answered(self, visit: Visit, params: types.CallToolRequestParams, seconds: float) -> Refusal | None:
        """What became of the sign-in that an earlier round of this call asked for. None: it is done, or no sign-in was asked for."""
        state = params.request_state or ""
        attempt = self._service.find(state) if self._service is not None and self.asked(params) else None
        if attempt is None or self._service is None:
            return None  # an expired link: the call itself says what the account lacks
        await self._service.allow(visit.caller, attempt)
        answer = (params.input_responses or {}).get(attempt.id)
        failure = AuthenticationFailed(f"Account '{attempt.account_name}' is not signed in yet.")
        return await self._outcome(
            attempt, answer if isinstance(answer, types.ElicitResult) else None, failure, seconds
        )

    @staticmethod
    def asked(params: types.CallToolRequestParams) -> bool:
        """Whether this round of the call follows a question for a sign-in."""
        return (params.request_state or "").startswith(_PREFIX)

    async def _outcome(
        self, attempt: SignIn, answer: types.ElicitResult | None, failure: Failure, seconds: float
    ) -> Refusal | None:
        if answer is None:
            return refused(failure, f"The user has not answered yet. {_AGAIN}")
        if answer.action != "accept":
            return refused(failure, f"The user did not want to sign in now. {_AGAIN}")
        try:
            async with asyncio.timeout(seconds):
                with attempt.changes.follow(attempt.id) as follower:
                    while not attempt.over:
                        await follower.changed(_LOOK_S)
        except TimeoutError:
            return refused(failure, f"The user is signing in. {_AGAIN}")
        if attempt.state == "connected":
            return None
        return refused(failure, f"The sign-in page told the user: {attempt.message} {_AGAIN}")

    async def _attempt(self, service: SignInService, visit: Visit, account_id: str) -> SignIn:
        """The attempt that is under way, or a new one."""
        known = service.of(account_id)
        if known is not None and not known.over:
            return known
        await service.begin(visit.caller, account_id)
        begun = service.of(account_id)
        if begun is None:
            raise Internal
        return begun

    def _question(self, attempt: SignIn) -> Question:
        told = f"Account '{attempt.account_name}' must be signed in to {attempt.site.name}."
        return self._people.coded(attempt.id, told, attempt.id, attempt.id)
