"""Arithmetic of memory, against numbers worked out by hand and measured ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.hardware.budget import (
    CONTEXT_LEAST,
    CONTEXT_STEP,
    HEADROOM,
    WORKER_BYTES,
    fit,
    gpu_layers,
    kv_bytes,
    largest,
    plan,
    size,
)
from linnet.hardware.footprint import Block, Shape, footprint
from linnet.limits import MIB

SMOLLM2 = kv_bytes(1, layers=30, kv_heads=3, head_dim_k=64, head_dim_v=64)


def test_kv_bytes_of_known_models() -> None:
    assert SMOLLM2 == 23_040
    assert kv_bytes(1_000, 30, 3, 64, 64) == 23_040_000, "the snapshot measured in EVIDENCE: 23 MB"
    assert kv_bytes(2_048, 30, 3, 64, 64) == 45 * MIB
    assert kv_bytes(1, 28, 8, 128, 128) == 114_688, "Qwen3-0.6B"
    assert kv_bytes(1_000, 30, 3, 64, 64, 34 / 32) == 12_240_000, "Q8_0"
    assert kv_bytes(1, 1, 1, 192, 128) == 640, "keys and values of different width"


def test_what_fits_is_left_as_wanted() -> None:
    found = fit(98_000_000, SMOLLM2, 4_096 * MIB, 4_096)
    assert (found.context, found.fits) == (4_096, True)
    assert found.worker_bytes == 98_000_000 + WORKER_BYTES + 4_096 * SMOLLM2


def test_the_bound_is_exact() -> None:
    whole = 98_000_000 + WORKER_BYTES + 4_096 * SMOLLM2
    enough = next(n for n in range(int(whole / (1 - HEADROOM)) - 2, 2 * whole) if int(n * (1 - HEADROOM)) >= whole)
    assert fit(98_000_000, SMOLLM2, enough, 4_096).fits
    short = fit(98_000_000, SMOLLM2, enough - 2, 4_096)
    assert (short.context, short.fits) == (4_096 - CONTEXT_STEP, False)
    assert "4096 tokens need" in short.why
    assert "3840 tokens fit" in short.why


def test_nothing_fits_says_what_would_be_needed() -> None:
    found = fit(8_000 * MIB, SMOLLM2, 4_000 * MIB, 4_096)
    assert (found.context, found.fits) == (0, False)
    assert "even 512 tokens need 8.0 GiB" in found.why


def test_unknown_memory_holds_all_and_says_so() -> None:
    found = fit(98_000_000, SMOLLM2, None, 4_096)
    assert (found.context, found.fits) == (4_096, True)
    assert "unknown" in found.why


@given(
    weights=st.integers(0, 1 << 36),
    per_token=st.integers(0, 1 << 20),
    available=st.integers(0, 1 << 38),
    wanted=st.integers(1, 1 << 18),
)
def test_an_offer_never_exceeds_the_wish_or_the_memory(
    weights: int, per_token: int, available: int, wanted: int
) -> None:
    found = fit(weights, per_token, available, wanted)
    assert 0 <= found.context <= wanted
    assert found.fits == (found.context == wanted)
    assert found.worker_bytes == weights + WORKER_BYTES + found.context * per_token
    if found.context:
        assert found.worker_bytes <= available * (1 - HEADROOM)
        assert found.fits or (found.context >= CONTEXT_LEAST and found.context % CONTEXT_STEP == 0)
    more = fit(weights, per_token, available + (1 << 30), wanted)
    assert more.context >= found.context


# --- from a shape --------------------------------------------------------------------------------

SHAPE = Shape(92 * MIB, (Block(192, 192),) * 30, 576, 1_536, 960, 49_152, 48_900, heads=9)


def enough(need: int) -> int:
    """The least available memory of which so much is usable."""
    return next(n for n in range(int(need / (1 - HEADROOM)) - 2, 2 * need) if int(n * (1 - HEADROOM)) >= need)


def test_a_plan_that_fits_is_left_as_wanted() -> None:
    need = footprint(SHAPE, 4_096).needed
    found = plan(SHAPE, enough(need), 4_096)
    assert (found.context, found.fits, found.worker_bytes, found.by_cache) == (4_096, True, need, ())
    assert plan(SHAPE, None, 4_096).fits and "unknown" in plan(SHAPE, None, 4_096).why


def test_a_plan_that_does_not_fit_offers_the_largest_that_does() -> None:
    found = plan(SHAPE, enough(footprint(SHAPE, 4_096).needed) - 2, 4_096)
    assert (found.fits, found.context) == (False, 4_096 - CONTEXT_STEP)
    assert dict(found.by_cache) == {"f16": 3_840, "q8_0": 4_096, "q4_0": 4_096}
    assert found.worker_bytes == footprint(SHAPE, 3_840).needed
    assert "3840 tokens fit" in found.why


def test_a_plan_without_hope_says_what_would_be_needed() -> None:
    found = plan(SHAPE, 100 * MIB, 4_096)
    assert (found.fits, found.context) == (False, 0)
    assert found.by_cache == (("f16", 0), ("q8_0", 0), ("q4_0", 0))
    assert f"even 512 tokens need {size(footprint(SHAPE, 512).needed)}" in found.why


@given(usable=st.integers(0, 2_000 * MIB), most=st.integers(128, 1 << 17))
def test_the_largest_context_fits_and_the_next_one_does_not(usable: int, most: int) -> None:
    found = largest(SHAPE, usable, most)
    assert found in (0, most) or found % CONTEXT_STEP == 0
    assert 0 <= found <= most
    if found:
        assert footprint(SHAPE, found).needed <= usable
    if found != most and most > CONTEXT_LEAST:
        assert footprint(SHAPE, min(most, max(found + CONTEXT_STEP, CONTEXT_LEAST))).needed > usable


def test_layers_for_a_gpu() -> None:
    each = (92 * MIB + footprint(SHAPE, 4_096).cache) / 30
    beside = footprint(SHAPE, 4_096).compute + footprint(SHAPE, 4_096).logits
    assert gpu_layers(SHAPE, 0, 4_096) == gpu_layers(SHAPE, beside, 4_096) == 0
    assert gpu_layers(SHAPE, int((beside + 10.5 * each) / (1 - HEADROOM)), 4_096) == 10
    assert gpu_layers(SHAPE, 8_192 * MIB, 4_096) == 30, "all of them, and no more"


def test_size() -> None:
    assert [size(n) for n in (0, 98 * MIB, 1_536 * MIB)] == ["0.0 MiB", "98.0 MiB", "1.5 GiB"]
