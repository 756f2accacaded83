"""What would fit: typical models have the sizes of the real ones, and a machine takes what it has room for."""

from __future__ import annotations

import pytest

from linnet.hardware.machine import Machine
from linnet.hardware.prospects import SHARE, prospects
from linnet.hardware.typical import QUANTISATIONS, TYPICAL, Typical, sized
from linnet.limits import KIB, MIB

GIB = KIB * MIB
BY_SIZE = {model.size: model for model in TYPICAL}


@pytest.mark.parametrize(
    ("model", "quantisation", "gigabytes"),
    [
        ("0.1B", "BF16", 0.271),
        ("1B", "Q4_K_M", 0.808),
        ("1B", "Q8_0", 1.32),
        ("1.5B", "Q8_0", 1.65),
        ("3B", "Q4_K_M", 2.02),
        ("7B", "Q4_K_M", 4.37),
        ("8B", "Q4_K_M", 4.92),
        ("8B", "BF16", 16.07),
        ("14B", "Q4_K_M", 8.99),
        ("32B", "Q4_K_M", 19.85),
    ],
)
def test_files_have_the_sizes_that_hubs_tell(model: str, quantisation: str, gigabytes: float) -> None:
    assert sized(BY_SIZE[model], quantisation).shape.weights / 1e9 == pytest.approx(gigabytes, rel=0.02)


@pytest.mark.parametrize("model", TYPICAL, ids=lambda model: model.size)
def test_every_typical_model(model: Typical) -> None:
    four, eight, whole = (sized(model, quantisation) for quantisation in QUANTISATIONS)
    assert four.shape.weights < eight.shape.weights < whole.shape.weights
    assert model.heads % model.shared == 0
    for one in (four, eight, whole):
        assert one.read <= one.shape.weights
        assert (one.read == one.shape.weights) == model.tied
    copied = sized(model, "Q4_K_M", ("avx2",)).shape
    assert 0 < copied.copied == copied.idle < copied.weights
    assert sized(model, "Q8_0", ("avx2",)).shape.copied == 0


def of(available: int | None) -> Machine:
    return Machine("linux", "x86_64", memory_available=available, features=("avx2",))


def test_all_sizes_and_types_are_told() -> None:
    found = prospects(of(24 * GIB), 20.0)
    assert [row.size for row in found[::3]] == "0.1B 0.35B 0.5B 1B 1.5B 3B 4B 7B 8B 14B 32B".split()
    assert [row.quantisation for row in found] == list(QUANTISATIONS) * 11
    assert [row.needed_bytes for row in found[::3]] == sorted(row.needed_bytes for row in found[::3])


def test_less_memory_fits_less() -> None:
    rich, poor = prospects(of(24 * GIB), None), prospects(of(2 * GIB), None)
    assert {row.size for row in rich if row.fits} >= {"0.1B", "8B", "14B"}
    assert {row.size for row in poor if row.fits} == {"0.1B", "0.35B", "0.5B", "1B", "1.5B"}
    for row, less in zip(rich, poor, strict=True):
        assert row.needed_bytes == less.needed_bytes
        assert less.largest_context <= row.largest_context
        assert row.fits == (row.largest_context >= 4_096)
        assert row.tokens_per_second is None


def test_unknown_memory_refuses_nothing() -> None:
    assert {row.fits for row in prospects(of(None), None)} == {None}
    assert [row.largest_context for row in prospects(of(None), None)[::3]] == [model.trained for model in TYPICAL]


def test_the_speed_is_a_share_of_the_memorys() -> None:
    (guess, *_), (known, *_) = prospects(of(None), 20.0), prospects(of(None), 20.0, 0.25)
    read = sized(TYPICAL[0], "Q4_K_M").read
    assert guess.tokens_per_second == pytest.approx(20e9 * SHARE / read)
    assert known.tokens_per_second == pytest.approx(20e9 * 0.25 / read)
