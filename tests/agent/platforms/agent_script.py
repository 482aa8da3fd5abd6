"""What a careful agent would do on the replicas, line by line: the model of the full engine's runs says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.replicas.replica import Replica
from tests.scripted_model import Act, Line, Scene, acts, done


def lines(replica: Replica, asked: Mapping[str, Any]) -> list[Line]:
    """One round each. Where the page is not as it thinks, the model says that it lost its place, and gives up."""
    return {"twitter": on_x, "xueqiu": on_xueqiu, "eastmoney": on_eastmoney, "tonghuashun": on_tonghuashun}[
        replica.platform
    ](replica, asked)


def on_x(replica: Replica, asked: Mapping[str, Any]) -> list[Line]:
    """Opens the composer, writes, posts, and opens the new post by the link in the toast. It goes by what people see."""

    def write(scene: Scene) -> Act:
        return acts("input", index=scene.index(contenteditable="true", last=True), text=asked["text"])

    def post(scene: Scene) -> Act:
        return acts("click", index=labelled(scene, "button", "ポストする", "نشر"))

    def look(scene: Scene) -> Act:
        link = scene.find("a", text="表示")
        return acts("click", index=link.index) if link else done("No post came of it.", success=False)

    def report(scene: Scene) -> Act:
        found = re.search(r"/(\w+)/status/(\d+)", scene.url)
        assert found, scene.url
        url = f"https://x.com/{found[1]}/status/{found[2]}"
        return told("Posted", {"tweetUrl": url, "tweetId": found[2]})

    return [acts("navigate", url=f"{replica.origin}/compose/post"), write, post, look, report]


def on_xueqiu(replica: Replica, asked: Mapping[str, Any]) -> list[Line]:
    """Writes into the box of the home page. The page says no number, so it looks into the replica's own list for it."""

    def wake(scene: Scene) -> Act:
        return acts("click", index=labelled(scene, "", "一句话介绍下您的观点", "Say what you think"))

    def write(scene: Scene) -> Act:
        return acts("input", index=scene.index(contenteditable="true"), text=asked["text"])

    def post(scene: Scene) -> Act:
        return acts("click", index=labelled(scene, "a", "发布", "Post"))

    def report(_: Scene) -> Act:
        made = replica.published[-1]
        url = f"https://xueqiu.com/{made.author}/{made.id}"
        return told("Posted", {"postUrl": url, "postId": made.id, "author": made.author})

    return [wake, write, post, report]


def on_eastmoney(replica: Replica, asked: Mapping[str, Any]) -> list[Line]:
    """Opens the stock's board and writes into its form; the list of the board then links to the post."""
    board = f"{replica.origin}/list,600519.html"

    def write(scene: Scene) -> Act:
        return acts("input", index=scene.index("textarea"), text=asked["text"])

    def post(scene: Scene) -> Act:
        return acts("click", index=scene.index("button", type="submit"))

    def report(scene: Scene) -> Act:
        numbers = [link.text for link in scene.elements if re.fullmatch(r"\d{10,}", link.text)]
        url = f"https://guba.eastmoney.com/news,600519,{numbers[0]}.html"
        return told("Posted", {"postUrl": url, "postId": numbers[0]})

    return [acts("navigate", url=board), write, post, acts("navigate", url=board), report]


def on_tonghuashun(replica: Replica, asked: Mapping[str, Any]) -> list[Line]:
    """Opens the workplace for creators, and says so when it is led to the guide instead; writes, goes on, publishes."""

    def begin(scene: Scene) -> Act:
        if scene.url.endswith("/adviserEnterGuide/"):
            return done("Only the guide for creators opens: this account may not write articles.", success=False)
        return acts("click", index=scene.index("i"))

    def title(scene: Scene) -> Act:
        return acts("input", index=scene.index("input"), text=asked["title"])

    def enter(scene: Scene) -> Act:
        return acts("click", index=scene.index("iframe"))

    def go_on(scene: Scene) -> Act:
        return acts("click", index=labelled(scene, "a", "下一步", "Next"))

    def post(scene: Scene) -> Act:
        return acts("click", index=labelled(scene, "", "发布", "Publish"))

    def report(_: Scene) -> Act:
        made = replica.published[-1]
        return told("Posted", {"postUrl": f"https://t.10jqka.com.cn/pid_{made.id}.shtml", "postId": made.id})

    opening = acts("navigate", url=f"{replica.origin}/newcircle/creation/postAll")
    write = acts("send_keys", keys=asked["text"])
    return [opening, begin, title, enter, write, go_on, post, report]


def labelled(scene: Scene, tag: str, *labels: str) -> int:
    """The index of the last element with one of these labels. Raises LookupError."""
    found = [element for label in labels if (element := scene.find(tag, label, last=True))]
    return found[0].index if found else scene.index(tag, labels[0])


def told(words: str, answer: Mapping[str, str]) -> Act:
    """The end of a run, with the answer in the tool's form."""
    return done(words, data={"output": words, **answer})
