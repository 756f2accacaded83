"""What fits: arithmetic on facts, no I/O.

Hides the policy. The numbers behind it are measured ones (EVIDENCE: SmolLM2-135M on two cores).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from linnet.hardware.footprint import DEFAULT_CACHE, Shape, cache_bytes, footprint
from linnet.limits import KIB, MIB

WORKER_BYTES = 160 * MIB
"""What a worker takes besides weights and KV, where nothing is known of a model but its size.

With a header, `plan` says it: 118 MiB for SmolLM2-135M, twice that while it scores long texts.
"""

HEADROOM = 0.1
"""Share of the available memory that is left alone: what is available now is not so a minute later."""

CONTEXT_STEP, CONTEXT_LEAST = 256, 512
"""Tokens: a reduced context is a multiple of the first, and below the second no request fits."""


OFFERED = (DEFAULT_CACHE, "q8_0", "q4_0")
"""Types of KV cache for which a refusal tells the largest context. Workers have the first."""


@dataclass(frozen=True)
class Fit:
    """`context` in tokens (0 if nothing fits), `worker_bytes` for that context, and `why` in a sentence.

    `fits` is false when the wanted context does not; a smaller `context` may then still be offered.
    `by_cache` then has the largest context for each type of KV cache, in tokens.
    """

    context: int
    fits: bool
    worker_bytes: int
    why: str
    by_cache: tuple[tuple[str, int], ...] = ()


def kv_bytes(
    context: int, layers: int, kv_heads: int, head_dim_k: int, head_dim_v: int, bytes_per_element: float = 2
) -> int:
    """Bytes of the KV cache for `context` tokens: in every layer a key and a value for each KV head.

    2 bytes an element is F16. A quantised cache has fractions: 1.0625 for Q8_0 (34 bytes for 32 elements).
    """
    return math.ceil(context * layers * kv_heads * (head_dim_k + head_dim_v) * bytes_per_element)


def fit(weights_bytes: int, kv_per_token: int, available: int | None, wanted_context: int) -> Fit:
    """As `plan`, for a model of which only these two sizes are known or guessed."""
    fixed = weights_bytes + WORKER_BYTES
    whole = fixed + wanted_context * kv_per_token
    if available is None:
        return Fit(wanted_context, True, whole, "the available memory is unknown, so nothing is held back")
    usable = int(available * (1 - HEADROOM))
    if whole <= usable:
        return Fit(wanted_context, True, whole, f"{size(whole)} of {size(usable)} usable")
    room = (usable - fixed) // max(1, kv_per_token) // CONTEXT_STEP * CONTEXT_STEP
    need = f"{wanted_context} tokens need {size(whole)}, {size(usable)} are usable"
    if room < CONTEXT_LEAST:
        least = fixed + CONTEXT_LEAST * kv_per_token
        return Fit(0, False, fixed, f"{need}; even {CONTEXT_LEAST} tokens need {size(least)}")
    return Fit(room, False, fixed + room * kv_per_token, f"{need}; {room} tokens fit")


def plan(shape: Shape, available: int | None, wanted: int, cache: str = "") -> Fit:
    """The largest context up to the wanted one that `available` bytes hold; unknown memory holds all.

    Weights count in full: mapped pages can be dropped, but every token reads all of them again. Pages that were
    copied into another layout do not count. Scoring does: it comes without warning.
    """
    whole = footprint(shape, wanted, cache).needed
    if available is None:
        return Fit(wanted, True, whole, "the available memory is unknown, so nothing is held back")
    usable = int(available * (1 - HEADROOM))
    if whole <= usable:
        return Fit(wanted, True, whole, f"{size(whole)} of {size(usable)} usable")
    by_cache = tuple((kind, largest(shape, usable, wanted, kind)) for kind in OFFERED)
    room = largest(shape, usable, wanted, cache)
    need = f"{wanted} tokens need {size(whole)}, {size(usable)} are usable"
    if room:
        return Fit(room, False, footprint(shape, room, cache).needed, f"{need}; {room} tokens fit", by_cache)
    least = footprint(shape, CONTEXT_LEAST, cache).needed
    return Fit(0, False, least, f"{need}; even {CONTEXT_LEAST} tokens need {size(least)}", by_cache)


def largest(shape: Shape, usable: int, most: int, cache: str = "") -> int:
    """The largest context up to `most` for which these bytes are enough, in steps; 0 if none is."""
    if footprint(shape, most, cache).needed <= usable:
        return most
    low, high = 0, most // CONTEXT_STEP  # `high` steps may be what was just refused
    while low < high:
        middle = (low + high + 1) // 2
        if footprint(shape, middle * CONTEXT_STEP, cache).needed <= usable:
            low = middle
        else:
            high = middle - 1
    return low * CONTEXT_STEP if low * CONTEXT_STEP >= CONTEXT_LEAST else 0


def contexts(wanted: int) -> tuple[int, ...]:
    """The wanted context and the smaller ones that can stand in for it, in tokens; the largest first."""
    below = range((wanted - 1) // CONTEXT_STEP * CONTEXT_STEP, CONTEXT_LEAST - 1, -CONTEXT_STEP)
    return (wanted, *below)


def gpu_layers(shape: Shape, memory: int, context: int) -> int:
    """How many layers a GPU with so many free bytes holds, each with its part of the KV cache.

    What one step computes in, and the logits of one, must be there as well. Never tried: there was no GPU.
    """
    parts = footprint(shape, context)
    usable = int(memory * (1 - HEADROOM)) - parts.compute - parts.logits
    count = len(shape.blocks)
    each = (shape.weights + cache_bytes(shape, context)) / max(1, count)
    return max(0, min(count, int(usable / max(1.0, each))))


def size(count: int) -> str:
    """Bytes for people: `1.5 GiB`, `98 MiB`."""
    unit, name = (KIB * MIB, "GiB") if count >= KIB * MIB else (MIB, "MiB")
    return f"{count / unit:.1f} {name}"
