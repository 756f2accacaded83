"""Placeholders that nobody filled."""

from __future__ import annotations

import pytest

from linnet.calling.evidence.placeholders import placeholders
from linnet.calling.evidence.reading import Reading


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call {{name}} about {{ the subject }} and {{name}}", ("{{name}}", "{{ the subject }}")),
        ("What does `{{ user }}` do in Jinja?", ()),
        ('Write "Hello {{name}}" into a.txt', ()),
        ("```\n{{x}}", ()),
        (r"\frac{{a}}{{b}} and \textbf{{c}}", ()),
        ("the branch ${{ github.ref }}", ()),
        ("{{name}}, ({{age}})", ("{{name}}", "{{age}}")),
        ("{name} {{}} {{a\nb}} {{{{", ()),
    ],
)
def test_which_are_found(text: str, expected: tuple[str, ...]) -> None:
    assert placeholders(text) == expected


def test_a_placeholder_is_one_word_of_a_request() -> None:
    reading = Reading("Call {{first name}} tomorrow")
    assert [word.text for word in reading.words] == ["Call", "{{first name}}", "tomorrow"]
    assert reading.phrase(0, 1) == "Call {{first name}}"
