"""What encodings are compared on: passages such as agents read, and prompts such as they are given."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


def passages() -> tuple[str, ...]:
    """Some forty: instructions, calls, results, logs, code, tables, letters, ten languages; 40 to 120 tokens each."""
    return tuple(_data()["texts"])


def prompts() -> tuple[str, ...]:
    """Fifty short requests to a chat model."""
    return tuple(_data()["prompts"])


def version() -> str:
    return str(_data()["version"])


@cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
    return found
