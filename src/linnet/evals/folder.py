"""A folder of data with one file for each category: which there are, and their bytes."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from linnet.errors import InputInvalid


def read(folder: Path, suffix: str, categories: Sequence[str] = ()) -> dict[str, bytes]:
    """`{category: bytes of CATEGORY.suffix}`, of every one in the folder when none is named.

    Raises InputInvalid for a folder or a category that is not there, or a file that cannot be read.
    """
    known = _known(folder, suffix)
    for category in categories:
        if category not in known:
            raise _unknown(category, known, folder)
    return {category: read_file(folder / f"{category}{suffix}") for category in categories or known}


def read_file(path: Path) -> bytes:
    """Without a byte order mark. Raises InputInvalid for a file that cannot be read."""
    try:
        return path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        hint = "Name a file that is there and may be read."
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", hint=hint, path=str(path)) from error


def _known(folder: Path, suffix: str) -> list[str]:
    hint = f"Name a folder with one CATEGORY{suffix} for each category, as --data."
    if not folder.is_dir():
        raise InputInvalid(f"there is no data folder {str(folder)!r}", hint=hint, path=str(folder))
    found = sorted(path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}"))
    if not found:
        raise InputInvalid(f"the data folder {str(folder)!r} has no {suffix} files", hint=hint, path=str(folder))
    return found


def _unknown(category: str, known: Sequence[str], folder: Path) -> InputInvalid:
    near = difflib.get_close_matches(category, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
    return InputInvalid(f"{str(folder)!r} has no category {category!r}", hint=hint, category=category)
