"""Each move takes effect on real pages and checks that it did, or fails with the code that fits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.player.stand import Stand
from tools.errors import (
    ContentRejected,
    InvalidParameters,
    PageChanged,
    WrongPage,
)
from tools.playbook import (
    Choose,
    Click,
    Expect,
    Fill,
    Goto,
    Move,
    Press,
    Read,
    Reading,
    Upload,
    Wait,
)

pytestmark = pytest.mark.anyio


# -- filling


@pytest.mark.parametrize("selector", ["#one", "#two"])
async def test_a_field_takes_the_text_in_place_of_what_it_held(stand: Stand, selector: str) -> None:
    await stand.play(Goto("/form"), Fill(selector, "new “text” 雪球 🚣"))
    assert await stand.page.locator(selector).input_value() == "new “text” 雪球 🚣"


async def test_a_field_that_cannot_be_filled_is_a_changed_page(stand: Stand) -> None:
    with pytest.raises(PageChanged, match="did not take the fill on #fixed") as caught:
        await stand.play(Goto("/form"), replace(Fill("#fixed", "my secret words"), selector="#fixed"))
    assert "my secret words" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["one line", "two\nlines", "a 雪球 🚣\n\nb", " "])
@pytest.mark.parametrize("path", ["/draft", "/plain"])
async def test_an_editor_takes_the_text_by_real_input(stand: Stand, path: str, text: str) -> None:
    await stand.play(Goto(path), Fill("#box", "something before"), Fill("#box", text))
    shown = (await stand.page.locator("#box").inner_text()).replace("\u00a0", " ")
    assert shown.split() == text.split()
    if path == "/draft":
        ready = await stand.page.locator("#send").get_attribute("aria-disabled")
        assert ready == "false"


async def test_an_editor_in_a_frame_takes_the_text(stand: Stand) -> None:
    await stand.play(Goto("/framed"), Fill("body", "Inside\nthe frame", frame="#editor"))
    text = await stand.page.frame_locator("#editor").locator("body").inner_text()
    assert text.split() == ["Inside", "the", "frame"]


# -- finding


async def test_what_is_hidden_is_passed_over_and_the_first_candidate_wins(stand: Stand) -> None:
    player = await stand.play(Goto("/twice"), Click((".nothing", "#dialog .it", ".it")))
    assert await stand.page.title() == "second"
    found = await player.at.find((".it", "#dialog"))
    assert await found.inner_text() == "shown"
    await stand.play(Click(".it", within="#dialog"))


async def test_what_comes_late_is_waited_for_and_what_goes_too(stand: Stand) -> None:
    await stand.play(Goto("/late"), Wait(("#never", "#late"), seconds=5), Wait("#soon-gone", gone=True, seconds=5))


async def test_what_does_not_come_is_named(stand: Stand) -> None:
    with pytest.raises(PageChanged, match=r"/late has no #never or \.ever$") as caught:
        await stand.play(Goto("/late?token=s3cret"), Wait(("#never", ".ever"), seconds=0.3))
    assert caught.value.details["selectors"] == ["#never", ".ever"]
    assert "s3cret" not in repr(caught.value.as_error())
    with pytest.raises(PageChanged, match="#me stayed"):
        await stand.play(Goto("/me"), Wait("#me", gone=True, seconds=0.3))


async def test_a_site_that_led_elsewhere_is_named(stand: Stand) -> None:
    with pytest.raises(WrongPage, match=r"led to \S+/login instead of \S+/to-login"):
        await stand.play(Goto("/to-login"), Wait("#composer", seconds=0.3))


async def test_readings_stand_in_texts_urls_and_selectors(stand: Stand) -> None:
    player = await stand.play(
        Goto("/twice"),
        Read("id", ".value", attribute="data-id"),
        Read("number", ".value", pattern=r"Number (\d+)"),
        Read("meta", "meta[name=secret]", attribute="content"),
        Read("long", "#long"),
        Read("none", ".absent", optional=True, seconds=0.2),
        Read("unfit", ".value", pattern="never", optional=True, seconds=0.2),
        Wait("[data-id='{id}']"),
        Goto("/form?{id}"),
        Fill("#one", Reading("number", before="<", after=">")),
        Read("filled", "#one", attribute="value"),
    )
    assert player.at.readings == {
        "id": "77",
        "number": "4711",
        "meta": "meta",
        "long": "a b\u00a0c\nd",
        "filled": "<4711>",
    }
    assert stand.page.url.endswith("/form?77")


@pytest.mark.parametrize("move", [Goto("/{unknown}"), Goto(Reading("unknown")), Fill("#one", Reading("unknown"))])
async def test_a_text_that_was_never_read_is_a_changed_page(stand: Stand, move: Move) -> None:
    with pytest.raises(PageChanged, match="needs 'unknown'"):
        await stand.play(Goto("/form"), move)


async def test_a_reading_cannot_change_what_a_selector_means(stand: Stand) -> None:
    player = await stand.play(Goto("/twice"))
    player.at.readings["id"] = "'],body,[x='"
    with pytest.raises(PageChanged):
        await player.play(Wait("[data-id='{id}']"))


# -- acting


async def test_keys_options_and_files(stand: Stand, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"png")
    player = stand.player(files=[picture])
    for move in (Goto("/form"), Press("Enter", "#enter"), Choose("#kind", "Pear"), Upload("#files", ("picture.png",))):
        await player.play(move)
    assert await stand.page.title() == "entered"
    assert await stand.page.locator("#kind").input_value() == "b"
    assert await stand.page.locator("#files").evaluate("one => [...one.files].map((file) => file.name)") == [
        "picture.png"
    ]
    with pytest.raises(InvalidParameters, match=r"no file called '/etc/passwd'"):
        await player.play(Upload("#files", ("/etc/passwd",)))
    with pytest.raises(PageChanged, match="did not take the choose"):
        await stand.play(Choose("#kind", "Plum"))


async def test_a_publishing_click_is_settled_before_it_goes_out(stand: Stand) -> None:
    await stand.play(Goto("/form"), Click("#go", publishes=True))
    assert stand.published == ["t"]
    assert await stand.page.title() == "gone"
    with pytest.raises(PageChanged):
        await stand.play(Click("#gone", publishes=True))
    await stand.play(Goto("/draft"))
    with pytest.raises(PageChanged):
        await stand.play(Click("#send", publishes=True))  # aria-disabled
    await stand.play(Goto("/form"), Press("Enter", "#enter", publishes=True))
    assert stand.published == ["t", "t"]


AT_THE_LAST_MOMENT = {
    "one.value = ''": "did not keep the text",
    "one.remove()": "did not keep the text",
    "go.remove()": "has no #go",
    "go.after(go.cloneNode(true))": "2 elements",
    "go.disabled = true": "nobody can click #go",
    "document.body.insertAdjacentHTML('beforeend', '<p style=position:fixed;inset:0>?</p>')": "nobody can click #go",
}


@pytest.mark.parametrize("mischief", AT_THE_LAST_MOMENT)
async def test_what_changes_after_the_act_was_armed_ends_it_before_the_click(mischief: str, stand: Stand) -> None:
    stand.mischief = mischief
    player = await stand.play(Goto("/form"), Fill("#one", "new"))
    with pytest.raises(PageChanged, match=AT_THE_LAST_MOMENT[mischief]):
        await player.play(Click("#go", publishes=True))
    assert stand.published == ["t"]
    assert not player.at.watch.acted
    assert await stand.page.title() == "t"


async def test_a_text_that_the_page_has_lost_is_filled_in_again_before_it_is_sent(stand: Stand) -> None:
    player = await stand.play(Goto("/form"), Fill("#one", "new"))
    await stand.page.evaluate("one.outerHTML = '<input id=one>'")
    await player.play(Click("#go", publishes=True))
    assert await stand.page.input_value("#one") == "new"
    assert await stand.page.title() == "gone"


async def test_a_field_that_a_click_led_away_from_need_not_be_there_any_more(stand: Stand) -> None:
    player = await stand.play(Goto("/form"), Fill("#one", "new"), Click("h1"))
    await stand.page.evaluate("one.remove()")
    await player.play(Click("#go", publishes=True))
    assert await stand.page.title() == "gone"


async def test_of_several_places_to_look_in_the_first_candidate_wins(stand: Stand) -> None:
    await stand.play(Goto("/scopes"), Fill(".field", "here", within=("#own", "form")))
    assert await stand.page.input_value("#own .field") == "here"


# -- expecting


async def test_what_must_be_true_is_checked_with_white_space_folded(stand: Stand) -> None:
    await stand.play(
        Goto("/twice"),
        Expect("#long", text="a b c d", seconds=0),
        Expect(text="Number 4711", seconds=0),
        Expect(url=r"^https://local\.example/twice$", seconds=0),
        Expect("#long", url="twice"),
    )
    with pytest.raises(ContentRejected, match="Not what was typed"):
        await stand.play(
            Expect("#long", text="other", seconds=0, failure="CONTENT_REJECTED", message="Not what was typed")
        )
    with pytest.raises(PageChanged, match="does not show the expected page"):
        await stand.play(Expect(url="elsewhere", seconds=0.2))
    with pytest.raises(PageChanged, match="does not show #never"):
        await stand.play(Expect("#never", seconds=0))
