"""Three tools that read below one folder, and nowhere else: list, read, search.

Hides what a result may hold and how a search walks. Confinement is the work of `Root` (root.py).

Covered: binary, huge and deep content, each bounded by linnet.limits, and what is cut is said in the result;
names shown with control, invisible and undecodable characters escaped; folders that change under a search.
Not covered: a search passes links by, and looks at a line over 64 KiB in pieces; a file whose name had to be
escaped cannot be read; who may write in the root may change files between two calls.
"""

from __future__ import annotations

import codecs
import fnmatch
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from io import BufferedReader, FileIO
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import Field

from linnet.agent.tools.define import note
from linnet.agent.tools.root import PIECE, Root, printable
from linnet.errors import LinnetError, ToolFailed
from linnet.limits import LIMITS
from linnet.tools import Permission, Rule, Tool, tool

# --- the tools -----------------------------------------------------------------------------------


def files(root: str | Path) -> tuple[Tool, ...]:
    """`list_files`, `read_file` and `search_files`, confined to `root`. Raises ToolInvalid for no folder."""
    return _tools(Root(root))


def definitions() -> tuple[Tool, ...]:
    """The same tools without a folder and without a function: what a call of them must look like."""
    return tuple(replace(tool, function=None) for tool in _tools(None))


def _tools(root: Root | None) -> tuple[Tool, ...]:
    held = cast(Root, root)  # without one, no function is kept
    permissions = [Permission.READ_FILES]

    @tool(permissions=permissions, rules=_list_rules(), answer="Files in {folder}: {entries}{note}")
    def list_files(folder: str = ".", pattern: str = "*") -> dict[str, Any]:
        """Lists the files and folders in a folder.

        Args:
            folder: the folder to list; . is the top folder
            pattern: which names, such as *.txt
        """
        return _list(held, folder, pattern)

    @tool(permissions=permissions, rules=_read_rules(), answer="{path}:\n{text}{note}")
    def read_file(path: str) -> dict[str, Any]:
        """Reads a text file and shows what it says.

        Args:
            path: the file, such as notes.txt or docs/plan.md
        """
        return _read(held, path)

    @tool(permissions=permissions, rules=_search_rules(), answer='Lines with "{text}":\n{matches}{note}')
    def search_files(
        text: Annotated[str, Field(min_length=1, description="the words to look for")], pattern: str = "*"
    ) -> dict[str, Any]:
        """Searches all files for words and shows each line that has them.

        Args:
            pattern: which files, such as *.py
        """
        return _Search(held, text, pattern).result()

    return list_files, read_file, search_files


# Rules are for requests that can mean one thing only; others go to the model.

BEFORE, AFTER = r"(?:please )?(?:can you )?", r"(?: for me)?(?: please)?[.?!]?"
_ENDING = r"txt|md|rst|csv|tsv|json|jsonl|toml|ya?ml|ini|cfg|log|py|js|ts|html|css|xml|sql|sh|c|h"
_PLAIN = r"[^\s\"'`]+"
FILE = rf"(?P<path>{_PLAIN}\.(?:{_ENDING}))"
_PATH = rf"(?P<path>{_PLAIN}[./]{_PLAIN}(?<![.?!])|readme|license|makefile|dockerfile)"
_FOLDER = rf"(?!(?:here|there|it|this|that|order)\b)(?P<folder>{_PLAIN}?)"
_TEXT = rf"(?!.*\b(?:and|or|then)\b)(?P<text>{_PLAIN}(?: {_PLAIN}){{0,4}}?)(?<![.?!])"


def quotation(name: str) -> str:
    return rf"[\"'`](?P<{name}>[^\"'`]+)[\"'`]"


def _rules(before: str, *forms: str, after: str = "") -> list[Rule]:
    return [Rule(pattern=f"{BEFORE}{before}{form}{after}{AFTER}") for form in forms]


def _list_rules() -> list[Rule]:
    listing = r"(?:(?:list|show)(?: me)?(?: all)?(?: the| my)? files|(?:what|which) files are)"
    inside = rf"{listing} in (?:the )?(?:folder |directory )?"
    return [
        Rule(prefix="ls:", to="folder"),
        Rule(pattern=r"ls(?: (?P<folder>[^\s-]\S*))?"),
        Rule(extract=_kind_of_file),
        *_rules(listing, "", " here", " there", " in (?:this|the current) (?:folder|directory)"),
        *_rules(inside, _FOLDER, quotation("folder"), after="(?: folder| directory)?"),
    ]


def _kind_of_file(text: str) -> dict[str, str] | None:
    """`Are there any csv files?` asks for the pattern `*.csv`."""
    asks = r"(?:are there(?: any)?|list(?: all)?(?: the| my)?|show(?: me)?(?: all)?(?: the| my)?|which|what)"
    form = rf"{BEFORE}{asks} \.?({_ENDING}) files(?: are)?(?: here| there)?{AFTER}"
    found = re.fullmatch(form, text, re.IGNORECASE)
    return found and {"pattern": f"*.{found[1].lower()}"}


def _read_rules() -> list[Rule]:
    show = r"(?:read|show|open|print|display)(?: me)?(?: the)?(?: contents? of)?"
    what = r"(?:(?:tell|show) me )?what(?:'s| is)(?: written)? in"
    show = rf"(?:{show}|{what})(?: the)?"
    return [
        Rule(prefix="read:", to="path"),
        *_rules(f"(?:{show}|cat) ", FILE),
        *_rules(f"{show} file ", _PATH, quotation("path")),
    ]


def _search_rules() -> list[Rule]:
    word, files = r"(?:the (?:words?|text|phrase|string) )?", r"(?: all)?(?: the| my)? files"
    which = r"(?:which|what)(?: of(?: the| my))? files? (?:mentions?|contains?)"
    return [
        Rule(prefix="search:", to="text"),
        *_rules(f"search(?: in)?{files} for {word}", _TEXT, quotation("text")),
        *_rules(f"(?:find|search for) {word}", _TEXT, quotation("text"), after=f" in{files}"),
        *_rules(f"{which} {word}", _TEXT, quotation("text")),
    ]


# --- what they do --------------------------------------------------------------------------------


def _list(root: Root, folder: str, pattern: str) -> dict[str, Any]:
    folder = folder or "."
    with root.scan(folder) as entries:
        looked_at = list(islice(map(_name, entries), LIMITS.file_entries + 1))
    names = sorted(name for name in looked_at[: LIMITS.file_entries] if _fits(name, pattern))
    kept = _first(map(printable, names))
    cuts = [f"the first {LIMITS.file_entries:,} looked at"] if len(looked_at) > LIMITS.file_entries else []
    cuts += [f"{len(kept):,} of {len(names):,} shown"] if len(kept) < len(names) else []
    return {
        "folder": f"{printable(folder).rstrip('/')}/",
        "entries": kept,
        "count": len(names),
        "truncated": bool(cuts),
        "note": note(cuts),
    }


def _read(root: Root, path: str) -> dict[str, Any]:
    with root.read(path) as file:
        data = file.read(LIMITS.file_read_bytes + 1)
        size = max(os.fstat(file.fileno()).st_size, len(data))
    kept = data[: LIMITS.file_read_bytes]
    if _is_binary(kept):
        raise ToolFailed(f"{printable(path)} is not text ({size:,} bytes); only text files are read")
    cut = len(data) > len(kept)
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    return {
        "path": printable(path),
        "text": decoder.decode(kept, final=not cut),  # no half character where it was cut
        "bytes": size,
        "truncated": cut,
        "note": note([f"the first {len(kept):,} of {size:,} bytes"] if cut else []),
    }


class _Search:
    """One walk over the tree, in the order of names, and what it had to leave out."""

    def __init__(self, root: Root, text: str, pattern: str) -> None:
        self.root, self.text, self.pattern = root, text, pattern
        self.needle = text.casefold()
        self.entries, self.bytes = LIMITS.file_entries, LIMITS.file_search_bytes
        self.cuts: dict[str, None] = {}
        self.binary = self.unreadable = 0

    def result(self) -> dict[str, Any]:
        matches = _first(self.matches(), lambda count: self.cut(f"the first {count:,} lines shown"))
        skipped = [f"{self.binary} binary files left out"] if self.binary else []
        skipped += [f"{self.unreadable} unreadable files or folders left out"] if self.unreadable else []
        return {
            "text": self.text,
            "matches": matches,
            "count": len(matches),
            "truncated": bool(self.cuts),
            "note": note([*self.cuts, *skipped]),
        }

    def cut(self, reason: str) -> None:
        self.cuts[reason] = None

    def cut_bytes(self) -> None:
        self.cut(f"the first {LIMITS.file_search_bytes:,} bytes searched")

    def matches(self) -> Iterator[dict[str, Any]]:
        for path in self.paths():
            if self.bytes <= 0:
                self.cut_bytes()
                return
            try:
                with self.root.read(path) as file:
                    yield from self.lines(path, file)
            except (LinnetError, OSError):
                self.unreadable += 1

    def paths(self) -> Iterator[str]:
        """Regular files whose name fits. Each folder is opened from the root, so that no race leads out."""
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                with self.root.scan(folder or ".") as entries:
                    names = sorted(_name(entry) for entry in self.counted(entries) if _is_plain(entry))
            except (LinnetError, OSError):
                self.unreadable += 1
                continue
            yield from (folder + name for name in names if name[-1] != "/" and self.wanted(folder, name))
            folders += [folder + name for name in reversed(names) if name[-1] == "/" and self.enters(folder)]

    def counted(self, entries: Iterable[os.DirEntry[str]]) -> Iterator[os.DirEntry[str]]:
        for entry in entries:
            if self.entries <= 0:
                self.cut(f"the first {LIMITS.file_entries:,} files and folders searched")
                return
            self.entries -= 1
            yield entry

    def wanted(self, folder: str, name: str) -> bool:
        return _fits(folder + name if "/" in self.pattern else name, self.pattern)

    def enters(self, folder: str) -> bool:
        shallow = folder.count("/") < LIMITS.file_depth
        if not shallow:
            self.cut(f"folders over {LIMITS.file_depth} deep left out")
        return shallow

    def lines(self, path: str, file: BufferedReader[FileIO]) -> Iterator[dict[str, Any]]:
        if _is_binary(file.peek(PIECE)[:PIECE]):
            self.binary += 1
            return
        number, begins = 0, True
        while piece := file.readline(min(PIECE, self.bytes)):
            self.bytes -= len(piece)
            number += begins
            line = piece.decode("utf-8", "replace")
            place = line.casefold().find(self.needle)
            if place >= 0:
                yield {"path": printable(path), "line": number, "text": _excerpt(line, place)}
            begins = piece.endswith(b"\n")
        if self.bytes <= 0 and file.read(1):
            self.cut_bytes()


_EXCERPT = 200


def _excerpt(line: str, place: int) -> str:
    """At most `_EXCERPT` characters around the match, the cuts marked."""
    line = line.rstrip()
    start = 0 if len(line) <= _EXCERPT else max(0, place - _EXCERPT // 2)
    end = start + _EXCERPT
    return f"{'...' if start else ''}{line[start:end].strip()}{'...' if end < len(line) else ''}"


def _first(items: Iterable[Any], when_cut: Callable[[int], None] = lambda count: None) -> list[Any]:
    """As many as a result may hold: `file_listing` of them, and half of `tool_output_bytes` as JSON."""
    kept: list[Any] = []
    room = LIMITS.tool_output_bytes // 2
    for item in items:
        room -= len(json.dumps(item))
        if len(kept) == LIMITS.file_listing or room < 0:
            when_cut(len(kept))
            break
        kept.append(item)
    return kept


def _name(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _is_plain(entry: os.DirEntry[str]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def _fits(name: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(name.rstrip("/"), pattern)


_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f")) + b"\x7f"


def _is_binary(data: bytes) -> bool:
    """A NUL, or more than one control character in ten; which also bounds the text as JSON."""
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return b"\0" in data or controls * 10 > len(data)
