"""The child that finds the text of a web page, `python -P -m linnet.worker.page SOCKET_FD PARENT_PID`, and leaves.

One job, one answer. Pages are parsed by native code, and are whatever a stranger sent: so it happens here, behind the
lock, with bounded memory, and not in the caller's process.

Covered: what `linnet.worker.lockdown` says; a crash of the parser costs this child. Not covered: which part of a page
is its text is a guess of trafilatura's; what a page shows by its scripts only is not seen.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from encodings.aliases import aliases

from linnet.page import Extract, Extracted, charset_of
from linnet.protocol import Beat
from linnet.worker import errand, lockdown

_PROSE = "<p>One sentence of some length, with a comma in it. And another one, for there is text.</p>"
_HEAD = (
    "<html lang=en><head><title>A</title><meta name=date content=2020-01-02>"
    "<link rel=canonical href=https://a.example.co.uk/a></head><body><article><h1>A</h1>"
)
_SAMPLES = (
    f"{_HEAD}{_PROSE * 9}<table><tr><td>a<td>b</table><ul><li>c</ul></article></body></html>",
    f"<html><head><title>A</title></head><body><article>{_PROSE}</article></body></html>",
    "<p>a",
)
"""What is read before the lock, so that whatever is imported or opened late has been: a long page, a short one that
its stop words are asked about, and one without a main part."""

_TITLE = 300


def run(job: Extract, ready: Callable[[], None]) -> Extracted:
    """Calls `ready` behind the lock, before the page is looked at. Raises SandboxUnavailable where the lock is
    required and cannot be had."""
    warnings.simplefilter("ignore")
    logging.disable()
    data = _contents(job.fd)
    _warm()
    _, missing = lockdown.apply(job.sandbox)
    ready()
    title, text, whole = _found(_decoded(data, job.charset))
    return Extracted(_clean(title)[:_TITLE], _clean(text[: job.chars]), whole, len(text) > job.chars, missing)


def _warm() -> None:
    from courlan import extract_domain

    for name in sorted(set(aliases.values())):
        with contextlib.suppress(ImportError):  # some are another system's
            importlib.import_module(f"encodings.{name}")
    extract_domain("https://a.example.co.uk/")  # which reads a list of all domains, once
    for sample in _SAMPLES:
        _found(sample)


def _contents(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        return file.read()


def _decoded(data: bytes, charset: str) -> str | bytes:
    """By what the server said, if that is right; else the parser finds out from the page itself."""
    coding = charset_of(charset)
    try:
        return data.decode(coding) if coding else data
    except (LookupError, UnicodeError):
        return data


def _found(page: str | bytes) -> tuple[str, str, bool]:
    """Title, text, and whether that is all of the page's text for want of a main part."""
    from trafilatura import bare_extraction, html2txt

    document = bare_extraction(page, with_metadata=True, include_comments=False, include_links=False)
    title = str(getattr(document, "title", None) or "")
    text = str(getattr(document, "text", None) or "").strip()
    return (title, text, False) if text else (title, str(html2txt(page) or "").strip() or _all(page), True)


def _all(page: str | bytes) -> str:
    """What is left of a page, or a piece of one, without its marks."""
    import lxml.html
    from lxml.etree import LxmlError, strip_elements

    try:
        tree = lxml.html.document_fromstring(page)
    except (LxmlError, ValueError):
        return ""
    strip_elements(tree, "script", "style", "noscript", "template", with_tail=False)
    return " ".join(tree.text_content().split())


def _clean(text: str) -> str:
    """Without halves of characters, which the pipe does not carry, and without zeros."""
    return text.encode(errors="replace").decode().replace("\0", "")


# --- the child -----------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> int:
    return errand.run(arguments, Extract, lambda job, channel: run(job, lambda: channel.send(Beat("load", 1.0))))


if __name__ == "__main__":
    sys.exit(main(sys.argv))
