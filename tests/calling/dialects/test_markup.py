"""What counts as a tag, and what a value says once its markup is taken off."""

from __future__ import annotations

import pytest

from linnet.calling.dialects.markup import extract, tags, unescaped
from linnet.limits import LIMITS


def test_tags_and_their_attributes() -> None:
    text = "a <b x='1' y=\"&lt;\" z=3 on>t</b > <!-- <c> --> <d/> <![CDATA[<e>]]> <?f <g> ?> 1 <2> < h> <i j"
    assert [(tag.name, tag.closes, tag.empty) for tag in tags(text)] == [
        ("b", False, False),
        ("b", True, False),
        ("d", False, True),
    ]
    first = next(tags(text))
    assert first.attributes == {"x": "1", "y": "<", "z": "3"} and text[first.end] == "t"
    assert next(tags("<a k=1 k=2>")).attributes == {"k": "1"}, "the first counts"


def test_what_is_never_closed_is_text() -> None:
    assert [tag.name for tag in tags("<!-- <a> <![CDATA[ <b> <? <c>")] == ["a", "b", "c"]


def test_extraction_looks_into_no_section() -> None:
    text = '<o id="1"><k><![CDATA[<l>1</l>]]></k><!-- <m>2</m> --><n/></o>'
    assert extract(text) == {"o": {"k": "<l>1</l>", "n": ""}}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a &amp;&lt;&gt;&quot;&apos; &eacute;", "a &<>\"' &eacute;"),
        ("&#65;&#x42;&#10;", "AB\n"),
        ("&#0;&#xD800;&#x110000;&#99999999;", "&#0;&#xD800;&#x110000;&#99999999;"),
        ("a <![CDATA[&amp;]]> &amp;", "a &amp; &"),
        (" <![CDATA[ x ]]>\n", " x "),
        ("a<!-- b -->c", "ac"),
        ("a<!-- b", "a<!-- b"),
        ("a<![CDATA[b &amp;", "a<![CDATA[b &"),
    ],
)
def test_values_as_xml_writes_them(written: str, text: str) -> None:
    assert unescaped(written) == text


def test_depth_and_number_are_bounded() -> None:
    deep = LIMITS.schema_depth + 1
    assert "<a>" in str(extract("<a>" * deep + "x" + "</a>" * deep))
    most = LIMITS.markup_tags // 2
    assert len(extract("<a>1</a>" * (most + 1))["a"]) == most
