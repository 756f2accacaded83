"""How long reading a model's text takes, per dialect and hostile text, and how much longer for twice the text.

    python benchmarks/parse.py [--size 1000000] [--only hermes]

Seconds for `size` characters, and the time for them over the time for half as many: 2 is linear. Best of two,
in CPU time, so that other programs at work do not count.
The worst rows come last.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from linnet.calling.coerce import from_tag
from linnet.calling.dialects.families import FAMILIES, parse, reader
from linnet.calling.dialects.markup import extract
from linnet.calling.salvage import salvage
from linnet.messages import ToolCall

CALL = ToolCall("get_weather", {"city": "Paris", "days": 3, "tags": ["a", "b"], "where": {"x": 1.5}})
TOOLS = [{"name": "get_weather", "parameters": {"properties": {"city": {"type": "string"}}, "required": ["city"]}}]


def hostile(name: str) -> Iterator[tuple[str, str]]:
    """What is repeated to make a text: (what it is, the piece, or the head and the piece after a NUL)."""
    dialect = FAMILIES[name].dialect
    written = dialect.render([CALL])
    marks = dialect.openers or ("[f(",)
    yield "prose", "The weather is nice today, and so on.\n"
    yield "calls", written + "\n"
    yield "open markers", marks[0]
    yield "near-markers", marks[0][:-1]
    yield "half a call", written[: len(written) * 2 // 3]
    yield "call without its end", written[:-3]
    for what, piece in (
        ("unclosed string", '"'),
        ("brackets", "["),
        ("braces", "{"),
        ("lists", "[],"),
        ("ones", "1,"),
    ):
        yield what, f"{written[: written.find('Paris')]}\0{piece}"
        yield f"bare {what}", piece
    yield "backslashes", f"{written[: written.find('Paris')]}\0\\"
    yield "thinking", FAMILIES[name].thinking.begin + FAMILIES[name].thinking.end
    yield "thinking about calls", f"{FAMILIES[name].thinking.begin}\0{written}"
    yield "blanks", " "
    yield "lines", "\n"
    yield "code marks", "`\n"
    yield "angles", "<"
    yield "parameters", f"{marks[0]}<function=f>\0<parameter=a>"
    yield "arguments", f"{marks[0]}f(\0a=1,"


def text_of(piece: str, size: int) -> str:
    head, found, repeated = piece.partition("\0")
    head, repeated = (head, repeated) if found else ("", piece)
    return (head + repeated * (size // len(repeated) + 1))[:size]


def seconds(work: Callable[[str], Any], text: str) -> float:
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        work(text)
        best = min(best, time.process_time() - started)
        if best > 1:
            break
    return best


def streamed(name: str) -> Callable[[str], Any]:
    """Fed in pieces of 40 characters, as tokens come."""

    def work(text: str) -> None:
        parser = reader(name, TOOLS).start()
        for start in range(0, len(text), 40):
            parser.feed(text[start : start + 40])
        parser.close()

    return work


def works(only: str) -> Iterator[tuple[str, str, Callable[[str], Any], str]]:
    shapes = {str(row): name for name, row in reversed(FAMILIES.items())}
    for name in FAMILIES:
        if only in name and name in shapes.values():
            for what, piece in hostile(name):
                yield name, what, lambda text, name=name: parse(text, name, TOOLS), piece
                yield f"{name}, streamed", what, streamed(name), piece
    if not only:
        for what, piece in {p: w for n in ("hermes", "qwen3_coder", "xml") for w, p in hostile(n)}.items():
            yield "auto", piece, lambda text: parse(text, "auto", TOOLS), what
            yield "salvage", piece, lambda text: salvage(text, TOOLS), what
            yield "extract", piece, extract, what
        for what in ("1", "[", "<a>", "<a>\0</a>", "{'a':1,", '"'):
            yield "from_tag", what, lambda text: from_tag(text, {"type": ["object", "array", "integer"]}, {}), what


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    rows = []
    for name, what, work, piece in works(chosen.only):
        half, full = (seconds(work, text_of(piece, size)) for size in (chosen.size // 2, chosen.size))
        rows.append((full, full / max(half, 1e-3), name, what))
    for full, ratio, name, what in sorted(rows)[-25:]:
        sys.stdout.write(f"{full:8.3f} s  x{ratio:4.2f}  {name}: {what[:40]!r}\n")
    worst = max((row for row in rows if row[0] > 0.1), key=lambda row: row[1])
    sys.stdout.write(
        f"{len(rows)} rows; slowest {max(rows)[0]:.3f} s; steepest x{worst[1]:.2f} ({worst[2]}: {worst[3]!r})\n"
    )


if __name__ == "__main__":
    main()
