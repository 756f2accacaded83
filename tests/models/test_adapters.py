"""Adapters: what they say of themselves, what of them does not fit, and what the engine makes of those that do."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linnet.errors import ModelInvalid
from linnet.limits import LIMITS
from linnet.models import adapters
from linnet.models.gguf import Header, ModelFile, open_model, read_header, survey
from linnet.models.integrity import checked_header, examine, sound_header

sys.path.append(str(Path(__file__).parent))

import hostile
from gguf_writer import (
    EMBEDDING,
    F32,
    SMALL_ARCHITECTURES,
    STRING,
    U32,
    Small,
    adapter,
    entry,
    model,
    small,
    tensor,
    text,
)

QUERY, DOWN = "blk.0.attn_q.weight", "blk.1.ffn_down.weight"
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[Small | bytes], ModelFile]]:
    files: list[ModelFile] = []

    def opened(given: Small | bytes, size: int | None = None) -> ModelFile:
        body = given.write() if isinstance(given, Small) else given
        path = tmp_path / f"{len(files)}.gguf"
        path.write_bytes(body)
        os.truncate(path, len(body) if size is None else size)
        files.append(open_model(path))
        return files[-1]

    yield opened
    for file in files:
        file.close()


@pytest.fixture
def header(opened: Any) -> Callable[[Small], Header]:
    return lambda given: read_header(opened(given).fileno())


def untied(architecture: str = "llama") -> Small:
    """With an output of its own, rather than the table of token vectors once more."""
    base = small(architecture)
    return replace(base, tensors={**base.tensors, "output.weight": base.tensors[EMBEDDING]})


def with_tensors(base: Small, tensors: dict[str, tuple[int, ...]], kind: int = 0) -> Small:
    return replace(base, tensors={name: (sizes, kind) for name, sizes in tensors.items()})


# --- what is sound -------------------------------------------------------------------------------


def test_what_an_adapter_says_of_itself(opened: Any, header: Any) -> None:
    base = small()
    found = adapters.checked(opened(adapter(base, [QUERY, DOWN], rank=4, alpha=6.0)), header(base))
    assert (found.name, found.rank, found.alpha, found.scale) == ("small adapter", 4, 6.0, 1.5)
    assert found.tensors == (QUERY, DOWN)
    assert found.bytes == 4 * (64 * 4 + 4 * 64 + 96 * 4 + 4 * 64)
    assert found.describe()["tensors"] == [QUERY, DOWN]


@pytest.mark.parametrize("kind", [1, 30, 8, 2], ids=["F16", "BF16", "Q8_0", "Q4_0"])
def test_other_types_will_do(opened: Any, header: Any, kind: int) -> None:
    found = adapters.checked(opened(adapter(small(), [QUERY], rank=32, kind=kind)), header(small()))
    assert found.rank == 32


def test_an_adapter_without_a_name(opened: Any, header: Any) -> None:
    assert adapters.checked(opened(adapter(small()).but(general__name=None)), header(small())).name == ""


def test_a_report_of_an_adapter(opened: Any) -> None:
    report = examine(opened(adapter(small(), [QUERY])))
    assert report.sound and (report.kind, report.architecture, report.quantisation) == ("adapter", "llama", "F32")
    assert report.adapter and report.adapter.tensors == (QUERY,)
    assert json.loads(json.dumps(report.describe()))["adapter"]["scale"] == 2.0
    assert "adapter" not in examine(opened(small())).describe()


def test_the_header_says_what_it_is(opened: Any) -> None:
    assert adapters.is_adapter(sound_header(opened(adapter(small()))))
    assert not adapters.is_adapter(sound_header(opened(small())))


# --- what is refused, whatever the model ---------------------------------------------------------

SOUND = adapter(small(), [QUERY, DOWN])
A, B = f"{QUERY}.lora_a", f"{QUERY}.lora_b"

ALONE: dict[str, tuple[Small, str]] = {
    "no type of adapter": (SOUND.but(adapter__type=None), "there is no adapter.type"),
    "a control vector": (SOUND.but(adapter__type=(STRING, "control_vector")), "'control_vector', not one of lora"),
    "type as a number": (SOUND.but(adapter__type=(U32, 1)), "adapter.type is of type u32, not str"),
    "no alpha": (SOUND.but(adapter__lora__alpha=None), "there is no adapter.lora.alpha"),
    "alpha as a whole number": (SOUND.but(adapter__lora__alpha=(U32, 8)), "of type u32, not f32"),
    "alpha not a number": (SOUND.but(adapter__lora__alpha=(F32, NAN)), "is nan, not a finite number"),
    "alpha without end": (SOUND.but(adapter__lora__alpha=(F32, INFINITY)), "is inf, not a finite number"),
    "alpha of nothing": (SOUND.but(adapter__lora__alpha=(F32, 0.0)), "is 0.0, not a finite number above 0"),
    "alpha below nothing": (SOUND.but(adapter__lora__alpha=(F32, -1.0)), "is -1.0, not a finite number above 0"),
    "unknown architecture": (
        SOUND.but(general__architecture=(STRING, "bert")),
        "does not run the architecture 'bert'",
    ),
    "activated": (SOUND.but(adapter__alora__invocation_tokens=(U32, [1, 2])), "it is an activated LoRA"),
    "activated by one number": (SOUND.but(adapter__alora__invocation_tokens=(U32, 1)), "it is an activated LoRA"),
    "nothing in it": (replace(SOUND, tensors={}), "there are no tensors"),
    "only a": (SOUND.without(B), f"{A!r} is there without {B!r}"),
    "only b": (SOUND.without(A), f"{B!r} is there without {A!r}"),
    "a norm beside": (
        with_tensors(SOUND, {A: (64, 4), B: (4, 64), "blk.0.attn_norm.weight": (64,)}),
        "'blk.0.attn_norm.weight' is neither a .lora_a nor a .lora_b",
    ),
    "a whole matrix beside": (
        with_tensors(SOUND, {A: (64, 4), B: (4, 64), QUERY: (64, 64)}),
        f"{QUERY!r} is neither a .lora_a nor a .lora_b",
    ),
    "endings and no name": (with_tensors(SOUND, {".lora_a": (64, 4), ".lora_b": (4, 64)}), "is neither"),
    "capitals": (with_tensors(SOUND, {f"{QUERY}.lora_A": (64, 4), f"{QUERY}.lora_B": (4, 64)}), "is neither"),
    "ranks of a pair": (with_tensors(SOUND, {A: (64, 4), B: (8, 64)}), "is 4 in its .lora_a and 8 in its .lora_b"),
    "ranks of two pairs": (
        replace(SOUND, tensors={**SOUND.tensors, **adapter(small(), [DOWN], rank=8).tensors}),
        f"rank of {DOWN!r} is 8, that of {QUERY!r} 4",
    ),
    "ranks of looked up rows": (
        with_tensors(SOUND, {f"{EMBEDDING}.lora_a": (4, 286), f"{EMBEDDING}.lora_b": (8, 64)}),
        "is 4 in its .lora_a and 8 in its .lora_b",
    ),
    "rank too high": (adapter(small(), [QUERY], rank=LIMITS.adapter_rank + 1), f"the limit is {LIMITS.adapter_rank}"),
    "bytes for numbers": (adapter(small(), [QUERY], kind=24), "of type I8, which the engine does not multiply by"),
    "sums for numbers": (adapter(small(), [QUERY], rank=32, kind=9), "of type Q8_1, which the engine does not"),
}


@pytest.mark.parametrize("name", ALONE)
def test_an_adapter_that_no_model_can_take(opened: Any, header: Any, name: str) -> None:
    given, what = ALONE[name]
    file = opened(given)
    report = examine(file)
    assert report.kind == "adapter" and report.adapter is None and not report.sound
    assert what in " | ".join(fault.what for fault in report.faults)
    assert all(0 <= fault.where <= file.size for fault in report.faults)
    for judge in (adapters.checked_header, checked_header, sound_header):
        with pytest.raises(ModelInvalid) as caught:
            judge(file)
        assert caught.value.details == report.faults[0].describe()
    with pytest.raises(ModelInvalid):
        adapters.checked(file, header(small()))


def test_all_faults_are_told_together(opened: Any) -> None:
    wrong = with_tensors(SOUND.but(adapter__lora__alpha=None, adapter__type=None), {A: (64, 4), "x": (1,)})
    assert {fault.key for fault in examine(opened(wrong)).faults} == {"adapter.type", "adapter.lora.alpha", A, "x"}


def test_no_more_faults_than_the_limit_are_told(opened: Any) -> None:
    many = {f"x{i}": (1,) for i in range(LIMITS.model_faults + 1)}
    faults = examine(opened(with_tensors(SOUND, many))).faults
    assert len(faults) == LIMITS.model_faults + 1 and "the rest was not looked at" in faults[-1].what


def test_the_highest_rank(opened: Any, header: Any) -> None:
    file = opened(adapter(small(), [QUERY], rank=LIMITS.adapter_rank))
    assert adapters.checked(file, header(small())).rank == LIMITS.adapter_rank


FIELDS = [
    entry("general.architecture", STRING, text("llama")),
    entry("general.type", STRING, text("adapter")),
    entry("adapter.type", STRING, text("lora")),
    entry("adapter.lora.alpha", F32, np.float32(8).tobytes()),
]


@pytest.mark.parametrize("rank", [0, 2**64 - 1, 2**31, 2**63, 2**62, 2**32 - 1])
def test_impossible_ranks(opened: Any, rank: int) -> None:
    tensors = [tensor(A, (64, rank)), tensor(B, (rank, 64), offset=4_096)]
    report = examine(opened(model(FIELDS, tensors, data=8_192)))
    assert not report.sound and report.adapter is None


def test_a_tensor_twice(opened: Any) -> None:
    tensors = [tensor(A, (64, 4)), tensor(B, (4, 64), offset=1_024), tensor(A, (64, 4), offset=2_048)]
    report = examine(opened(model(FIELDS, tensors, data=3_072)))
    assert any("stands there twice" in fault.what for fault in report.faults)


def test_an_adapter_cut_anywhere_is_refused(opened: Any) -> None:
    body, start = SOUND.write(), len(SOUND.header())
    for end in [*range(0, start, 13), *range(start, len(body), 509), len(body) - 1]:
        assert not examine(opened(body[:end])).sound, end


def test_mutants_of_an_adapter_are_judged_and_never_end_badly(opened: Any, header: Any) -> None:
    start, whole, base = SOUND.header(), len(SOUND.write()), header(small())
    passed = 0
    for name, mutant, end in hostile.mutants(start, whole, 400, seed=11):
        file = opened(mutant, end)
        report = examine(file, base)
        assert all(0 <= fault.where <= end for fault in report.faults), name
        if report.sound and report.kind == "adapter":
            found = adapters.checked(file, base)
            assert math.isfinite(found.scale) and 0 < found.rank <= LIMITS.adapter_rank, name
            passed += 1
        else:
            with pytest.raises(ModelInvalid):
                adapters.checked(file, base)
        file.close()
    assert 0 < passed < 300


# --- what is refused beside its model ------------------------------------------------------------

EXPERTS = "blk.0.ffn_up_exps.weight"

TOGETHER: dict[str, tuple[Small, Small, str]] = {
    "another architecture": (adapter(small("qwen2"), [QUERY]), small(), "for the architecture 'qwen2', not 'llama'"),
    "a matrix that is not there": (SOUND, small().without(DOWN), f"the model has no tensor {DOWN!r}"),
    "rows too short": (with_tensors(SOUND, {A: (32, 4), B: (4, 64)}), small(), "the dimensions (32, 4), not (64, 4)"),
    "too few of them": (
        with_tensors(SOUND, {A: (64, 4), B: (4, 32)}),
        small(),
        "the dimensions (4, 32), not (4, 64)",
    ),
    "a for b": (
        with_tensors(SOUND, {f"{DOWN}.lora_a": (64, 4), f"{DOWN}.lora_b": (4, 96)}),
        small(),
        "the dimensions (64, 4), not (96, 4), for (96, 64) of the model's",
    ),
    "as deep as high": (
        with_tensors(SOUND, {A: (64, 4, 2), B: (4, 64)}),
        small(),
        "the dimensions (64, 4, 2), not (64, 4)",
    ),
    "another width": (
        with_tensors(SOUND, {A: (128, 4), B: (4, 128)}),
        small(),
        "the dimensions (128, 4), not (64, 4), for (64, 64)",
    ),
    "a norm": (
        with_tensors(SOUND, {"output_norm.weight.lora_a": (64, 4), "output_norm.weight.lora_b": (4, 1)}),
        small(),
        "'output_norm.weight' of the model is no matrix",
    ),
    "a table that is the output too": (
        adapter(small(), [EMBEDDING]),
        small(),
        "is its output too, and the engine cannot change one that is both",
    ),
    "a table as if it were multiplied": (
        with_tensors(SOUND, {f"{EMBEDDING}.lora_a": (64, 4), f"{EMBEDDING}.lora_b": (4, 286)}),
        untied(),
        "is 64 in its .lora_a and 4 in its .lora_b",
    ),
    "fewer experts": (
        with_tensors(
            adapter(small("llama-experts"), [EXPERTS]),
            {f"{EXPERTS}.lora_a": (64, 4, 3), f"{EXPERTS}.lora_b": (4, 96, 3)},
        ),
        small("llama-experts"),
        "the dimensions (64, 4, 3), not (64, 4, 4)",
    ),
    "one for all experts": (
        with_tensors(
            adapter(small("llama-experts"), [EXPERTS]), {f"{EXPERTS}.lora_a": (64, 4), f"{EXPERTS}.lora_b": (4, 96)}
        ),
        small("llama-experts"),
        "the dimensions (64, 4), not (64, 4, 4)",
    ),
    "a convolution": (
        adapter(small("lfm2"), ["blk.0.shortconv.conv.weight"]),
        small("lfm2"),
        "is none that an adapter changes",
    ),
}


@pytest.mark.parametrize("name", TOGETHER)
def test_an_adapter_of_another_model(opened: Any, header: Any, name: str) -> None:
    given, base, what = TOGETHER[name]
    file, judged = opened(given), header(base)
    alone = examine(file)
    if alone.sound:
        faults = examine(file, judged).faults
        with pytest.raises(ModelInvalid, match="the adapter is not one of this model, at byte") as caught:
            adapters.checked(file, judged)
        assert caught.value.hint == "Use it with the model that it was trained on."
        assert caught.value.details == faults[0].describe()
    else:
        faults = alone.faults
        with pytest.raises(ModelInvalid):
            adapters.checked(file, judged)
    assert what in " | ".join(fault.what for fault in faults)


def test_every_matrix_that_does_not_fit_is_told(opened: Any, header: Any) -> None:
    wrong = with_tensors(SOUND, {A: (32, 4), B: (4, 32), f"{DOWN}.lora_a": (96, 4), f"{DOWN}.lora_b": (4, 64)})
    assert [fault.key for fault in examine(opened(wrong), header(small())).faults] == [A, B]


# --- one for the other ---------------------------------------------------------------------------


def test_a_model_is_no_adapter(opened: Any, header: Any) -> None:
    with pytest.raises(ModelInvalid, match="not an adapter") as caught:
        adapters.checked(opened(small()), header(small()))
    assert "named by itself" in caught.value.hint
    report = examine(opened(small()), header(small()))
    assert report.kind == "model" and "not an adapter" in report.faults[0].what


def test_an_adapter_is_no_model(opened: Any) -> None:
    with pytest.raises(ModelInvalid, match="it changes a model, and is none by itself") as caught:
        checked_header(opened(SOUND))
    assert "MODEL+ADAPTER" in caught.value.hint


def test_a_model_that_says_it_is_an_adapter_is_neither(opened: Any, header: Any) -> None:
    file = opened(small().but(general__type=(STRING, "adapter")))
    for judge in (checked_header, adapters.checked_header):
        with pytest.raises(ModelInvalid):
            judge(file)


# --- the engine's own word -----------------------------------------------------------------------

ENGINE = """
import json, os, sys
from linnet.protocol import Adapter, Load
from linnet.worker.llama import Entry, Llama, warm_imports

warm_imports()
TOKENS = (1, 40, 70, 120)

def logits(base, given):
    fds = [os.open(path, os.O_RDONLY) for path in given]
    adapters = tuple(Adapter(str(i), fd) for i, fd in enumerate(fds))
    llama = Llama(Load(model_fd=os.open(base, os.O_RDONLY), context=128, adapters=adapters), lambda done: None)
    for name in ("", *llama.adapters):
        llama.adapt(name)
        llama.decode([Entry(token, i, 0, i == len(TOKENS) - 1) for i, token in enumerate(TOKENS)])
        yield [float(value) for value in llama.logits(len(TOKENS) - 1)]
        llama.cut(0)

for base, given in json.loads(sys.argv[1]):
    print(json.dumps(list(logits(base, given))), flush=True)
"""


def computed(*models: tuple[Path, list[Path]]) -> list[np.ndarray]:
    """For each model and its adapters, logits of shape (1 + adapters, vocabulary): without any, and with each."""
    asked = json.dumps([[str(base), [str(path) for path in given]] for base, given in models])
    done = subprocess.run([sys.executable, "-c", ENGINE, asked], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-1000:]
    return [np.array(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("architecture", SMALL_ARCHITECTURES)
def test_the_engine_changes_just_what_is_let_through(architecture: str, tmp_path: Path, header: Any) -> None:
    """Each matrix of a block by itself: the answer changes if it is let through, and stays as it is if not."""
    base = untied(architecture)
    known = header(base)
    path = tmp_path / "base.gguf"
    path.write_bytes(base.write())
    tried: list[tuple[Path, bool]] = []
    names = [name for name, (sizes, _) in base.tensors.items() if len(sizes) > 1 and not name.startswith("blk.1")]
    for name in names:
        given = adapter(base, [name])
        tried.append((tmp_path / f"{name}.gguf", not adapters.faults_with(header(given), known)))
        tried[-1][0].write_bytes(given.write())
    assert sum(fits for _, fits in tried) > 2
    parts = [tried[i : i + LIMITS.adapters] for i in range(0, len(tried), LIMITS.adapters)]
    for part, found in zip(parts, computed(*((path, [p for p, _ in part]) for part in parts)), strict=True):
        assert np.isfinite(found).all()
        changed = [not np.array_equal(found[0], row) for row in found[1:]]
        assert {p.stem: fits for p, fits in part} == dict(zip((p.stem for p, _ in part), changed, strict=True))


def read(path: Path, name: str) -> tuple[np.ndarray, int]:
    """A tensor of 32-bit floats, of shape (..., the fastest dimension), and the byte at which it begins."""
    with open_model(path) as file:
        found, _ = survey(file.fileno())
        assert found
        (one,) = (tensor for tensor in found.tensors if tensor.name == name)
        begin = found.data_offset + one.offset
        body = os.pread(file.fileno(), one.size, begin)
    return np.frombuffer(body, np.float32).reshape(one.dimensions[::-1]), begin


@pytest.mark.parametrize("name", [QUERY, DOWN, EMBEDDING, "output.weight"])
def test_the_change_is_the_one_that_is_told(name: str, tmp_path: Path) -> None:
    """The engine with an adapter computes what it computes with the change added to the model's own weights."""
    base, given, merged = (tmp_path / f"{part}.gguf" for part in ("base", "adapter", "merged"))
    base.write_bytes(untied().write())
    given.write_bytes(adapter(untied(), [name], rank=4, alpha=6.0).write())
    with open_model(given) as file, open_model(base) as whole:
        told = adapters.checked(file, read_header(whole.fileno()))
    a, b = read(given, f"{name}.lora_a")[0], read(given, f"{name}.lora_b")[0]
    weights, begin = read(base, name)
    change = a @ b.T if name == EMBEDDING else b @ a
    body = (weights + told.scale * change).astype(np.float32).tobytes()
    whole_body = base.read_bytes()
    merged.write_bytes(whole_body[:begin] + body + whole_body[begin + len(body) :])
    with_adapter, without = computed((base, [given]), (merged, []))
    assert np.abs(with_adapter[0] - with_adapter[1]).max() > 0.05
    np.testing.assert_allclose(with_adapter[1], without[0], atol=2e-3)
