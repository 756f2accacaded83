"""The processor's matrix tiles (AMX): whether the engine that is installed may use them.

llama.cpp as GCC compiles it sets tiles up with whatever the stack holds, and crashes by chance. One that was compiled
with `native/tiles.h` says so by a symbol, which is looked for in its file: nothing native is loaded.
"""

from __future__ import annotations

import mmap
from functools import cache
from importlib import metadata
from pathlib import Path

from linnet.hardware.accelerators import ENGINE

MARK = "linnet_tiles_are_whole"
"""The symbol that `native/tiles.h` adds to the engine's library."""

FEATURES = frozenset({"amx_tile", "amx_int8", "amx_bf16"})


@cache
def usable() -> bool:
    """Whether the installed engine sets tiles up as they should be. Never raises."""
    try:
        files = metadata.files(ENGINE) or []
    except metadata.PackageNotFoundError:
        return False
    return any(marked(Path(str(file.locate()))) for file in files if "ggml-cpu" in file.name)


def marked(library: Path) -> bool:
    """Whether a library has the mark; not if it cannot be read."""
    try:
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
            return body.find(MARK.encode()) >= 0
    except (OSError, ValueError):
        return False
