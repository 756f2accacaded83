"""What the tests of the pages share: blocks of code with where they stand, and places to run them in."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"(?:^<!-- (?P<marker>[^\n]*) -->\n+)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line that it begins in, and the marker before it, "" for none."""

    page: str
    line: int
    kind: str
    body: str
    marker: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """What is typed: lines of a shell, joined where they go on, without comments; behind `$` in a console."""
        lines = self.body.replace("\\\n", " ").splitlines()
        if self.kind == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        elif self.kind != "sh":
            lines = []
        return [line for line in lines if line.strip() and not line.startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    whole = re.search(r"^<!-- Every block of this page is run, in this order, by (\S+?),", text, re.MULTILINE)
    name = page.relative_to(ROOT).as_posix()
    found, elsewhere = [], f"run by {whole[1]}" if whole else ""
    for fence in _FENCE.finditer(text):
        line = text.count("\n", 0, fence.start("kind")) + 1
        found.append(Block(name, line, fence["kind"], fence["body"], fence["marker"] or elsewhere))
    return found


def pages() -> list[Path]:
    """Every page that people read; those that code makes have tests of their own."""
    docs = ROOT / "docs"
    return [ROOT / "README.md", *sorted(docs.glob("*.md")), *sorted((docs / "decisions").glob("*.md"))]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def programs(line: str) -> Iterator[list[str]]:
    """The words of each program that a line of a shell runs, variables before it and redirections left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.commenters, lexer.whitespace_split = "#", True
    words: list[str] = []
    redirected = False
    for word in lexer:
        if set(word) <= set("|&;<>"):
            redirected = word[0] in "<>"
            if not redirected:
                yield _unset(words)
                words = []
        elif redirected:
            redirected = False
        else:
            words.append(word)
    yield _unset(words)


def _unset(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


@dataclass(frozen=True)
class Place:
    """A folder as a newcomer has it: the examples beside them, nothing of anybody else's around."""

    folder: Path
    environment: dict[str, str]


def made(folder: Path) -> Place:
    """In a folder that is there and empty."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "notes").mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LINNET_", "XDG_"))}
    path = f"{Path(sys.executable).parent}:{own['PATH']}"
    homes = {f"XDG_{name}_HOME": str(folder / f".{name.lower()}") for name in ("CONFIG", "CACHE", "DATA")}
    kept = {name: os.environ[name] for name in ("LINNET_REQUIRE_SANDBOX",) if name in os.environ}
    return Place(folder, {**own, **homes, **kept, "PATH": path, "HOME": str(folder), "PYTHONWARNINGS": "error"})
