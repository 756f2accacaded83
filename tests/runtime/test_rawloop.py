"""The plain loops as a child: they run, they refuse, and they are never left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from linnet.errors import (
    ContextOverflow,
    DeadlineExceeded,
    ModelInvalid,
    ModelNotFound,
    ProtocolBroken,
    RequestError,
    WorkerCrashed,
)
from linnet.limits import LIMITS
from linnet.models.gguf import open_model
from linnet.runtime.rawloop import RawLoop, Spread, rates, spread


@pytest.fixture
def raw(model_path: Path) -> Iterator[RawLoop]:
    with RawLoop(model_path, context=256, threads=1) as raw:
        yield raw


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_the_parts_of_a_loop_are_timed(raw: RawLoop) -> None:
    looped = raw.loop(16, run=4, generate=2, streams=2)
    assert looped.prefill > 0 and looped.run > 0 and looped.decode > 0
    assert raw.loop(16).decode == 0
    assert raw.resident > 50_000_000 and raw.load_seconds > 0


def test_a_loop_that_cannot_be_run_costs_nothing(raw: RawLoop) -> None:
    with pytest.raises(ContextOverflow) as overflow:
        raw.loop(257)
    assert overflow.value.details["context"] == 256
    assert raw.loop(4).prefill > 0


def test_it_is_ended_at_the_end(model_path: Path) -> None:
    with RawLoop(model_path, context=256, threads=1) as raw:
        pid = raw.pid
    assert gone(pid)
    with pytest.raises(ProtocolBroken):
        raw.loop(4)


def test_it_is_ended_when_it_takes_too_long(raw: RawLoop) -> None:
    pid = raw.pid
    with pytest.raises(DeadlineExceeded):
        raw.loop(200, seconds=0.001)
    assert gone(pid)


def test_its_death_is_a_typed_error(raw: RawLoop) -> None:
    os.kill(raw.pid, signal.SIGSEGV)
    with pytest.raises(WorkerCrashed) as crashed:
        raw.loop(4)
    assert crashed.value.details["signal"] == "SIGSEGV"


def test_a_file_is_checked_before_the_engine_sees_it(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelInvalid), RawLoop(wrong, context=256):
        pass
    with pytest.raises(ModelNotFound), RawLoop(tmp_path / "none.gguf", context=256):
        pass


def test_a_context_that_the_engine_would_die_of_is_refused(model_path: Path) -> None:
    with pytest.raises(RequestError), RawLoop(model_path, context=LIMITS.context_least - 1, threads=1):
        pass
    with RawLoop(model_path, context=LIMITS.context_least, threads=1) as raw:
        assert raw.loop(4).prefill > 0


def test_rates_of_an_open_file_are_one_number_for_each_repeat(model_path: Path) -> None:
    with open_model(model_path) as file:
        found = rates(file, threads=1, prompt=32, generate=4, streams=(1, 2), repeats=2)
        assert len(os.pread(file.fileno(), 4, 0)) == 4, "the file stays the caller's"
    assert len(found.prefill) == 2 and {k: len(v) for k, v in found.decode.items()} == {1: 2, 2: 2}
    assert min(*found.prefill, *found.decode[1], *found.decode[2], found.load_seconds, found.resident) > 0


def test_the_spread_is_median_and_quartiles() -> None:
    assert spread([5.0]) == Spread(5.0, 5.0, 5.0)
    assert spread([4.0, 2.0]) == Spread(3.0, 2.5, 3.5)
    assert spread([9.0, 1.0, 3.0, 7.0, 5.0]) == Spread(5.0, 3.0, 7.0)
    with pytest.raises(ValueError):
        spread([])
