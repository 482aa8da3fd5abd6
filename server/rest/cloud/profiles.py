"""Browser profiles (3.10)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.door import sent
from server.rest.cloud.parsing import body_of, named, query_of
from server.rest.cloud.run import COUNTRIES, country
from server.rest.cloud.wire import Page, PageQuery, View, paged
from server.rest.endpoint import caller_of
from server.rest.message import Message
from server.state import reach
from storage.tables import Profile

_COLUMNS = {
    "profile_name": "name",
    "description": "description",
    "persist": "persist",
    "ad_blocker": "ad_blocker",
    "proxy": "proxy",
    "proxy_country_code": "proxy_country_code",
    "browser_viewport_width": "viewport_width",
    "browser_viewport_height": "viewport_height",
}
"""The row's column of each member."""


def upper_country(code: Any) -> str | None:
    """A country's code in upper case, as profiles show it. Raises ValueError."""
    known = country(code)
    return known.upper() if known is not None else None


Country = Annotated[
    str | None, BeforeValidator(upper_country), WithJsonSchema({"enum": [*(code.upper() for code in COUNTRIES), None]})
]
Side = Annotated[int | None, Field(ge=200, le=4096)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class ChangeProfile(Message):
    """PUT /browser-profiles/{profile_id}: what is null or not there stays as it is."""

    model_config = ConfigDict(extra="ignore")

    profile_name: Name | None = None
    description: Annotated[str | None, Field(max_length=2000)] = None
    persist: bool | None = Field(None, description="Whether a task's login is kept for the next one.")
    ad_blocker: bool | None = Field(None, description="`use_adblock` of tasks that do not say it.")
    proxy: bool | None = Field(None, description="`use_proxy` of tasks that do not say it.")
    proxy_country_code: Country = None
    browser_viewport_width: Side = None
    browser_viewport_height: Side = None

    def columns(self) -> dict[str, Any]:
        """What was given, by column."""
        sent = self.model_dump(exclude_none=True)
        return {_COLUMNS[name]: value for name, value in sent.items()}


class CreateProfile(ChangeProfile):
    """POST /browser-profiles."""

    profile_name: Name = Field(examples=["Work"])  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # what a change may leave out, a creation may not


class ProfileView(View):
    """One profile. Its login is shown nowhere."""

    profile_id: str
    profile_name: str
    description: str
    persist: bool
    ad_blocker: bool
    proxy: bool
    proxy_country_code: str
    browser_viewport_width: int
    browser_viewport_height: int


class ProfilePage(Page):
    """GET /browser-profiles."""

    profiles: list[ProfileView]


async def create_profile(request: Request) -> Response:
    """POST /browser-profiles."""
    columns = (await body_of(request, CreateProfile)).columns()
    name = columns.pop("name")
    profile = await reach(request)["browser_profiles"].create(
        caller_of(request), name, columns, request.headers.get("idempotency-key"), sent(request)
    )
    return JSONResponse(profile_view(profile).model_dump())


async def list_profiles(request: Request) -> Response:
    """GET /browser-profiles."""
    query, profiles = query_of(request, PageQuery), reach(request)["browser_profiles"]
    rows, total = await profiles.list(caller_of(request), limit=query.limit, offset=query.offset)
    page = ProfilePage(profiles=[profile_view(row) for row in rows], **paged(query, total))
    return JSONResponse(page.model_dump())


async def get_profile(request: Request) -> Response:
    """GET /browser-profiles/{profile_id}."""
    profile = await reach(request)["browser_profiles"].get(caller_of(request), named(request, "profile_id"))
    return JSONResponse(profile_view(profile).model_dump())


async def change_profile(request: Request) -> Response:
    """PUT /browser-profiles/{profile_id}."""
    columns = (await body_of(request, ChangeProfile)).columns()
    profile = await reach(request)["browser_profiles"].change(caller_of(request), named(request, "profile_id"), columns)
    return JSONResponse(profile_view(profile).model_dump())


async def delete_profile(request: Request) -> Response:
    """DELETE /browser-profiles/{profile_id}: with its login, for good."""
    await reach(request)["browser_profiles"].delete(caller_of(request), named(request, "profile_id"))
    return JSONResponse({})


async def delete_default(request: Request) -> Response:
    """POST /delete-browser-profile-for-user: the default profile, with what tasks with save_browser_data left in it."""
    await reach(request)["browser_profiles"].forget(caller_of(request))
    return JSONResponse({})


def profile_view(profile: Profile) -> ProfileView:
    """One profile."""
    return ProfileView(
        profile_id=profile.id,
        **{member: getattr(profile, column) for member, column in _COLUMNS.items()},
    )
