"""LoRA adapters through LocalModel: one worker for a model and its adapters, and none is mistaken for another."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid, ModelInvalid, ModelNotFound
from linnet.limits import LIMITS
from linnet.models.gguf import open_model, read_header
from linnet.requests import Choice, Done, Generate, Score, Segment, complete
from linnet.runtime.local import LocalModel, open_local

sys.path.append(str(Path(__file__).parents[1] / "models"))

from gguf_writer import Small, adapter

PROMPT = (Segment("Once upon a time", True),)
NOISE = 3.0
"""Differently batched sums differ, and random adapters make more of it; between adapters it is five times as much."""

TEXTS = (" there was a fox.", " nothing happened at all.", " 1 2 3")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> dict[str, Path]:
    """Adapters of the real model, of small random numbers: what they say means nothing, but differs."""
    with open_model(model_path) as file:
        header = read_header(file.fileno())
    shapes = {tensor.name: (tensor.dimensions, 0) for tensor in header.tensors}
    base = Small({"general.architecture": (8, "llama")}, shapes)
    folder = tmp_path_factory.mktemp("adapters")
    made = {}
    for name, alpha, layers in (("loud", 60.0, range(0, 30, 3)), ("soft", 20.0, range(1, 30, 3))):
        names = [f"blk.{layer}.{part}.weight" for layer in layers for part in ("attn_q", "ffn_down")]
        made[name] = folder / f"{name}.gguf"
        made[name].write_bytes(adapter(base, names, rank=8, alpha=alpha).write())
    return made


@pytest.fixture(scope="module")
def model() -> Iterator[LocalModel]:
    model = open_local("default", context=1024, threads=2)
    yield model
    model.close()


def likelihoods(model: LocalModel) -> list[float]:
    return [score for score, _ in complete(model, Score(PROMPT, TEXTS)).scores]


def test_adapters_of_one_model_share_a_worker_and_change_what_it_says(model: LocalModel, files: Any) -> None:
    plain = likelihoods(model)
    first = model.supervisor.pid
    loud, soft = (model.with_adapter(str(files[name])) for name in ("loud", "soft"))
    assert (loud.capabilities.name, soft.capabilities.name) == ("smollm2-135m+loud", "smollm2-135m+soft")
    changed = [likelihoods(loud), likelihoods(soft)]
    second = model.supervisor.pid
    assert second != first, "adapters come before the context is made, so in another worker"
    for other in changed:
        assert max(abs(a - b) for a, b in zip(plain, other, strict=True)) > 10
    assert changed[0] != pytest.approx(changed[1], abs=2 * NOISE)
    assert likelihoods(model) == pytest.approx(plain, abs=NOISE)
    assert [likelihoods(loud), likelihoods(soft)] == [pytest.approx(seen, abs=NOISE) for seen in changed]
    assert model.supervisor.pid == second, "an adapter that is there already costs no worker"


def test_requests_of_different_adapters_run_side_by_side(model: LocalModel, files: Any) -> None:
    models = [model, model.with_adapter(str(files["loud"])), model.with_adapter(str(files["soft"]))]
    alone = [likelihoods(one) for one in models]
    streams = [one.stream(Score(PROMPT, TEXTS)) for one in models * 3]
    together = [[score for score, _ in end(stream).scores] for stream in streams]
    assert together == [pytest.approx(seen, abs=NOISE) for seen in alone * 3]


def end(stream: Any) -> Done:
    *_, last = stream
    assert isinstance(last, Done)
    return last


def test_computed_prefixes_are_not_shared_between_adapters(model: LocalModel, files: Any) -> None:
    prompt = (Segment("A prompt that nobody else has asked before, word for word.", True),)
    ask = Generate(prompt, constraint=Choice(("a", "b")))
    loud = model.with_adapter(str(files["loud"]))
    assert complete(model, ask).usage.cached_tokens == 0
    assert complete(loud, ask).usage.cached_tokens == 0
    assert complete(loud, ask).usage.cached_tokens > 5


def test_a_new_adapter_waits_for_those_that_run(files: Any) -> None:
    model = open_local("default", context=512, threads=2)
    try:
        running = model.stream(Generate(PROMPT, max_tokens=24))
        next(running)
        worker = model.supervisor.pid
        loud = model.with_adapter(str(files["loud"]))
        done, other = end(running), complete(loud, Generate(PROMPT, constraint=Choice(("x", "y"))))
        assert done.degraded == () and other.degraded == (), "nothing was resumed, so nothing is told"
        assert model.supervisor.pid != worker
    finally:
        model.close()


def test_a_worker_that_dies_comes_back_with_its_adapters(model: LocalModel, files: Any) -> None:
    loud = model.with_adapter(str(files["loud"]))
    before = likelihoods(loud)
    pid = model.supervisor.pid
    assert pid
    import os
    import signal

    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while model.supervisor.pid == pid and time.monotonic() < deadline:
        time.sleep(0.05)
    assert likelihoods(loud) == pytest.approx(before, abs=NOISE)


def test_a_model_is_opened_with_its_adapter_by_name(files: Any) -> None:
    model = open_local(f"default+{files['soft']}", context=512, threads=2)
    try:
        assert model.capabilities.name == "smollm2-135m+soft"
        assert complete(model, Generate(PROMPT, constraint=Choice(("x", "y")))).text in ("x", "y")
    finally:
        model.close()


def test_what_is_no_adapter_of_the_model_is_refused_before_any_worker(
    model: LocalModel, tmp_path: Path, model_path: Path, gguf_adapter: Path
) -> None:
    with pytest.raises(ModelNotFound):
        model.with_adapter("nowhere")
    with pytest.raises(ModelInvalid):
        model.with_adapter(str(model_path))
    with pytest.raises(ModelInvalid):
        model.with_adapter(str(gguf_adapter))
    worker = model.supervisor.pid
    assert (
        complete(model, Generate(PROMPT, constraint=Choice(("x", "y")))) and model.supervisor.pid in (worker, None)
    ) or worker is None


@pytest.fixture
def gguf_adapter(tmp_path: Path) -> Path:
    """Of another model: its matrices are 64 wide."""
    from gguf_writer import small

    path = tmp_path / "other.gguf"
    path.write_bytes(adapter(small()).write())
    return path


def test_a_profile_of_the_bare_model_says_nothing_of_an_adapter(model: LocalModel, files: Any) -> None:
    loud, soft = (model.with_adapter(str(files[name])) for name in ("loud", "soft"))
    assert len({model.original(), loud.original(), soft.original()}) == 3
    assert len({model.fingerprint(), loud.fingerprint(), soft.fingerprint()}) == 3


def test_adapters_count_as_memory(model: LocalModel, files: Any) -> None:
    other = open_local("default", context=512, threads=1)
    try:
        before = other.needs()[0].size
        other.with_adapter(str(files["loud"]))
        assert other.needs()[0].size > before
    finally:
        other.close()


def test_one_adapter_too_many(tmp_path: Path, files: Any) -> None:
    other = open_local("default", context=512, threads=1)
    body = bytearray(files["soft"].read_bytes())
    try:
        for i in range(LIMITS.adapters + 1):
            body[-1] = i  # part of the last number: another file, as sound as the one before
            path = tmp_path / f"a{i}.gguf"
            path.write_bytes(body)
            if i == LIMITS.adapters:
                with pytest.raises(InputInvalid, match=str(LIMITS.adapters)):
                    other.with_adapter(str(path))
            else:
                other.with_adapter(str(path))
    finally:
        other.close()
