"""What a worker takes, predicted from the header, against real workers and engines on the real model."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.hardware import footprint as subject
from linnet.hardware.footprint import CACHE_TYPES, SEQUENCES, Block, Shape, cache_bytes, footprint, padded
from linnet.limits import KIB, LIMITS, MIB
from linnet.models import gguf
from linnet.models.shape import shape_of
from linnet.protocol import Load
from linnet.worker.batch import LARGEST, ROWS

SMOLLM2 = Shape(92 * MIB, (Block(192, 192),) * 30, 576, 1_536, 960, 49_152, 48_900, heads=9)


@pytest.fixture(scope="module")
def memory() -> ModuleType:
    """The benchmark: it measures, and these tests hold what it finds against ten per cent."""
    path = Path(__file__).parents[2] / "benchmarks/memory.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_memory", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- against what is measured --------------------------------------------------------------------


@pytest.mark.parametrize("context", [512, 1_024])
def test_a_real_worker_takes_what_its_header_foretells(context: int, model_path: Path, memory: ModuleType) -> None:
    measured = memory.of_worker("default", context)
    assert memory.predicted(model_path, context).resident == pytest.approx(measured, rel=0.1)


def test_so_does_its_engine_with_another_cache_and_while_it_scores(model_path: Path, memory: ModuleType) -> None:
    measured = memory.of_engine(model_path, 512, "q8_0")
    parts = memory.predicted(model_path, 512, "q8_0")
    assert parts.resident == pytest.approx(measured["full"], rel=0.1)
    assert parts.peak == pytest.approx(measured["scoring"], rel=0.1)


# --- the arithmetic ------------------------------------------------------------------------------


def test_the_worker_is_as_it_is_taken_to_be() -> None:
    assert (LARGEST, ROWS, Load().sequences) == (subject.STEP, subject.ROWS, SEQUENCES)


def test_the_real_header(model_path: Path) -> None:
    with gguf.open_model(model_path) as file:
        shape = shape_of(gguf.read_header(file.fileno()))
    assert shape.blocks == (Block(192, 192),) * 30
    assert (shape.width, shape.inner, shape.attended, shape.vocabulary) == (576, 1_536, 960, 49_152)
    assert 92 * MIB < shape.weights < 93 * MIB
    assert shape.copied == shape.idle == 0, "none of its types is laid out anew here"


@pytest.mark.parametrize(
    ("cache", "size"), [("f16", 45 * MIB), ("q8_0", 45 * MIB * 17 // 32), ("q4_0", 45 * MIB * 9 // 32)]
)
def test_the_cache_has_the_size_that_the_engine_prints(cache: str, size: int) -> None:
    assert cache_bytes(SMOLLM2, 2_048, cache) == size
    assert cache_bytes(SMOLLM2, 2_047, cache) == size, "the engine rounds a context up"


def test_states_are_kept_for_every_sequence() -> None:
    recurrent = Shape(0, (Block(state=1_000), Block(keys=64, values=64)), 64, 64, 64, 256)
    parts = footprint(recurrent, 1_024)
    assert parts.states == 4_000 * SEQUENCES
    assert parts.cache == 1_024 * 128 * 2


def test_logits_are_there_for_every_sequence() -> None:
    parts = footprint(SMOLLM2, 2_048)
    assert parts.logits == SEQUENCES * 49_152 * 4 == 12 * MIB
    assert parts.scoring == 0, "the rows of one step are computed where a layer was"


def test_the_rows_of_a_large_vocabulary_are_more_than_a_layer() -> None:
    parts = footprint(Shape(92 * MIB, (Block(192, 192),) * 30, 576, 1_536, 960, 262_144), 2_048)
    assert parts.scoring == subject.ROWS * 262_144 * 4 - parts.compute
    assert parts.peak == parts.resident + parts.scoring + parts.parked


def test_prefixes_beside_the_cache_take_no_more_than_it_and_no_more_than_they_may() -> None:
    assert footprint(SMOLLM2, 4_096).parked == LIMITS.parked_bytes < footprint(SMOLLM2, 4_096).cache
    assert footprint(SMOLLM2, 1_024).parked == footprint(SMOLLM2, 1_024).cache < LIMITS.parked_bytes
    recurrent = Shape(0, (Block(state=1_000), Block(keys=64, values=64)), 64, 64, 64, 256)
    assert footprint(recurrent, 1_024).parked == 0, "states stay where they are"


def test_what_was_copied_need_not_be_there_twice() -> None:
    parts = footprint(Shape(700 * MIB, (), 64, 64, 64, 256, copied=360 * MIB, idle=340 * MIB), 512)
    assert parts.resident - parts.needed + parts.scoring == 340 * MIB


def test_a_file_of_which_most_is_copied_is_read() -> None:
    shape = Shape(700 * MIB, (), 64, 64, 64, 256, copied=500 * MIB, idle=480 * MIB)
    parts = footprint(shape, 512)
    assert not shape.mapped and (parts.weights, parts.idle) == (0, 0)
    assert parts.copied == (500 + 700 - 480) * MIB and parts.needed == parts.peak
    assert Shape(700 * MIB, (), 64, 64, 64, 256, copied=350 * MIB, idle=350 * MIB).mapped, "no more than half"


def test_an_exact_model_keeps_exact_keys_and_values() -> None:
    exact = replace(SMOLLM2, cache="f32")
    assert footprint(exact, 4_096).cache == 2 * footprint(SMOLLM2, 4_096).cache
    assert footprint(exact, 4_096, "f16") == footprint(SMOLLM2, 4_096)


@given(context=st.integers(1, 1 << 20), cache=st.sampled_from(sorted(CACHE_TYPES)))
def test_more_context_never_takes_less(context: int, cache: str) -> None:
    less, more = footprint(SMOLLM2, context, cache), footprint(SMOLLM2, context + 256, cache)
    assert less.resident < more.resident
    assert less.needed <= more.needed
    assert less.peak >= less.resident >= less.cache > 0
    assert padded(context) % 256 == 0 <= padded(context) - context < 256
    assert less.cache <= cache_bytes(SMOLLM2, context, "f32")


def test_it_is_told_as_plain_numbers() -> None:
    told = footprint(SMOLLM2, 512).describe()
    assert all(isinstance(value, int) for value in told.values())
    assert told["needed"] == told["peak"] >= told["resident"] > 200 * KIB * KIB
