"""One conversation in every family's own template, with tools and without: what is rendered stays what it was.

The templates are not ours to store, so `golden/prompts.json` holds digests: of each template, so that another
version of one is told from a change of ours, and of its prompts, segment by segment with their trust. To write
it anew after a change that is meant: `python tests/worker/test_prompt_golden.py`, and read the difference.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import LinnetError
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.models import family, gguf
from linnet.protocol import Render
from linnet.worker.render import render

TEMPLATES = Path(__file__).resolve().parents[3] / "shared" / "data" / "chat_templates"
FILES = {path.stem: path for path in sorted(TEMPLATES.glob("*.jinja"))}
GOLDEN = Path(__file__).with_name("golden") / "prompts.json"

ROOMS = ToolSpec(
    "find_room",
    'Finds a room that is free; "quiet" ones first.',
    {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date", "description": "The day, as 2026-03-04."},
            "seats": {"type": "integer", "minimum": 1, "default": 4},
            "floor": {"type": "string", "enum": ["ground", "upper"]},
            "with": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["day"],
        "additionalProperties": False,
    },
)
BOOK = ToolSpec("book_room", "Books a room.", {"type": "object", "properties": {"room": {"type": "string"}}})

CALLS = (
    ToolCall("find_room", {"day": "2026-03-04", "seats": 6, "with": ["screen", "door"]}),
    ToolCall("find_room", {"day": "2026-03-05", "floor": "upper"}),
)
CONVERSATION = (
    Message("system", "You book rooms.", trusted=True),
    Message("user", "A room for six on 4 March, or one upstairs the day after?"),
    Message("assistant", "", calls=CALLS, reasoning="Two days, so two calls."),
    Message("tool", '{"room": "Elm"}'),
    Message("tool", '{"room": null}'),
    Message("assistant", "Elm is free on the 4th."),
    Message("user", "Book it."),
)


def prompt(template: str, tools: tuple[ToolSpec, ...]) -> tuple[tuple[tuple[str, bool], ...], tuple[str, ...]]:
    fields = {"general.architecture": "llama", "tokenizer.chat_template": template}
    speaker = family.detect(gguf.Header(3, "llama", fields, (), 32, 0, 0))
    said = speaker.adapt(CONVERSATION)
    made = render(Render(1, speaker.template, said, "<s>", "</s>", today="2026-03-04", tools=tools))
    return tuple((segment.text, segment.trusted) for segment in made.segments), made.notes


def described(template: str, tools: tuple[ToolSpec, ...]) -> dict[str, Any]:
    try:
        segments, notes = prompt(template, tools)
    except LinnetError as error:
        return {"refused": error.code}
    return {"digest": digest(json.dumps(segments)), "notes": list(notes)}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def entry(path: Path) -> dict[str, Any]:
    template = path.read_text()
    shown = {"with tools": described(template, (ROOMS, BOOK)), "without": described(template, ())}
    return {"template": digest(template), **shown}


@pytest.mark.skipif(not FILES, reason=f"the shared data is not here: {TEMPLATES}")
@pytest.mark.parametrize("name", FILES)
def test_the_prompt_is_what_it_was(name: str) -> None:
    known = json.loads(GOLDEN.read_text())[name]
    if known["template"] != digest(FILES[name].read_text()):
        pytest.skip("the template is another one than the file was written with")
    assert entry(FILES[name]) == known


@pytest.mark.skipif(not FILES, reason=f"the shared data is not here: {TEMPLATES}")
@pytest.mark.parametrize("tools", [(), (ROOMS, BOOK)], ids=["without", "with tools"])
@pytest.mark.parametrize("name", FILES)
def test_everything_that_was_said_is_in_it(name: str, tools: tuple[ToolSpec, ...]) -> None:
    if json.loads(GOLDEN.read_text())[name]["with tools"].get("refused") and tools:
        pytest.skip("this template has no place for tools")
    segments, _ = prompt(FILES[name].read_text(), tools)
    whole = "".join(text for text, _ in segments)
    untrusted = "\n".join(text for text, trusted in segments if not trusted)
    words = ["six on 4 March", "find_room", "2026-03-04", "screen", "Elm", "Elm is free", "Book it."]
    words += ["book_room", "Finds a room", "seats", "ground"] if tools else []
    assert [word for word in words if word not in untrusted] == []
    assert "You book rooms." in whole and any(trusted for _, trusted in segments)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({name: entry(path) for name, path in FILES.items()}, indent=1) + "\n")
