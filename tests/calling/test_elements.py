"""Tags in free text as values, by a schema: lists, nesting, attributes, CDATA, and what is missing."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.calling.dialects.markup import escaped
from linnet.calling.elements import Elements
from linnet.errors import RequestTooLarge, ToolInvalid
from linnet.limits import LIMITS

STOP = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
SCHEMA: dict[str, Any] = {
    "properties": {
        "stop": {"type": "array", "items": STOP},
        "tags": {"type": "array", "items": {"type": "string"}},
        "note": {"type": "string"},
        "price": {"type": "number"},
        "ok": {"type": "boolean"},
        "owner": {"type": "dict", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
        "free": {"type": "object"},
        "any": {},
        "mixed": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]},
    }
}


def values(text: str) -> dict[str, Any]:
    found = Elements.of(text, SCHEMA)
    assert found.problems == ()
    return found.values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Sure! <price> 4.50 </price> and <ok>True</ok>.", {"price": 4.5, "ok": True}),
        ("no tags, 1 < 2 > 0", {}),
        ("<answer><x><note>hi</note></x></answer>", {"note": "hi"}),
        ("<tags>a</tags>", {"tags": ["a"]}),
        ("<tags>a</tags> or <tags>b</tags>", {"tags": ["a", "b"]}),
        ("<tags><tag>a</tag><tag>b</tag></tags>", {"tags": ["a", "b"]}),
        ("<tags>\n <tag>a</tag>\n</tags>\n<tags>b</tags>", {"tags": ["a", "b"]}),
        ('<tags>["a", "b"]</tags>', {"tags": ["a", "b"]}),
        ("<tags><b>bold</b> words</tags>", {"tags": ["<b>bold</b> words"]}),
        ("<tags/>", {"tags": []}),
        ("<stop><city>Oslo</city><days>2</days></stop>", {"stop": [{"city": "Oslo", "days": 2}]}),
        ('<stop city="Oslo" days="2"/>', {"stop": [{"city": "Oslo", "days": 2}]}),
        ("<stop city=Oslo ><days>2</days></stop >", {"stop": [{"city": "Oslo", "days": 2}]}),
        (
            "<stop><s><city>A</city><days>1</days></s><s city='B' days='2'/></stop>",
            {"stop": [{"city": "A", "days": 1}, {"city": "B", "days": 2}]},
        ),
        ('<owner name="A &amp; B"><age>7</age></owner>', {"owner": {"name": "A & B", "age": 7}}),
        ('<owner>{"name": "Ada", "age": 36}</owner>', {"owner": {"name": "Ada", "age": 36}}),
        ("<note>1 &lt; 2 &#233;&#xe9; &nbsp; &#0;</note>", {"note": "1 < 2 éé &nbsp; &#0;"}),
        ("<note>see <b>x</b> <note2>y</note2></note>", {"note": "see <b>x</b> <note2>y</note2>"}),
        ("<note><![CDATA[<ok>true</ok> & ]]></note>", {"note": "<ok>true</ok> & "}),
        ("<note>a<![CDATA[<b>]]>c<!-- <ok>true</ok> --></note>", {"note": "a<b>c"}),
        ("<!-- <ok>true</ok> --><?x <ok>true</ok> ?><ok>false</ok>", {"ok": False}),
        ("<free><x>1</x><x>2</x><y><z>q</z></y></free>", {"free": {"x": ["1", "2"], "y": {"z": "q"}}}),
        ("<any><x>1</x></any><mixed>a, b</mixed>", {"any": {"x": "1"}, "mixed": "a, b"}),
        ("<mixed><i>a</i><i>b</i></mixed>", {"mixed": ["a", "b"]}),
    ],
)
def test_values(text: str, wanted: dict[str, Any]) -> None:
    assert values(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted", "missing"),
    [
        ("<note>to the end", {"note": "to the end"}, ["note"]),
        ("<price>3<ok>true</ok>", {"price": 3, "ok": True}, ["price"]),
        ("<tags>a<tags>b<tags>c</tags>", {"tags": ["a", "b", "c"]}, ["tags"]),
        ("<tags><i>a<i>b</tags><ok>true</ok>", {"tags": ["a", "b"], "ok": True}, ["i"]),
        ("<x><note>in x</x> after", {"note": "in x"}, ["note"]),
        (
            "<stop><city>A<days>1<stop><city>B</city><days>2</days><note>n",
            {"stop": [{"city": "A", "days": 1}, {"city": "B", "days": 2}], "note": "n"},
            ["city", "days", "note", "stop"],
        ),
        ("<owner><name>Ada</owner></name><ok>true</ok>", {"owner": {"name": "Ada"}, "ok": True}, ["name"]),
    ],
)
def test_a_missing_end_tag_is_put_in_and_told(text: str, wanted: dict[str, Any], missing: list[str]) -> None:
    found = Elements.of(text, SCHEMA)
    assert found.values == wanted
    assert sorted(found.repairs) == [f"the end tag </{name}> was missing" for name in missing]


def test_what_is_doubtful_is_told() -> None:
    found = Elements.of("<ok>maybe</ok><note>a</note><note>b</note><stop><city>A</city></stop>", SCHEMA)
    assert found.values == {"ok": "maybe", "note": "a", "stop": [{"city": "A"}]}
    assert found.repairs == ("<note> is there 2 times; the first was taken",)
    assert sorted(path for path, _ in found.problems) == ["ok", "stop[0].days"]
    unclosed = Elements.of("<note><![CDATA[a < b</note>", SCHEMA)
    assert unclosed.values == {"note": "a < b"} and unclosed.repairs == ("the end of a CDATA section was missing",)


def test_bounds() -> None:
    with pytest.raises(RequestTooLarge):
        Elements.of(" " * (LIMITS.parse_chars + 1), SCHEMA)
    with pytest.raises(ToolInvalid):
        Elements.of("", {"properties": {"a": {"type": "nonsense"}}})
    most = LIMITS.markup_tags
    assert Elements.of("<i>" * (most - 2) + "<ok>true</ok>", SCHEMA) == Elements({"ok": True})
    cut = Elements.of("<i>" * (most - 1) + "<ok>true</ok>", SCHEMA)
    assert cut.repairs == (f"only the first {most:,} tags were read", "the end tag </ok> was missing")


HOSTILE = """< <!-- <![CDATA[ <? </x &# <a_ <a_x=' <a_x=" <a_b_c_d= <stop_city= <stop> </stop> <stop><city> <tags>
<stop><city>A <tags><i> <owner> <owner><name> <free><x>"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", [piece.replace("_", " ") for piece in HOSTILE.split()])
def test_hostile_texts_cost_one_pass(piece: str) -> None:
    """At this size a pass for each tag would take minutes, and the timeout would tell."""
    for head in ("", "<tags>"):
        found = Elements.of(head + piece * (60_000 // len(piece)), SCHEMA)
        assert len(found.repairs) < 20


WORDS = st.text(st.sampled_from("ab <>&;]é\"'"), min_size=1, max_size=12).map(str.strip).filter(bool)
STOPS = st.lists(st.fixed_dictionaries({"city": WORDS, "days": st.integers()}), min_size=1, max_size=4)


@given(STOPS, WORDS)
def test_what_is_written_as_xml_is_read_as_it_was(stops: list[dict[str, Any]], note: str) -> None:
    inside = [f"<stop><city>{escape(stop['city'])}</city><days>{stop['days']}</days></stop>" for stop in stops]
    text = f"Well: <note>{escaped(note)}</note>{' and '.join(inside)}"
    assert values(text) == {"stop": stops, "note": note}


@given(st.text(st.sampled_from("<>/!-[]CDATA abc=\"'&#x;stop"), max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    schema = {"properties": {name: SCHEMA["properties"]["stop"] for name in ("a", "b", "stop")}}
    Elements.of(text, schema)
