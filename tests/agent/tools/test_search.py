"""Search over providers that speak the real formats, on a server of our own; nothing is asked of anybody unasked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from linnet.agent.tools import search as module
from linnet.agent.tools.search import Provider, brave, searxng, web_search
from linnet.errors import ToolFailed
from linnet.tools import Permission

Serve = Callable[[Callable[[str], bytes]], str]


def answer(value: Any, status: str = "200 OK", raw: bytes | None = None, *more: str) -> bytes:
    body = json.dumps(value).encode() if raw is None else raw
    head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


RESULTS = [
    {"title": f"Title {i}", "url": f"https://e.org/{i}", "content": "a <b>bold</b>&amp; text", "x": 1}
    for i in range(30)
]


def test_searxng(serve: Serve) -> None:
    heard: list[str] = []
    place = serve(lambda path: heard.append(path) or answer({"query": "x", "results": RESULTS}))  # type: ignore[func-returns-value]
    found = searxng(f"http://{place}/").search("solar & wind", 3)
    assert found[0] == {"title": "Title 0", "url": "https://e.org/0", "text": "a bold& text"} and len(found) == 3
    asked = urlsplit(heard[0])
    assert asked.path == "/search" and parse_qs(asked.query) == {"q": ["solar & wind"], "format": ["json"]}


def test_brave(serve: Serve) -> None:
    web = {"results": [{"title": "T", "url": "https://e.org", "description": "<strong>D</strong>"}]}
    heard: list[str] = []
    place = serve(lambda path: heard.append(path) or answer({"type": "search", "web": web}))  # type: ignore[func-returns-value]
    provider = brave("key", f"http://{place}/res/v1/web/search")
    assert provider.search("x", 7) == [{"title": "T", "url": "https://e.org", "text": "D"}]
    assert heard == ["/res/v1/web/search?q=x&count=7"] and "key" not in repr(provider)
    assert provider.headers == {"X-Subscription-Token": "key"}
    assert brave("k").address.startswith("https://api.search.brave.com/")


def test_one_of_the_users_own(serve: Serve) -> None:
    place = serve(lambda path: answer({"data": {"items": [{"name": "N", "link": "https://e.org", "about": "A"}]}}))
    own = Provider(f"http://{place}/find?lang=en", "query", "n", ("data", "items"), "name", "link", "about")
    assert own.search("x", 2) == [{"title": "N", "url": "https://e.org", "text": "A"}]


def test_the_tool(serve: Serve) -> None:
    tool = web_search(lambda query, most: [{"title": query, "url": "u", "text": ""}] * 50)
    assert tool.permissions == {Permission.NETWORK}
    found = tool.run({"query": "x"})
    assert found["count"] == module.RESULTS_DEFAULT
    assert tool.run({"query": "x", "max_results": 20})["count"] == module.RESULTS_MOST
    assert tool.render_answer({"query": "x"}, tool.run({"query": "x", "max_results": 1})) == (
        "Found on the web for x:\n- title: x, url: u, text: "
    )


def test_texts_are_short_and_plain(serve: Serve) -> None:
    wild = {"title": "a\x1b[31m\u202e" + "x" * 500, "url": "u" * 900, "content": "y" * 5_000}
    place = serve(
        lambda path: answer({"results": [wild, {"url": 7}, "nonsense", {"title": "no url"}, {"url": "ok"}]})
    )
    first, second = searxng(f"http://{place}").search("x", 9)
    assert (len(first["title"]), len(first["url"]), len(first["text"])) == (200, 500, 300)
    assert first["title"].isprintable() and second == {"title": "", "url": "ok", "text": ""}


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (answer(None, raw=b"<html>"), "no JSON"),
        (answer(None, raw=b"[" * 100_000), "no JSON"),
        (answer([1, 2]), "no list at results"),
        (answer({"results": {"a": 1}}), "no list at results"),
        (answer({}, "429 Too Many Requests"), "answers 429"),
        (answer({}, "302 Found", b"", "Location: https://evil.example/"), "over 0 redirects"),
    ],
)
def test_answers_that_are_none(serve: Serve, told: bytes, said: str) -> None:
    with pytest.raises(ToolFailed, match=said):
        searxng(f"http://{serve(lambda path: told)}").search("x", 3)


def test_a_service_that_is_away() -> None:
    with pytest.raises(ToolFailed):
        searxng("http://127.0.0.1:9").search("x", 3)
