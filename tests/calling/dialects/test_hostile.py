"""Hostile texts cost one pass: at this size a second pass per mark would take hours, and the timeout would tell."""

from __future__ import annotations

import pytest

from linnet.calling.dialects.families import FAMILIES, parse, reader
from linnet.calling.dialects.markup import extract
from linnet.calling.salvage import salvage
from linnet.messages import ToolCall

SIZE = 200_000
CALL = ToolCall("f", {"city": "Paris", "tags": ["a"], "where": {"x": 1.5}})
TOOLS = [{"name": "f", "parameters": {"properties": {"city": {"type": "string"}}}}]
SHAPES = list({str(row): name for name, row in reversed(FAMILIES.items())}.values())
PIECES = ['"', "[", "{", "[],", "1,", "\\", "<", "`", "a=1,", "</", "<parameter=a>", "<a>", "<think>"]


def texts(family: str) -> list[str]:
    dialect = FAMILIES[family].dialect
    written = dialect.render([CALL])
    head = written[: written.find("Paris")]
    opener = (dialect.openers or ("[f(",))[0]
    pieces = [opener, opener[:-1], written, written[:-2], written[: len(written) // 2]]
    return [piece * (SIZE // len(piece)) for piece in pieces] + [
        head + piece * (SIZE // len(piece)) for piece in PIECES
    ]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("family", SHAPES)
def test_one_pass_is_all_that_a_text_costs(family: str) -> None:
    for text in texts(family):
        assert len(parse(text, family, TOOLS).calls) <= 128
    parser = reader(family, TOOLS).start()
    for piece in (FAMILIES[family].dialect.render([CALL])[:40], *["x<tool_"] * (SIZE // 70)):
        parser.feed(piece)
    parser.close()


@pytest.mark.timeout(60)
def test_salvage_and_tags_too() -> None:
    for text in texts("hermes") + texts("xml"):
        salvage(text, TOOLS)
        extract(text)
