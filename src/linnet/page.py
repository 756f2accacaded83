"""The two records of a web page whose text is wanted: where its bytes are, and what was found in them; and what its
charset may be."""

from __future__ import annotations

from encodings import normalize_encoding
from typing import Literal

from pydantic.dataclasses import dataclass

from linnet.limits import LIMITS, Sandbox
from linnet.messages import STRICT

_NO_CHARSETS = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"}
"""Codecs of Python's that no page is written in; some take the square of its length in time."""


def charset_of(said: str) -> str:
    """The charset that a server means, "" for one that no page can be written in."""
    return "" if normalize_encoding(said).lower() in _NO_CHARSETS else said


@dataclass(frozen=True, config=STRICT)
class Extract:
    """Find the text of the page that the inherited descriptor `fd` holds, at most `chars` of it; `charset` is what
    its server said of it, "" for nothing."""

    fd: int
    charset: str = ""
    chars: int = LIMITS.page_chars
    sandbox: Sandbox = Sandbox()
    record: Literal["extract"] = "extract"


@dataclass(frozen=True, config=STRICT)
class Extracted:
    """The one good end of an `Extract`. `whole`: there was no main part to be told from the rest, and `text` is all
    that the page says; `cut`: it had more; `missing` lists the parts of the sandbox that could not be had."""

    title: str
    text: str
    whole: bool = False
    cut: bool = False
    missing: tuple[str, ...] = ()
    record: Literal["extracted"] = "extracted"
