"""The tool that reads a web page: fetched (fetch.py), its text found in a locked-down child, bounded, and said in
full what was left out.

Not covered: pages that show their text by scripts; pages behind a login; what a page says is a stranger's word.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from functools import partial
from typing import Any

from linnet.agent.tools.define import bound, define, note, text
from linnet.agent.tools.fetch import Get, Got, Resolve, fetch, system_resolve
from linnet.agent.tools.files import AFTER, BEFORE
from linnet.agent.tools.vetting import Reach
from linnet.errors import ToolFailed
from linnet.limits import LIMITS
from linnet.page import charset_of
from linnet.runtime.page import text_of
from linnet.tools import Permission, Rule, Tool

_HTML = {"text/html", "application/xhtml+xml"}
_PLAIN = re.compile(r"text/[\w.+-]+|application/(?:json|xml|[\w.-]+\+(?:json|xml))")
_ADDRESS = r"(?P<url>(?:https?://|www\.)[\w-]+(?:\.[\w-]+)*(?::\d+)?(?:/[^\s\"'<>]*)?(?<![.?!,]))"


def web_fetch(hosts: Collection[str] = (), resolve: Resolve = system_resolve) -> Tool:
    """The tool. `hosts` may be fetched from beside the public web, as `name` or `name:port`."""
    run = partial(_read, Reach(frozenset(map(str.lower, hosts))), resolve)
    return bound(definition(), run)


def definition() -> Tool:
    """The same tool without a function."""
    return define(
        "web_fetch",
        "Reads a page of the web.",
        {"url": text("the address of the page, such as https://example.org/news")},
        {},
        Permission.NETWORK,
        answer="{url}:\n{text}{note}",
        rules=[
            Rule(prefix="fetch:", to="url"),
            Rule(
                pattern=rf"{BEFORE}(?:fetch|read|open|get|load|visit)(?: the)?(?: (?:web )?page)? {_ADDRESS}{AFTER}"
            ),
        ],
        examples=["Read the page https://example.org/opening-hours", "What does www.example.com say?"],
    )


def _read(reach: Reach, resolve: Resolve, url: str) -> dict[str, Any]:
    got = fetch(Get(url, reach), resolve)
    title, words, told = _text(got)
    moved = [f"it came from {got.url}"] if len(got.hops) > 1 else []
    return {
        "url": got.url,
        "title": title,
        "text": words,
        "bytes": len(got.body),
        "hops": list(got.hops),
        "truncated": any(part.startswith("the first") for part in told),
        "note": note([*moved, *told]),
    }


def _text(got: Got) -> tuple[str, str, list[str]]:
    """Title, text, and in words what is to be said of it."""
    if got.kind in _HTML:
        found = text_of(got.body, got.charset)
        told = [f"the first {len(found.text):,} characters"] if found.cut else []
        told += ["no main part was found: this is all of the page's text"] if found.whole else []
        told += [f"read without the sandbox's {', '.join(found.missing)}"] if found.missing else []
        return found.title, found.text, told
    if not _PLAIN.fullmatch(got.kind):
        raise ToolFailed(f"the page is {got.kind or 'of no type that is told'}; only text is read", kind=got.kind)
    words = _decoded(got.body, got.charset)
    kept = words[: LIMITS.page_chars]
    return "", kept, [f"the first {len(kept):,} of {len(words):,} characters"] if len(kept) < len(words) else []


def _decoded(body: bytes, charset: str) -> str:
    try:
        coding = codecs.lookup(charset_of(charset) or "utf-8").name
        return body.decode(coding, "replace").replace("\0", "")
    except (LookupError, ValueError, UnicodeError):
        return body.decode("utf-8", "replace").replace("\0", "")
