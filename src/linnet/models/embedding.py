"""How a model's vectors of texts are made: by its header, or by what was found out about its states.

A model that was made for embedding says in its header how its states are pooled. Of another one the states in the
middle are a likeness of a text, once what all texts have in common is taken off them: that was fitted for the default
model (`hidden.json`, docs/embed.md) and is known for no other.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

from linnet.limits import LIMITS
from linnet.models.architectures import ENCODERS, HYBRID, STATE_SPACE, WITHOUT_HEADS
from linnet.models.encoders import POOLINGS
from linnet.models.gguf import Header
from linnet.vectors import Embeds, Pooling


def pooling_of(header: Header, sha256: str | None) -> Pooling | None:
    """How texts are embedded by the model with this checked header, whose file has this digest; None if it cannot."""
    named = header.architecture
    width, context = header.integer(f"{named}.embedding_length") or 0, header.integer(f"{named}.context_length") or 1
    window = min(context, LIMITS.embedded_tokens)
    if not 0 < width <= LIMITS.vector_width:
        return None
    how: Any = POOLINGS.get(header.integer(f"{named}.pooling_type") or 0)
    if named in ENCODERS:
        return how and Pooling(how, width, window, whole=True, only=True)
    if named in HYBRID | STATE_SPACE | WITHOUT_HEADS:
        return None  # states are not read out of these
    if how:
        return Pooling(how, width, window)
    return _fitted(sha256, width, window) if sha256 else None


def embeds(pooling: Pooling) -> Embeds:
    """The same, for those who ask what a model can do."""
    if pooling.layer < 0:
        return Embeds(pooling.width, f"a model made for it, {pooling.how} of its last states", True)
    return Embeds(pooling.width, f"states behind block {pooling.layer}, {pooling.how}, centred", False)


def _fitted(sha256: str, width: int, window: int) -> Pooling | None:
    row = _table().get(sha256)
    if row is None or row["width"] != width:
        return None
    centre, leave_out = (base64.b64decode(row[name]) for name in ("centre", "leave_out"))
    return Pooling("mean", width, window, row["layer"], centre=centre, leave_out=leave_out)


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(__file__).with_name("hidden.json").read_text(encoding="ascii"))
    return found
