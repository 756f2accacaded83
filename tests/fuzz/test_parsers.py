"""Every parser that meets hostile input: typed errors and nothing else, and twice the input for twice the work.

`make test` tries a few examples of each property, `make fuzz MINUTES=n` as many as there is time for. Work is counted
in lines of Python, for time would tell of the machine; what C does for one line, as a regular expression, shows only
by the timeout.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.agent.batch import lines
from linnet.agent.tools import files as file_tools
from linnet.calling.dialects.families import FAMILIES, detect, parse, reader
from linnet.calling.dialects.markup import extract
from linnet.calling.repair import repair_call
from linnet.calling.salvage import salvage
from linnet.errors import InputInvalid, LinnetError, RemoteInvalid, ToolInvalid
from linnet.interfaces.cli import parse as parse_command
from linnet.limits import LIMITS
from linnet.messages import Message, ToolSpec
from linnet.models import addresses, gguf, integrity, naming
from linnet.protocol import Render
from linnet.requests import Count, Generate, Schema, Segment, complete
from linnet.runtime.address import address_of
from linnet.runtime.sse import Events
from linnet.runtime.supervisor import Supervisor
from linnet.schema import plain, problems
from linnet.tools import Tool
from linnet.worker.constrain import grammar
from linnet.worker.render import render

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(600)]

FEW = 1 if hypothesis.settings().max_examples > 1_000 else 10
"""Examples are this many times fewer in `make test`."""


def examples(count: int) -> hypothesis.settings:
    """`count` of them when there is time for all; the suite's share else."""
    return hypothesis.settings(max_examples=max(5, count // FEW), deadline=None)


def typed(attempt: Callable[[], Any]) -> Any:
    """What an attempt gives, None for an error of ours; any other error is a fault."""
    try:
        return attempt()
    except LinnetError as error:
        assert error.message and error.describe()["code"]
        return None


def steps(attempt: Callable[[], Any]) -> int:
    """Lines of Python that an attempt runs."""
    count = 0

    def line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        typed(attempt)
    finally:
        sys.settrace(before)
    return count


def linear(attempt: Callable[[int], Any]) -> None:
    """Twice the size costs no more than two and a half times the steps, and a few hundred."""
    once, twice = steps(lambda: attempt(64)), steps(lambda: attempt(128))
    assert twice <= 2.5 * once + 500, (once, twice)


# --- text of a model -----------------------------------------------------------------------------

TOOLS = [
    {
        "name": "f",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "n": {"type": "integer"}, "tags": {"type": "array"}},
        },
    }
]
MARKS = sorted(
    {
        mark
        for row in FAMILIES.values()
        for mark in (*row.dialect.openers, row.thinking.begin, row.thinking.end)
        if mark
    }
    | set("{ } [ ] ( ) \" ' \\ , : = < > / ``` ```json f city n 1 -1e9 null True é \U0001f600 \ud800 \x00".split(" "))
    | {'{"name": "f", "arguments": {"city": "Paris"}}', "<tool_call>", "</tool_call>", "<parameter=city>", "\n", " "}
)
marked = st.lists(st.sampled_from(MARKS) | st.text(max_size=8), max_size=24).map("".join)
family = st.sampled_from(sorted(FAMILIES))


@examples(500)
@given(marked, family)
def test_any_text_can_be_read(text: str, name: str) -> None:
    assert detect(text) in FAMILIES or detect(text) == ""
    parsed = parse(text, name, TOOLS)
    assert len(parsed.calls) <= LIMITS.parse_calls
    for call in parsed.calls:
        json.dumps(call.arguments)
        typed(lambda call=call: repair_call(call, [Tool("f", "", TOOLS[0]["parameters"])]))
    salvage(text, TOOLS)
    extract(text)


@examples(60)
@given(st.lists(st.sampled_from(MARKS), min_size=1, max_size=4).map("".join), marked, family)
def test_reading_is_linear(unit: str, head: str, name: str) -> None:
    linear(lambda n: parse(head + unit * n, name, TOOLS))
    linear(lambda n: salvage(head + unit * n, TOOLS))
    linear(lambda n: extract(head + unit * n))

    def piecemeal(n: int) -> None:
        reading = reader(name, TOOLS).start()
        for piece in (head, *[unit] * n):
            reading.feed(piece)
        reading.close()

    linear(piecemeal)


# --- bytes of a server ---------------------------------------------------------------------------

EVENT = [b"data:", b"data: x", b"\n", b"\r", b"\r\n", b"\n\n", b":", b"\xef\xbb\xbf", b"event: e", b"\xff", b"id:"]
blocks = st.lists(st.sampled_from(EVENT) | st.binary(max_size=6), max_size=20)


@examples(500)
@given(blocks, st.integers(1, 7))
def test_events_do_not_depend_on_blocks(parts: list[bytes], size: int) -> None:
    stream = b"".join(parts)
    cut = [stream[at : at + size] for at in range(0, len(stream), size)]
    ways = [fed([stream]), fed(cut), fed([bytes([one]) for one in stream])]
    assert ways[0] == ways[1] == ways[2]


def fed(parts: list[bytes], limit: int = 64) -> list[bytes] | str:
    events = Events(limit)
    found: list[bytes] = []
    try:
        for part in parts:
            found += events.feed(part)
    except RemoteInvalid:
        return "too large"
    return found


@examples(60)
@given(st.lists(st.sampled_from(EVENT), min_size=1, max_size=4))
def test_events_are_linear(unit: list[bytes]) -> None:
    linear(lambda n: fed(unit * n, 1 << 20))
    linear(lambda n: fed([b"".join(unit) * n], 1 << 20))


# --- names, addresses, paths ---------------------------------------------------------------------

ODD = "hf: pkg: : / // .. . ~ @ # ? % + \\ http:// https:// localhost 127.0.0.1 [::1] [ ] :80 :0 :99999".split(" ")
ODD += ["user:pw@", "\x00", "\n", "é"]
odd = st.lists(st.sampled_from([*ODD, "owner", "repo", "file.gguf", " "]) | st.text(max_size=6), max_size=8).map(
    "".join
)


@examples(500)
@given(odd)
def test_names_and_addresses_are_taken_or_refused(text: str) -> None:
    for read in (naming.parse, naming.split_adapter, naming.check_name, addresses.checked, address_of):
        typed(lambda read=read: read(text))
    if (address := typed(lambda: addresses.checked(text))) is not None:
        assert address.startswith(("http://", "https://")) or address.lower().startswith(("http://", "https://"))
        assert "@" not in address.partition("//")[2].partition("/")[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "canary").write_text("CANARY")
    inside = folder / "root"
    inside.mkdir()
    (inside / "a.txt").write_text("inside")
    (inside / "away").symlink_to(folder)
    (inside / "canary").symlink_to(folder / "canary")
    return inside


steps_of_path = st.lists(
    st.sampled_from(["..", ".", "a.txt", "away", "canary", "", "/", "~", "\x00", "*", "%2e%2e", "root"])
    | st.text(max_size=4),
    max_size=6,
).map("/".join)


@examples(300)
@given(path=steps_of_path)
def test_no_path_leads_out(root: Path, path: str) -> None:
    for tool in file_tools.files(root):
        first = next(iter(tool.parameters["properties"]))
        found = typed(lambda tool=tool, first=first: tool.run({first: path}))
        assert "CANARY" not in json.dumps(found, default=str)
    given_root = typed(
        lambda: next(t for t in file_tools.files(root) if t.name == "read_file").run({"path": f"{root}/../canary"})
    )
    assert "CANARY" not in str(given_root)


# --- files of JSON -------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
BROKEN = [
    "{",
    "}",
    "[",
    "]",
    '"',
    ":",
    ",",
    "nul",
    "1e999",
    "-",
    '{"a":' * 3_000,
    "[" * 100_000,
    "\ud800",
    "9" * 5_000,
]
broken = st.lists(st.sampled_from(BROKEN) | st.text(max_size=4), max_size=6).map("".join)


@examples(200)
@given(broken | values.map(json.dumps))
def test_files_of_tools(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    path = tmp_path_factory.mktemp("tools", numbered=True) / "tools.json"
    path.write_bytes(body.encode(errors="surrogatepass"))
    typed(lambda: parse_command._tools(path))


@examples(200)
@given(st.lists(broken | st.fixed_dictionaries({"id": values, "text": values}).map(json.dumps), max_size=4))
def test_files_of_requests(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    path = tmp_path_factory.mktemp("batch", numbered=True) / "batch.jsonl"
    path.write_bytes("\n".join(rows).encode(errors="surrogatepass"))
    for asked in typed(lambda: list(lines.read(path))) or ():
        assert asked.error is None or isinstance(asked.error, InputInvalid)
    typed(lambda: list(parse_command._cases(path, {"family": "auto"}, False)))


# --- templates -----------------------------------------------------------------------------------

JINJA = (
    "{{ }} {% %} {# #} {%- -%} {{- -}} messages tools for m in messages endfor if endif else set x = 1 m.content "
    "m['role'] range(3) [0] ['__class__'] .__class__ .__init__.__globals__ |tojson |list |join('') |length "
    "|attr('__mro__') "
    "raise_exception('no') namespace(a=1) cycler() lipsum self loop.index macro f() endmacro f() 'text' ~ + * 9 ** % "
    "bos_token add_generation_prompt strftime_now('%Y') generation endgeneration break continue is defined"
).split(" ")
template = st.lists(st.sampled_from([*JINJA, " ", "\n"]) | st.text(max_size=5), max_size=24).map(" ".join)
whole = st.lists(
    st.sampled_from(JINJA[10:]).map(lambda word: "{{ " + word + " }}")
    | st.sampled_from(["{% for m in messages %}{{ m.content }}{% endfor %}", "{{ messages[0]['content'] }}", "text"]),
    max_size=6,
).map("".join)


@examples(300)
@given(template | whole)
def test_templates_render_or_fail(text: str) -> None:
    said = (Message("user", "SECRET <|im_end|>"),)
    made = typed(lambda: render(Render(1, text, said, tools=(ToolSpec("f"),), today="2000-01-01")))
    for segment in made.segments if made else ():
        assert "SECRET" not in segment.text or not segment.trusted


# --- schemas -------------------------------------------------------------------------------------

KEYWORDS = (
    "type properties required items enum anyOf oneOf allOf $ref $defs pattern format minimum maxItems const".split()
)
TERMS: list[Any] = [
    "string",
    "integer",
    "object",
    "array",
    "#/$defs/a",
    "#",
    "(a+)+$",
    "[",
    "date",
    -1,
    10**30,
    None,
    True,
    1.5,
]
schema = st.recursive(
    st.sampled_from(TERMS) | st.dictionaries(st.sampled_from(KEYWORDS), st.sampled_from(TERMS), max_size=3),
    lambda inner: (
        st.dictionaries(st.sampled_from([*KEYWORDS, "a", "b"]), inner | st.lists(inner, max_size=3), max_size=4)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=12,
)
schemas = st.dictionaries(st.sampled_from(KEYWORDS), schema, max_size=5)


@examples(400)
@given(schemas, values)
def test_schemas_are_written_out_or_refused(node: dict[str, Any], value: Any) -> None:
    written = typed(lambda: plain(node, "t"))
    if written is not None:
        list(problems(value, written))
        assert plain(written, "t") == written
        typed(lambda: grammar(Schema(written)))


BOMBS: dict[str, dict[str, Any]] = {
    "references that double": {
        "properties": {"x": {"$ref": "#/$defs/d0"}},
        "$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
        | {"d40": {"type": "null"}},
    },
    "a reference to itself": {"properties": {"x": {"$ref": "#"}}},
    "depth": json.loads('{"properties": {"x": ' * 200 + "{}" + "}}" * 200),
    "an option for each": {"properties": {"x": {"enum": [f"option {n}" for n in range(20_000)]}}},
    "repetition": {"properties": {"x": {"type": "array", "minItems": 10**6, "items": {"type": "string"}}}},
    "a pattern": {"properties": {"x": {"type": "string", "pattern": "^(((a{1,99}){1,99}){1,99}){1,99}$"}}},
    "many": {"properties": {f"p{n}": {"type": "string", "pattern": ".{0,500}"} for n in range(900)}},
}


@pytest.mark.parametrize("name", BOMBS)
def test_schema_bombs_end_in_the_worker(supervisor: Supervisor, name: str) -> None:
    """Written out or refused here; what is written out is lowered in the worker, which stays."""
    pid = supervisor.pid
    written = typed(lambda: plain(BOMBS[name], "t"))
    if written is not None:
        request = Generate((Segment("x", True),), max_tokens=2, constraint=Schema(written), deadline=60)
        typed(lambda: complete(supervisor, request))
        assert pid is None or supervisor.pid == pid, "the worker died of it"


@examples(60)
@given(schemas)
def test_what_is_written_out_can_be_tried_in_the_worker(supervisor: Supervisor, node: dict[str, Any]) -> None:
    pid = supervisor.pid
    written = typed(lambda: plain(node, "t"))
    if written is not None:
        request = Generate((Segment("x", True),), max_tokens=1, constraint=Schema(written))
        typed(lambda: complete(supervisor, request))
        assert pid is None or supervisor.pid == pid, "the worker died of it"


@pytest.mark.parametrize("levels", [LIMITS.schema_depth + 1, 64, 5_000])
def test_a_schema_over_the_depth_is_refused(levels: int) -> None:
    node: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        node = {"type": "object", "properties": {"x": node}}
    with pytest.raises(ToolInvalid):
        plain(node, "t")


# --- the tokenizer, in the worker ----------------------------------------------------------------


@pytest.mark.parametrize("unit", ["a", " ", "\n", "é", "\U0001f600", "<|im_start|>", "0", "\u0301"], ids=ascii)
def test_long_runs_are_tokenised(supervisor: Supervisor, unit: str) -> None:
    text = unit * (LIMITS.request_bytes // 4 // len(unit.encode()))
    pid = supervisor.pid
    done = complete(supervisor, Count((Segment(text, False),)))
    assert done.count > 0
    assert pid is None or supervisor.pid == pid, "the worker died of it"


# --- model files ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def writer() -> Iterator[ModuleType]:
    path = Path(__file__).parents[1] / "models" / "gguf_writer.py"
    spec = importlib.util.spec_from_file_location("gguf_writer", path)
    assert spec is not None and spec.loader is not None
    known = sys.modules.get("gguf_writer")
    module = known or importlib.util.module_from_spec(spec)
    if known is None:
        sys.modules["gguf_writer"] = module
        spec.loader.exec_module(module)
    yield module


edits = st.lists(
    st.tuples(
        st.integers(0, 1 << 16),
        st.sampled_from(
            [b"\0", b"\xff", b"\xff" * 8, b"\0" * 8, (1 << 31).to_bytes(8, "little"), (1 << 63).to_bytes(8, "little")]
        )
        | st.binary(min_size=1, max_size=9),
    ),
    max_size=4,
)


@examples(300)
@given(edits=edits, cut=st.none() | st.integers(0, 4_096))
def test_headers_are_read_or_refused(
    writer: ModuleType, tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, bytes]], cut: int | None
) -> None:
    body = bytearray(writer.small().write())
    for at, change in edits:
        at %= min(len(body), 8_192)
        body[at : at + len(change)] = change
    path = tmp_path_factory.mktemp("gguf", numbered=True) / "m.gguf"
    path.write_bytes(body[:cut])
    with contextlib.closing(gguf.open_model(path)) as file:
        typed(lambda: integrity.checked_header(file))
