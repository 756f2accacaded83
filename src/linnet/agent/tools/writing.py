"""Two tools that change files below one folder, and nowhere else: write and delete.

Hides how a change is made in one step. The folder of a file is opened below the root as `Root` does it, and all that
follows starts from that descriptor: text goes into a new file there, which takes the name when it is whole and on the
disk; a reader sees the old text or the new one. No link is ever followed at the last step, and nothing is written
through a hard link, for a new file takes its place.

Covered: what `root.py` says; links, folders, FIFOs and devices in the place of the file; a full disk; Linnet's own
places (own.py), by whatever name they are reached. Not covered: a folder that somebody moves out of the root in
mid-write; folders are not made; whoever else may write in the root; files that other programs obey, such as
`.git/hooks`: keep them out of a root that may be written.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from linnet.agent.tools import own
from linnet.agent.tools.define import bound, define, flag, note, text
from linnet.agent.tools.files import AFTER, BEFORE, FILE, quotation
from linnet.agent.tools.root import Root, called, printable, told
from linnet.errors import ToolDenied, ToolFailed
from linnet.limits import LIMITS
from linnet.storage import FULL
from linnet.tools import Permission, Rule, Tool

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def writing(root: str | Path, own_places: Iterable[Path] = ()) -> tuple[Tool, ...]:
    """`write_file` and `delete_file`, confined to `root`; what is in `own_places` is left alone there. Raises
    ToolInvalid for no folder."""
    held, guard = Root(root), own.Guard(own_places)
    write, delete = definitions()
    return bound(write, partial(_write, held, guard)), bound(delete, partial(_delete, held, guard))


def definitions() -> tuple[Tool, ...]:
    """The same tools without a function."""
    return (
        define(
            "write_file",
            "Writes text into a file.",
            {"path": text("the file, such as notes.txt or docs/plan.md"), "text": text("the words to write", 0)},
            {"append": flag("true to add at the end and keep what the file says")},
            Permission.WRITE_FILES,
            answer="Written to {path}.",
            rules=[Rule(extract=_wants_writing)],
            examples=['Write "buy milk" into todo.txt', "Save the text hello world as greeting.md"],
        ),
        define(
            "delete_file",
            "Deletes a file.",
            {"path": text("the file, such as old.txt or tmp/cache.json")},
            {},
            Permission.WRITE_FILES,
            answer="{path} is deleted.",
            rules=[
                Rule(prefix="delete:", to="path"),
                Rule(pattern=rf"{BEFORE}(?:delete|remove|erase)(?: the)?(?: file)? {FILE}{AFTER}"),
            ],
            examples=["Delete the file draft.txt", "Remove build/output.log"],
        ),
    )


def _wants_writing(text: str) -> dict[str, str] | None:
    """`Write "buy milk" into todo.txt`, `add "eggs" to list.txt`: with quotation marks only, so that there is no
    doubt about where the words end."""
    place = rf"(?:in|into|to|as)(?: the)?(?: file)? {FILE}"
    form = rf"{BEFORE}(?P<verb>write|save|put|add|append) {quotation('text')} {place}{AFTER}"
    found = re.fullmatch(form, text, re.IGNORECASE)
    if not found:
        return None
    adds = found["verb"].lower() in ("add", "append")
    return {"text": found["text"], "path": found["path"], "append": "true" if adds else "false"}


# --- what they do --------------------------------------------------------------------------------


def _write(root: Root, guard: own.Guard, path: str, text: str, append: bool) -> dict[str, Any]:
    data = _encoded(text)
    with _place(root, guard, path) as (folder, name):
        before = _regular(folder, name, path)
        old = _contents(root, path) if append and before else b""
        if old and not old.endswith(b"\n"):
            old += b"\n"  # what is added has a line of its own
        if len(old) + len(data) > LIMITS.file_write_bytes:
            size, most = len(old) + len(data), LIMITS.file_write_bytes
            raise ToolFailed(f"{called(path)} would have {size:,} bytes, over {most:,}", limit=most)
        _replace(folder, name, old + data, stat.S_IMODE(before.st_mode) & 0o777 if before else None)
    replaced = before.st_size if before and not append else 0
    return {
        "path": printable(path),
        "bytes": len(old) + len(data),
        "created": before is None,
        "replaced": replaced,
        "note": note([f"{replaced:,} bytes that it had are replaced"] if replaced else []),
    }


def _delete(root: Root, guard: own.Guard, path: str) -> dict[str, Any]:
    with _place(root, guard, path) as (folder, name):
        before = _regular(folder, name, path)
        if before is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)
    return {"path": printable(path), "bytes": before.st_size}


@contextmanager
def _place(root: Root, guard: own.Guard, path: str) -> Iterator[tuple[int, bytes]]:
    """The opened folder of a path, and its last name. Raises ToolDenied and ToolFailed, in words, also for what goes
    wrong inside."""
    with told(path, "changed"), root.parent(path) as (folder, name):
        if guard.holds(folder, name):
            hint = "Linnet's settings, store and code are the user's to change."
            raise ToolDenied(f"{called(path)} is Linnet's own", hint=hint)
        yield folder, name


def _regular(folder: int, name: bytes, path: str) -> os.stat_result | None:
    """What has the name now, None for nothing; a regular file or an error."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        raise ToolDenied(f"{called(path)} is a link", hint="Name the file that it leads to.")
    if not stat.S_ISREG(found.st_mode):
        raise ToolFailed(f"{called(path)} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'not a regular file'}")
    return found


def _contents(root: Root, path: str) -> bytes:
    with root.read(path) as file:
        return file.read(LIMITS.file_write_bytes + 1)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailed("the text has half a character in it, which no file can hold") from error


def _replace(folder: int, name: bytes, data: bytes, mode: int | None) -> None:
    """A whole file under that name, or none: written beside, then renamed."""
    beside = f".linnet-{secrets.token_hex(8)}.part".encode()
    descriptor = os.open(beside, _NEW, 0o666 if mode is None else 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        if error.errno in FULL:
            raise ToolFailed("the disk has no room for it", hint="Free space on the disk.") from error
        raise
    os.fsync(folder)
