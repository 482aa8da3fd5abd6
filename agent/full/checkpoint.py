"""Where a runner waits until it may go on: signs, budget and persons are seen to there, and the publishing act is recorded."""

from __future__ import annotations

from collections.abc import Callable

from agent.engine import Desk, Reason
from agent.full.brief import Brief
from agent.full.ear import Ear
from agent.full.spending import Spending
from agent.full.standing import Standing
from agent.full.watch import Watch
from agent.full.wire import Question
from agent.redaction import Redactor
from tools.errors import AuthenticationFailed, BudgetExceeded, ChallengeRequired, Failure

CHALLENGES = 3
"""How often in a row a person is asked to answer the same check."""


class Checkpoint:
    """One task's. `stop` ends the run with a failure that comes up elsewhere than here.

    `armed`: whether it is recorded that something may be published now. `tab`: the one that the agent was last in.
    """

    def __init__(
        self,
        brief: Brief,
        desk: Desk,
        watch: Watch,
        spending: Spending,
        redactor: Redactor,
        stop: Callable[[Failure], None],
    ) -> None:
        assignment = brief.assignment
        login = assignment.login if assignment.tool.account else None
        self.desk = desk
        self.watch = watch
        self.spending = spending
        self.redactor = redactor
        self.stop = stop
        self.dry_run = assignment.options.dry_run
        self.standing = Standing(brief.site, brief.origins, watch, login) if brief.site else None
        self.ear = Ear(brief.publishing, brief.origins, self.may_leave)
        self.armed = False
        self.tab = ""

    async def hold(self, question: Question) -> None:
        """Returns when the runner may go on."""
        self.tab = question.tab or self.tab
        await self.check_refusal()
        match question.about:
            case "gate":
                await self.look_around()
                await self.check_budget()
                async with self.watch.dialogs_left():
                    await self.desk.gate()
            case "arm":
                await self.look_around()
                await self.arm()
            case "person":
                await self.ask(question.reason or "challenge", self.redactor.text(question.message))

    async def ask(self, reason: Reason, message: str) -> None:
        """Waits for a person, whose the page's dialogs are meanwhile. Raises ChallengeRequired when nobody comes."""
        async with self.watch.dialogs_left():
            await self.desk.ask(reason, message)

    async def arm(self) -> None:
        """Has it recorded that something may be published now. Raises Interrupted when the task is not ours any more.

        In a dry run nothing may be: from here on nothing leaves the browser that could change anything.
        """
        if self.dry_run:
            self.ear.shut = True
            return
        await self.desk.arm()
        self.armed = True

    async def may_leave(self) -> bool:
        """Whether a request that publishes may go out; what nobody armed for is recorded first."""
        if self.dry_run:
            return False
        try:
            if self.standing is not None:
                await self.standing.make_sure_who(self.tab)
            await self.arm()
        except Failure as failure:
            self.armed = False  # it does not leave
            self.stop(failure)
            return False
        return True

    @property
    def gone_out(self) -> bool:
        """Whether the publishing act may have gone out: as the ear heard it, or, where it knows no such request, armed clicks."""
        return self.ear.taken or bool(self.ear.sending) if self.ear.publishing else self.armed

    async def check_refusal(self) -> None:
        """Raises what the site refused the publishing act with, unless a person or the agent itself can see to it."""
        refused = await self.ear.refusal()
        if refused is None:
            return
        self.armed = False  # the site said no, so nothing went out
        if isinstance(refused, ChallengeRequired):
            await self.ask("challenge", self.redactor.text(refused.message))
        elif not isinstance(refused, AuthenticationFailed) or self.standing is None or not self.standing.can_log_in:
            raise refused

    async def look_around(self) -> None:
        """Has a person answer a platform's check, or sign in. Raises what else its signs mean, and what stays in the way."""
        if self.standing is None:
            return
        asked = 0
        while wanted := await self.standing.wants(self.tab, acted=self.gone_out):
            if wanted == "sign_in":
                await self.let_a_person_sign_in(self.standing, again=asked == CHALLENGES)
            elif asked == CHALLENGES:
                raise ChallengeRequired(f"{self.standing.site.name} asked for a person {asked} times in a row")
            else:
                await self.ask("challenge", f"{self.standing.site.name} asks for a person: please answer its check.")
            asked += 1

    async def let_a_person_sign_in(self, standing: Standing, *, again: bool) -> None:
        """Waits for a person where the stored login does not hold any more. Raises AuthenticationFailed."""
        seen = f"{standing.site.name} shows that {standing.account} is not logged in"
        if again:
            raise AuthenticationFailed(f"{seen}: reconnect it")
        try:
            await self.ask("sign_in", f"{seen}. Sign in in the live view, then continue.")
        except ChallengeRequired:
            raise AuthenticationFailed(f"{seen}: reconnect it") from None

    async def check_budget(self) -> None:
        """Waits for a person's leave when the budget is used up. Raises BudgetExceeded when nobody gives it."""
        excess = self.spending.excess
        if not excess:
            return
        try:
            await self.ask("budget", f"{excess} Continue to give it as much again.")
        except ChallengeRequired as nobody:
            raise BudgetExceeded(f"{excess} Raise the budget, or make the task smaller.") from nobody
        self.spending.grant()
