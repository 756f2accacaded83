"""Web search by a provider that the user configured: SearXNG, Brave, or any service that answers a GET with JSON.

Hides what each provider calls things. There is no default provider: nothing is asked of anybody until one is set.
What comes back is a stranger's text: tags and control characters are taken out, and each part has a length.

Covered: answers that are no JSON, nested without end, over the size, or of another shape; a provider that redirects
(it is not followed, for the key would go along). Not covered: whether what was found is true.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode

from linnet.agent.tools.define import bound, count, define, text
from linnet.agent.tools.fetch import Get, Resolve, fetch, system_resolve
from linnet.agent.tools.vetting import Reach, target
from linnet.errors import ToolFailed
from linnet.tools import Permission, Rule, Tool

RESULTS_DEFAULT, RESULTS_MOST = 5, 20
"""What is asked for when the request names no number, and the most that may be asked for."""

_TITLE, _URL, _TEXT = 200, 500, 300
"""Characters that are kept of each."""

Search = Callable[[str, int], list[dict[str, str]]]
"""A query and a number -> results, each with `title`, `url` and `text`."""


@dataclass(frozen=True)
class Provider:
    """A service. `query` and `number` name its parameters ("" for one that takes no number), `path` leads to the list
    in its answer, and `title`, `url` and `text` are the keys of one result. `headers` may hold a key."""

    address: str
    query: str = "q"
    number: str = ""
    path: tuple[str, ...] = ("results",)
    title: str = "title"
    url: str = "url"
    text: str = "content"
    fixed: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def search(self, query: str, most: int, resolve: Resolve = system_resolve) -> list[dict[str, str]]:
        """The first results, at most so many. Raises a ToolError."""
        words = {self.query: query, **({self.number: str(most)} if self.number else {}), **self.fixed}
        joint = "&" if "?" in self.address else "?"
        here = target(self.address)
        reach = Reach(frozenset({here.place}))  # the user named it
        get = Get(f"{self.address}{joint}{urlencode(words)}", reach, self.headers, accept="application/json", hops=0)
        found = list(self._results(_json(fetch(get, resolve).body)))
        return found[:most]

    def _results(self, answer: Any) -> Iterator[dict[str, str]]:
        for key in self.path:
            answer = answer.get(key) if isinstance(answer, Mapping) else None
        if not isinstance(answer, list):
            raise ToolFailed(f"the search service's answer has no list at {'.'.join(self.path)}")
        for each in answer:
            if isinstance(each, Mapping) and (url := _plain(each.get(self.url), _URL)):
                title, words = _plain(each.get(self.title), _TITLE), _plain(each.get(self.text), _TEXT)
                yield {"title": title, "url": url, "text": words}


def searxng(address: str) -> Provider:
    """An instance of SearXNG whose settings allow the format `json`; `address` is its front page."""
    return Provider(f"{address.rstrip('/')}/search", fixed={"format": "json"})


def brave(key: str, address: str = "https://api.search.brave.com/res/v1/web/search") -> Provider:
    """Brave's search, with a key of the user's."""
    headers = {"X-Subscription-Token": key}
    return Provider(address, number="count", path=("web", "results"), text="description", headers=headers)


def web_search(search: Search) -> Tool:
    """The tool, over `Provider.search` or any function like it."""
    answer = "Found on the web for {query}:\n{results}{note}"
    return bound(definition(), partial(_search, search), answer=answer)


def definition() -> Tool:
    """The same tool without a function."""
    return define(
        "web_search",
        "Searches the web.",
        {"query": text("what to look for")},
        {"max_results": count("how many results to show", RESULTS_DEFAULT, RESULTS_MOST)},
        Permission.NETWORK,
        answer="Found on the web for {query}:\n{result}",
        rules=[Rule(prefix="web:", to="query")],
        examples=["Search the web for solar panels", "Look up train strikes online, 3 results"],
    )


def _search(search: Search, query: str, max_results: int) -> dict[str, Any]:
    found = search(query, max_results)
    return {"query": query, "results": found[:max_results], "count": len(found[:max_results]), "note": ""}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        hint = "Check the address; SearXNG must allow the format `json` in its settings."
        raise ToolFailed("the search service's answer is no JSON", hint=hint) from error


_TAG = re.compile(r"<[^<>]{0,200}>")


def _plain(value: Any, most: int) -> str:
    """A text without tags, entities, and what cannot be seen."""
    if not isinstance(value, str):
        return ""
    words = html.unescape(_TAG.sub("", value[: 8 * most]))
    return " ".join("".join(letter if letter.isprintable() else " " for letter in words).split())[:most]
