"""Which library may use matrix tiles, by its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from linnet.hardware import tiles

HEADER = Path(__file__).parents[2] / "native" / "tiles.h"


def test_the_header_adds_the_mark_that_is_looked_for() -> None:
    assert f" {tiles.MARK} = 1;" in HEADER.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("body", "marked"),
    [(b"", False), (b"\x7fELF" + bytes(9_000), False), (bytes(5_000) + tiles.MARK.encode() + b"\0", True)],
)
def test_a_library_says_so_by_its_symbol(body: bytes, marked: bool, tmp_path: Path) -> None:
    library = tmp_path / "libggml-cpu.so"
    library.write_bytes(body)
    assert tiles.marked(library) is marked


def test_what_cannot_be_read_has_no_mark(tmp_path: Path) -> None:
    assert not tiles.marked(tmp_path / "none") and not tiles.marked(tmp_path)


def test_the_installed_engine_says_the_same_to_those_who_load_it() -> None:
    import subprocess
    import sys

    program = "from linnet.worker.library import bindings; from linnet.hardware import tiles\n"
    program += "print(hasattr(bindings()._lib, tiles.MARK), tiles.usable())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded, read = done.stdout.split()
    assert loaded == read
