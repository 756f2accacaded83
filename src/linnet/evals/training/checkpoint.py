"""The state of a training on disk: one file, replaced whole, so that a kill at any moment costs what came after it.

Tensors as safetensors, which hold no code, and the rest as JSON in their header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linnet.errors import InputInvalid, StorageFull
from linnet.storage import FULL, write_whole


@dataclass(frozen=True)
class Check:
    """A look at the held-out examples after so many steps, tokens of text and seconds: the share of their lessons
    that come out right, the mean nats by which the right answers are less than certain, and the nats a token by which
    the model has moved on plain text."""

    step: int
    right: float
    nats: float
    kinds: Mapping[str, float]
    spelled: int = 0
    seconds: float = 0.0
    drift: float = 0.0


@dataclass(frozen=True)
class Progress:
    """How far it has come. `place` is that in the course, `seconds` what was spent, `losses` one for each step,
    `best` the number of the best check, and `spelled` the tokens of text that were learned from."""

    step: int = 0
    place: int = 0
    seconds: float = 0.0
    spelled: int = 0
    losses: tuple[float, ...] = ()
    checks: tuple[Check, ...] = ()
    best: int = -1


FILE = "state.safetensors"


def save(folder: Path, progress: Progress, tensors: Mapping[str, Any]) -> None:
    """Raises StorageFull, or InputInvalid for a folder that cannot be written to."""
    from safetensors.torch import save as encoded

    body = encoded({name: value.detach().contiguous().cpu() for name, value in tensors.items()}, _told(progress))
    try:
        write_whole(folder / FILE, body)
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"the training cannot be saved: {error.strerror}") from error
        raise InputInvalid(f"{str(folder)!r} cannot be written: {error.strerror}", path=str(folder)) from error


def load(folder: Path) -> tuple[Progress, dict[str, Any]] | None:
    """What was saved last; None where nothing was. Raises InputInvalid for a file that is none of ours."""
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.exists():
        return None
    try:
        with safe_open(str(path), "pt") as file:
            progress = _progress((file.metadata() or {})["progress"])
            return progress, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        message = f"{str(path)!r} cannot be gone on with: {str(error)[:200]}"
        raise InputInvalid(message, hint="Begin again in another folder.", path=str(path)) from error


def _told(progress: Progress) -> dict[str, str]:
    return {"progress": json.dumps(asdict(progress))}


def _progress(text: str) -> Progress:
    told = json.loads(text)
    checks = tuple(Check(**check) for check in told.pop("checks"))
    return Progress(**{**told, "losses": tuple(told["losses"])}, checks=checks)
