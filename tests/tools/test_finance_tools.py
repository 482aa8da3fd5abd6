"""The parameters, results and playbooks of Xueqiu, Eastmoney and Tonghuashun."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tools.catalog import catalog
from tools.eastmoney.post_with_code import EastmoneyPost, PostWithCode
from tools.eastmoney.post_with_code import tool as eastmoney
from tools.playbook import Click, Fill, Goto, publishing_moves
from tools.tonghuashun.post import AI_LINE, Article
from tools.tonghuashun.post import Post as ArticlePost
from tools.tonghuashun.post import tool as tonghuashun
from tools.tool import AnyTool
from tools.xueqiu.post import Post, XueqiuPost
from tools.xueqiu.post import tool as xueqiu

ALL: list[AnyTool] = [xueqiu, eastmoney, tonghuashun]


@pytest.mark.parametrize(
    ("name", "platform"),
    [("guba", "eastmoney"), ("ths", "tonghuashun"), ("10jqka", "tonghuashun"), ("Xueqiu", "xueqiu")],
)
def test_the_platforms_are_known_by_their_other_names(name: str, platform: str) -> None:
    assert catalog().site(name).id == platform


def test_the_platforms_have_the_documented_tools() -> None:
    assert {tool.name for tool in ALL} == {"xueqiu.post", "eastmoney.postWithCode", "tonghuashun.post"}


@pytest.mark.parametrize("name", ["code", "stockCode"])
def test_the_stock_may_be_named_by_code_or_stock_code(name: str) -> None:
    assert PostWithCode.model_validate({"text": "x", name: "sh600519"}).board == "600519"


def test_a_code_that_was_checked_once_passes_again_and_means_the_same() -> None:
    once = PostWithCode.model_validate({"text": "x", "code": "SZ000001"})
    again = PostWithCode.model_validate(once.model_dump(by_alias=True))
    assert (again.code, again.board) == ("SZ000001", "000001")


def test_a_code_that_could_be_two_things_asks_for_its_market() -> None:
    with pytest.raises(ValidationError, match="write SZ000001 or SH000001"):
        PostWithCode.model_validate({"text": "x", "code": "000001"})


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
@pytest.mark.parametrize("text", ["", " \n "])
def test_a_text_with_nothing_to_see_is_refused(tool: AnyTool, text: str) -> None:
    with pytest.raises(ValidationError, match=r"empty|at least 1"):
        tool.parameters.model_validate({**tool.example.model_dump(by_alias=True), "text": text})


def test_a_title_of_more_than_36_characters_is_refused_with_count_and_limit() -> None:
    with pytest.raises(ValidationError, match="title has 40 of at most 36"):
        ArticlePost.model_validate({"text": "x", "title": "长" * 40})


def test_without_a_title_the_first_line_is_it() -> None:
    assert ArticlePost(text="\n第一行\n第二行").heading == "第一行"
    assert len(ArticlePost(text="长" * 100).heading) == 36


def test_a_site_without_a_mark_for_ai_gets_a_line_that_says_it() -> None:
    assert ArticlePost(text="正文", ai_generated=True).body.endswith(AI_LINE)


@pytest.mark.parametrize("tool", ALL[:2], ids=lambda tool: tool.name)
def test_the_ai_box_is_ticked_only_when_asked_for(tool: AnyTool) -> None:
    assert tool.playbook
    counts: list[int] = []
    for mark in (False, True):
        example = tool.parameters.model_validate({**tool.example.model_dump(by_alias=True), "aiGenerated": mark})
        counts.append(sum(isinstance(move, Click) for stage in tool.playbook(example) for move in stage.moves))
    assert counts[1] == counts[0] + 1


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_each_tool_publishes_once_after_it_has_written_the_text(tool: AnyTool) -> None:
    assert tool.playbook
    assert tool.content
    stages = tool.playbook(tool.example)
    assert len(publishing_moves(stages)) == 1
    texts = [move.text for stage in stages for move in stage.moves if isinstance(move, Fill)]
    assert tool.example.model_dump()["text"] in texts


def test_the_board_is_opened_by_the_spelling_of_its_address() -> None:
    assert eastmoney.playbook
    first = eastmoney.playbook(PostWithCode(text="x", code="00700.HK"))[0].moves[0]
    assert first == Goto("/list,hk00700.html")


def test_results_carry_address_number_and_review() -> None:
    post = XueqiuPost.model_validate({"postId": "9", "author": "8", "shown": "x"})
    assert (post.post_url, post.post_id, post.review) == ("https://xueqiu.com/8/9", "9", False)
    news = EastmoneyPost.model_validate({"postId": "9", "board": "600519"})
    assert (news.post_url, news.review) == ("https://guba.eastmoney.com/news,600519,9.html", True)
    assert "may still be reviewing" in news.output
    article = Article.model_validate({"postId": "9", "shown": "x"})
    assert article.post_url == "https://t.10jqka.com.cn/pid_9.shtml"


def test_a_post_of_xueqiu_may_be_long_but_not_endless() -> None:
    assert Post(text="字" * 10_000)
    with pytest.raises(ValidationError, match="10001 of at most 10000"):
        Post(text="字" * 10_001)
