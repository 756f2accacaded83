"""A conversation in a file: what `/save` writes, and `/load` and `--resume` read.

Nothing in such a file is trusted: who wrote it may have wanted to be taken for the template.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, RequestTooLarge, StorageFull, StoreUnavailable
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.storage import FULL, write_whole

KIND = "linnet conversation"
VERSION = 1

_ROLES = ("user", "assistant")


def save(path: Path, history: Sequence[Message], model: str) -> None:
    """The file is whole or not there. Raises InputInvalid for a place that is none, or another program's file."""
    if not path.parent.is_dir():
        raise InputInvalid(f"there is no folder {str(path.parent)!r}", hint="Make it first.", path=str(path))
    if path.exists() and not _is_ours(path):
        hint = "Name another file: only a saved conversation is written over."
        raise InputInvalid(f"{str(path)!r} is there, and is no conversation", hint=hint, path=str(path))
    messages = [{"role": message.role, "content": message.content} for message in history]
    value = {"kind": KIND, "version": VERSION, "model": model, "messages": messages}
    body = json.dumps(value, ensure_ascii=False, indent=1).encode(errors="replace") + b"\n"
    _check_size(len(body), path)
    try:
        write_whole(path, body)
    except OSError as error:
        kind = StorageFull if error.errno in FULL else StoreUnavailable
        raise kind(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error


def load(path: Path) -> tuple[Message, ...]:
    """Raises InputInvalid for a file that is no saved conversation, RequestTooLarge for one over the limit."""
    value = _read(path)
    if not isinstance(value, dict) or value.get("kind") != KIND:
        raise _invalid(path, f"it has no `kind` of {KIND!r}")
    if value.get("version") != VERSION:
        raise _invalid(path, f"its version is {value.get('version')!r}, and {VERSION} is known here")
    messages = value.get("messages")
    if not isinstance(messages, list):
        raise _invalid(path, "its `messages` are no list")
    return tuple(_message(path, number, message) for number, message in enumerate(messages, 1))


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            body = file.read(LIMITS.conversation_bytes + 1)
    except OSError as error:
        hint = "Name a file that /save has written."
        raise InputInvalid(f"{str(path)!r} cannot be read: {error.strerror}", hint=hint, path=str(path)) from error
    _check_size(len(body), path)
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _invalid(path, f"it is not JSON: {error}") from error


def _message(path: Path, number: int, value: Any) -> Message:
    match value:
        case {"role": str(role), "content": str(content), **rest} if role in _ROLES and not rest:
            return Message("user" if role == "user" else "assistant", content)
    raise _invalid(path, f"message {number} is not a role ({', '.join(_ROLES)}) and a content")


def _is_ours(path: Path) -> bool:
    try:
        load(path)
    except (InputInvalid, RequestTooLarge):
        return False
    return True


def _check_size(size: int, path: Path) -> None:
    if size > LIMITS.conversation_bytes:
        message = f"{str(path)!r} is over {LIMITS.conversation_bytes:,} bytes"
        raise RequestTooLarge(message, hint="Begin another conversation.", limit=LIMITS.conversation_bytes)


def _invalid(path: Path, why: str) -> InputInvalid:
    return InputInvalid(f"{str(path)!r} is no saved conversation: {why}", path=str(path))
