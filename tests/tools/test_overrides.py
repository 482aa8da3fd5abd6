"""A user's own selectors in the place of the built-in ones."""

from __future__ import annotations

import pytest

from tools.catalog import catalog
from tools.inspection import name_of, uses
from tools.overrides import Swap, applied, parse
from tools.playbook import Click, Fill, Stage
from tools.twitter import page
from tools.twitter.create_tweet import CreateTweet
from tools.twitter.like_tweet import LikeTweet

EXAMPLE = {
    "twitter": {
        "box": ["[data-testid=composer]", "[role=textbox]"],
        "[data-testid=tweetButton]": "[data-testid=postButton]",
        "like": ['article:has(a[href$="/status/{id}"]) button.heart'],
        "[data-testid=SideNav_AccountSwitcher_Button]": "#me",
    }
}


def moves(stages: tuple[Stage, ...]) -> list[object]:
    return [move for stage in stages for move in stage.moves]


def test_swaps_by_name_and_by_the_selector_itself_reach_playbook_proof_and_signs() -> None:
    changed = applied(catalog(), parse(EXAMPLE, catalog()))
    create, like = changed.tools["twitter.createTweet"], changed.tools["twitter.likeTweet"]
    assert create.playbook
    assert like.playbook
    written = moves(create.playbook(CreateTweet(text="Hi")))
    fills = [move.selector for move in written if isinstance(move, Fill)]
    clicks = [move.selector for move in written if isinstance(move, Click)]
    assert fills == [("[data-testid=composer]", "[role=textbox]")]
    assert clicks == [("[data-testid=postButton]", "[data-testid=tweetButtonInline]")]
    liking = moves(like.playbook(LikeTweet(tweet_url="https://x.com/jack/status/20")))
    assert [move.selector for move in liking if isinstance(move, Click)] == [
        ('article:has(a[href$="/status/20"]) button.heart',)
    ]
    assert changed.sites["twitter"].logged_in.selectors == ("#me",)
    assert changed.sites["twitter"].selectors["box"] == ("[data-testid=composer]", "[role=textbox]")


def test_swaps_leave_everything_else_as_it_was() -> None:
    changed = applied(catalog(), parse(EXAMPLE, catalog()))
    assert changed.tools["xueqiu.post"] is catalog().tools["xueqiu.post"]
    assert changed.sites["twitter"].home == catalog().sites["twitter"].home
    before, after = (each.tools["twitter.reTweet"] for each in (catalog(), changed))
    assert before.playbook
    assert after.playbook
    assert before.playbook(before.example) == after.playbook(after.example)


def test_a_reading_in_a_selector_stays_a_reading() -> None:
    new = 'div:has(a[href$="/{id}"])'
    swapped = Swap(page.POST, (new,)).made_in(page.of(page.POST, "{tweetId}"))
    assert swapped == ('div:has(a[href$="/{tweetId}"])',)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "the file needs"),
        ({"twitter": "x"}, "twitter needs"),
        ({"twitter": {"box": 3}}, "twitter.box needs a selector or a list"),
        ({"twitter": {"box": []}}, "twitter.box needs a selector or a list"),
        ({"twitter": {"box": [" "]}}, "twitter.box needs a selector or a list"),
        ({"tweeter": {}}, "no platform 'tweeter', only .*twitter"),
        ({"twitter": {"bxo": "a"}}, "'bxo' is neither a name nor a built-in selector: did you mean 'box'?"),
        ({"twitter": {"#!?": "a"}}, "known are dialog, box, send"),
        ({"twitter": {"like": "button.heart"}}, "needs {id} in each selector, or it could act on the wrong thing"),
    ],
)
def test_a_wrong_entry_is_refused_with_what_would_be_right(given: object, says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("{", r"\{").replace("?", r"\?")):
        parse(given, catalog())


def test_inspection_names_each_selector_up_to_the_publishing_click() -> None:
    create = catalog().tools["twitter.createTweet"]
    assert create.playbook
    found = list(uses(create.playbook(create.example), catalog().sites["twitter"]))
    assert [(use.move, use.name) for use in found] == [
        ("wait", "dialog"),
        ("fill", "dialog"),
        ("fill", "box"),
        ("click", "dialog"),
        ("click", "send"),
    ]
    assert [use.publishes for use in found] == [False, False, False, True, True]


def test_every_selector_of_every_playbook_has_a_name() -> None:
    for tool in catalog().tools.values():
        site = catalog().sites[tool.platform]
        if tool.playbook and site.selectors:
            unnamed = [use for use in uses(tool.playbook(tool.example), site) if use.name is None]
            assert not unnamed, tool.name


def test_names_find_their_selectors_also_with_something_filled_in() -> None:
    site = catalog().sites["twitter"]
    assert name_of(page.of(page.LIKED, "20"), site) == "liked"
    assert name_of(("#nothing",), site) is None
