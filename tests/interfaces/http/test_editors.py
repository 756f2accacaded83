"""The example for Neovim, in Neovim itself, over the real model."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples" / "neovim.lua"
CODE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return\nprint(add(1, 2))\n"

pytestmark = pytest.mark.skipif(shutil.which("nvim") is None, reason="nvim is not installed")


def edited(folder: Path, url: str, *commands: str) -> tuple[str, str]:
    """The text after these commands on it, and what was complained of."""
    file = folder / "code.py"
    file.write_text(CODE)
    given = [word for one in (f"let g:linnet_url = '{url}'", f"luafile {EXAMPLE}", *commands) for word in ("-c", one)]
    done = subprocess.run(
        ["nvim", "--headless", "--clean", "-n", str(file), *given, "-c", "wq"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "HOME": str(folder), "NO_PROXY": "127.0.0.1"},
    )
    return file.read_text(), done.stderr


def test_neovim_fills_the_line_at_the_cursor(server: str, tmp_path: Path) -> None:
    text, complaint = edited(tmp_path, server, "set virtualedit=onemore", "call cursor(6, 11)", "LinnetFill")
    lines = text.splitlines()
    assert "linnet:" not in complaint and "Error" not in complaint
    assert lines[5].startswith("    return ") and "a - b" in lines[5]
    assert [*lines[:5], *lines[6:]] == [*CODE.splitlines()[:5], *CODE.splitlines()[6:]], "nothing else is changed"


def test_neovim_says_why_nothing_came(tmp_path: Path) -> None:
    text, complaint = edited(tmp_path, "http://127.0.0.1:9", "LinnetFill")
    assert text == CODE and "linnet: " in complaint
