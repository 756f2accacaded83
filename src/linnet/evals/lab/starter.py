"""The case file to begin with."""

from __future__ import annotations

from pathlib import Path

STARTER = Path(__file__).with_name("starter.yaml").read_text(encoding="utf-8")
"""Of six cases and three prompts; it runs in seconds with the default model."""
