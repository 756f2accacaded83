"""Command lines as they are typed, marks and all."""

from __future__ import annotations

import pytest

from linnet.calling.evidence.reading import Reading
from linnet.calling.ranking.commands import commands


def found(text: str) -> list[str]:
    return [candidate.value for candidate in commands(Reading(text))]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("stop the machine, using the exact command halt /p /t 5", "halt /p /t 5"),
        ("run git log --oneline -5 in a terminal", "git log --oneline -5"),
        ("Please run ./deploy.sh --dry-run now.", "./deploy.sh --dry-run"),
        ("can you execute `df -h` on this box?", "df -h"),
        ("the date, via echo %DATE%", "echo %DATE%"),
        ("Use cat notes.md | head -3. Then tell me what it says.", "cat notes.md | head -3"),
        ("run make -j4 in build with 2 retries", "make -j4"),
    ],
)
def test_a_line_is_taken_whole_and_no_further(text: str, line: str) -> None:
    assert line in found(text)


def test_the_words_that_it_covers_are_told() -> None:
    reading = Reading("please run ls -la /tmp in the shell")
    first = next(commands(reading))
    assert first.value == "ls -la /tmp" and reading.phrase(first.first, first.last) == "ls -la /tmp"


def test_without_a_word_that_announces_one_there_is_none() -> None:
    assert found("what is the weather") == [] and found("") == []


def test_how_many_are_made_is_bounded() -> None:
    assert len(found("run x and " * 1_000)) <= 100 and max(map(len, found("run " + "x" * 5_000))) <= 1_000
