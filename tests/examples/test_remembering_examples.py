"""The examples of conversations, memory and caches run, and show what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def lines(name: str) -> list[str]:
    command = [sys.executable, str(EXAMPLES / name)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()


def test_a_conversation() -> None:
    said = lines("conversation.py")
    assert said[0].startswith("12 messages were said, ") and not said[0].startswith("12 messages were said, 0")
    assert said[1] == "user: My name is Ada and I keep bees."
    assert "'older': 9" in said[2] or "'older': 1" in said[2]


def test_a_memory() -> None:
    said = lines("memory.py")
    assert said[0] == "I will remember: my sister is called Ingrid."
    assert said[-3] == "['1 facts that share words with the request']"
    assert said[-2:] == [
        "['My sister is called Sigrid.']",
        "[] ['What is my sister called?', 'Remember that my sister is called Ingrid.']",
    ]


def test_vectors_of_texts() -> None:
    said = lines("embed.py")
    assert len(said) == 4 and said[0].endswith("How long does a delivery take?")


def test_a_cache() -> None:
    first, second = (line for line in lines("cache.py") if line[:5] in ("model", "cache"))
    assert first.startswith("model ") and second.startswith("cache 0 ")
    assert first.split(" ", 2)[2] == second.split(" ", 2)[2]
