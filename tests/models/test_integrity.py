"""A file that is sound is told what it is; one that the engine would stumble over is refused, and told where."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linnet.errors import LinnetError, ModelInvalid
from linnet.limits import LIMITS, MIB
from linnet.messages import Message
from linnet.models import architectures
from linnet.models.gguf import ModelFile, open_model, read_header, survey
from linnet.models.integrity import Report, checked_header, examine
from linnet.models.tensor_types import MATRIX_TYPES, TENSOR_TYPES
from linnet.requests import Done, Generate, Pattern, complete
from linnet.runtime.local import open_local

sys.path.append(str(Path(__file__).parent))

import hostile
from gguf_writer import F32, I32, SMALL_ARCHITECTURES, STRING, TOKENS, U32, Small, small

CORPUS = hostile.corpus()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(body: bytes, size: int | None = None) -> Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(body)
        os.truncate(path, len(body) if size is None else size)
        return path

    return write


@pytest.fixture
def opened(write: Callable[..., Path]) -> Iterator[Callable[..., ModelFile]]:
    files = []

    def opened(body: bytes, size: int | None = None) -> ModelFile:
        files.append(open_model(write(body, size)))
        return files[-1]

    yield opened
    for file in files:
        file.close()


def whats(report: Report) -> str:
    return " | ".join(fault.what for fault in report.faults)


# --- what is sound -------------------------------------------------------------------------------


def test_the_default_model_is_sound(model_path: Path) -> None:
    with open_model(model_path) as file:
        report = examine(file)
    assert report.sound and report.faults == ()
    assert (report.architecture, report.quantisation, report.tensors) == ("llama", "Q4_1", 272)
    assert (report.size, report.context, report.vocabulary) == (98_362_432, 8_192, 49_152)
    assert 134e6 < report.parameters < 136e6 and "Smollm2" in (report.name or "")


@pytest.mark.parametrize("architecture", SMALL_ARCHITECTURES)
def test_small_models_are_sound(opened: Any, architecture: str) -> None:
    file = opened(small(architecture).write())
    assert whats(examine(file)) == "" and examine(file).sound
    assert checked_header(file).architecture == architecture.removesuffix("-experts")


@pytest.mark.parametrize(
    "changes",
    [
        {"llama__attention__head_count": (U32, [4, 4])},
        {"llama__attention__head_count_kv": (U32, 1)},
        {"llama__attention__key_length": (U32, 16), "llama__attention__value_length": (U32, 16)},
        {"llama__rope__scaling__type": None, "llama__rope__scaling__factor": None},
        {"llama__expert_count": (U32, 0)},
        {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-1], "y" * LIMITS.model_token_bytes])},
        {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-2], "", "[EMPTY_285]"])},
        {"tokenizer__ggml__scores": (I32, [0] * len(TOKENS))},
        {"llama__context_length": (U32, LIMITS.model_size)},
    ],
    ids=str,
)
def test_what_is_unusual_and_harmless_passes(opened: Any, changes: dict[str, Any]) -> None:
    assert whats(examine(opened(small().but(**changes).write()))) == ""


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_files_are_refused_at_no_cost(opened: Any, name: str) -> None:
    body = CORPUS[name]
    file = opened(body)
    tracemalloc.start()
    try:
        report = examine(file)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not report.sound and peak < 10 * MIB
    assert all(0 <= fault.where <= len(body) and fault.what for fault in report.faults)
    with pytest.raises(ModelInvalid) as caught:
        checked_header(file)
    assert caught.value.details == report.faults[0].describe()


@pytest.mark.parametrize(
    ("name", "key", "what"),
    [
        ("no heads", "llama.attention.head_count", "no block has a head"),
        ("unknown scaling", "llama.rope.scaling.type", "'quadratic', not one of none, linear, yarn, longrope"),
        ("token twice", "tokenizer.ggml.tokens", "tokens 260 and 285 are both 'a'"),
        ("types too few", "tokenizer.ggml.token_type", "285 values for 286 tokens"),
        ("end outside the vocabulary", "tokenizer.ggml.eos_token_id", "286, not one of 0 to 285"),
        ("norm in F16", "output_norm.weight", "the engine adds or scales in F32 only"),
        ("matrix of Q8_1", "blk.0.attn_q.weight", "which the engine does not multiply by"),
        ("blocks as a text", "llama.block_count", "of type str, not u32"),
    ],
)
def test_a_fault_says_where_and_what(opened: Any, name: str, key: str, what: str) -> None:
    body = CORPUS[name]
    fault = examine(opened(body)).faults[0]
    assert fault.key == key and what in fault.what
    assert 0 < fault.where - body.index(key.encode()) <= len(key) + 12 or key.encode() in body[fault.where :][:100]


def test_several_faults_are_told_together(opened: Any) -> None:
    changes: dict[str, Any] = {
        "llama__rope__freq_base": (F32, -1.0),
        "llama__attention__head_count_kv": (U32, 3),
        "tokenizer__ggml__scores": (F32, [0.0]),
        "tokenizer__ggml__eos_token_id": (U32, 10_000),
    }
    report = examine(opened(small().but(**changes).write()))
    assert {fault.key for fault in report.faults} == {key.replace("__", ".") for key in changes}


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"llama__block_count": (U32, LIMITS.model_blocks + 1)}, LIMITS.model_blocks),
        ({"llama__expert_count": (U32, LIMITS.model_experts + 1)}, LIMITS.model_experts),
        ({"llama__context_length": (U32, LIMITS.model_size + 1)}, LIMITS.model_size),
        ({"llama__vocab_size": (U32, LIMITS.model_size + 1)}, LIMITS.model_size),
        (
            {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-1], "y" * (LIMITS.model_token_bytes + 1)])},
            LIMITS.model_token_bytes,
        ),
    ],
    ids=["blocks", "experts", "size", "another size", "token"],
)
def test_one_past_each_limit(opened: Any, changes: dict[str, Any], limit: int) -> None:
    assert f"{limit}" in whats(examine(opened(small().but(**changes).write())))


@pytest.mark.parametrize("past", [0, 1])
def test_no_more_faults_than_the_limit_are_told(opened: Any, past: int) -> None:
    base = small()
    wrong = {f"tokenizer.ggml.x{i}_token_id": (U32, 5_000) for i in range(LIMITS.model_faults + past)}
    report = examine(opened(Small({**base.fields, **wrong}, base.tensors).write()))
    assert len(report.faults) == LIMITS.model_faults + past
    assert ("the rest was not looked at" in report.faults[-1].what) == bool(past)


CONFINED = """
import re, resource, sys
from linnet.models.gguf import open_model
from linnet.models.integrity import examine
with open_model(sys.argv[2]) as file:
    examine(file)
held = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (held + int(sys.argv[3]),) * 2)
with open_model(sys.argv[1]) as file:
    print([fault.what for fault in examine(file).faults])
"""


def confined(path: Path, spare: Path, memory: int) -> str:
    """What a process says of a file that may take this much memory more than it needs for a small one."""
    command = [sys.executable, "-c", CONFINED, str(path), str(spare), str(memory)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is limited by Linux")
def test_the_largest_vocabulary_stays_within_the_memory(tmp_path: Path) -> None:
    """A million tokens, each of its own text but the last."""
    tokens = [*TOKENS, *(f"t{i:x}" for i in range(LIMITS.gguf_strings - len(TOKENS) - 1)), "t0"]
    body = small().but(tokenizer__ggml__tokens=(STRING, tokens)).header()
    large = hostile.sparse(tmp_path / "large.gguf", body, len(body) + 10 * MIB)
    spare = hostile.sparse(tmp_path / "small.gguf", small().write(), len(small().write()))
    assert "are both 't0'" in confined(large, spare, LIMITS.gguf_memory)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is limited by Linux")
@pytest.mark.parametrize("text", ["x", "é", "中"], ids=["1 byte", "2 bytes", "3 bytes"])
def test_the_longest_texts_stay_within_the_memory(tmp_path: Path, text: str) -> None:
    """Python gives every character of a text as many bytes as the widest one needs."""
    body = text * (LIMITS.gguf_string_bytes // len(text.encode()) - 4) + "\U0001f600"
    large = tmp_path / "large.gguf"
    large.write_bytes(small().but(general__name=(STRING, body), general__url=(STRING, body)).write())
    spare = hostile.sparse(tmp_path / "small.gguf", small().write(), len(small().write()))
    assert "bytes of memory, the limit" in confined(large, spare, LIMITS.gguf_memory)


# --- mutants -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_header(model_path: Path) -> tuple[bytes, int]:
    with open_model(model_path) as file:
        header = read_header(file.fileno())
        return os.pread(file.fileno(), header.data_offset, 0), header.file_size


def test_mutants_of_a_small_header_cost_nothing(opened: Any, write: Any) -> None:
    body = small().header()
    size = len(small().write())
    passed = 0
    for name, mutant, end in hostile.mutants(body, size, 1_000, seed=7):
        started = time.monotonic()
        with open_model(write(mutant, end)) as file:
            report = examine(file)
        assert time.monotonic() - started < 60, name
        assert all(0 <= fault.where <= end for fault in report.faults), name
        passed += report.sound
    assert 0 < passed < 700


def test_mutants_of_the_real_header_cost_nothing(real_header: tuple[bytes, int], write: Any) -> None:
    """A few here; `tests/torture/hostile_models.py` tries 2,000."""
    header, size = real_header
    for name, mutant, end in hostile.mutants(header, size, 25, seed=1):
        started = time.monotonic()
        with open_model(write(mutant, end)) as file:
            report = examine(file)
        assert time.monotonic() - started < 60, name
        assert all(0 <= fault.where <= end for fault in report.faults), name


def test_a_small_file_cut_anywhere_is_refused(write: Any) -> None:
    body = small().write()
    header = len(small().header())
    for end in [*range(0, header, 31), *range(header, len(body) - 32, 9_001)]:
        with open_model(write(body[:end])) as file:
            assert not examine(file).sound, end


VALUES = st.one_of(
    st.tuples(st.just(U32), st.integers(0, 2**32 - 1) | st.integers(0, 600)),
    st.tuples(st.just(I32), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(F32), st.floats(width=32)),
    st.tuples(st.just(STRING), st.text(max_size=20)),
    st.tuples(st.just(U32), st.lists(st.integers(0, 600), max_size=4)),
    st.tuples(st.just(F32), st.lists(st.floats(width=32), max_size=4)),
    st.tuples(st.just(STRING), st.lists(st.text(max_size=4), max_size=4)),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(SMALL_ARCHITECTURES), st.data())
def test_any_values_of_fields_are_judged(write: Any, architecture: str, data: st.DataObject) -> None:
    base = small(architecture)
    keys = st.sampled_from([*base.fields, "llama.expert_count", "tokenizer.ggml.pre", "general.type"])
    changes = data.draw(st.dictionaries(keys, VALUES, min_size=1, max_size=3))
    body = Small({**base.fields, **changes}, base.tensors).header()
    with open_model(write(body, len(body) + MIB)) as file:
        header, faults = survey(file.fileno())
        report = examine(file)
    assert header is not None or faults
    assert report.sound or all(0 <= fault.where <= len(body) + MIB for fault in report.faults)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_behind_the_magic_are_refused(write: Any, tail: bytes) -> None:
    with open_model(write(b"GGUF\3\0\0\0" + tail)) as file:
        assert not examine(file).sound


# --- what passes must load -----------------------------------------------------------------------


def ask(path: Path) -> Done | LinnetError:
    """The answer of a worker that loads the file, to a request under a constraint."""
    try:
        model = open_local(str(path), context=256, threads=1)
    except LinnetError as error:
        return error
    try:
        request = Generate((Message("user", "hi \u00e9"),), constraint=Pattern("[a-e]{2}"), max_tokens=4)
        return complete(model, request)
    except LinnetError as error:
        return error
    finally:
        model.close()


@pytest.mark.parametrize("architecture", ["llama", "gemma3", "lfm2"])
def test_small_models_answer(write: Any, architecture: str) -> None:
    done = ask(write(small(architecture).write()))
    assert isinstance(done, Done) and set(done.text) <= set("abcde") and done.text


def test_a_mutant_that_passes_is_answered_or_refused_and_kills_nobody(write: Any) -> None:
    body = small().write()
    header, tried = len(small().header()), 0
    for name, mutant, end in hostile.mutants(body[:header], len(body), 400, seed=3):
        whole = mutant + body[header:] if len(mutant) == header and end == len(body) else b""
        if not whole or mutant == body[:header]:
            continue
        with open_model(write(whole)) as file:
            sound = examine(file).sound
        if sound:
            outcome = ask(write(whole))
            code = outcome.code if isinstance(outcome, LinnetError) else ""
            assert code not in ("worker_crashed", "worker_hung", "worker_start_failed"), name
            tried += 1
        if tried == 5:
            break
    assert tried == 5


def test_a_file_that_is_refused_starts_no_worker(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from linnet.runtime import child

    monkeypatch.setattr(child, "start", lambda *a, **k: pytest.fail("a process was started"))
    for body in list(CORPUS.values())[::9]:
        with pytest.raises(ModelInvalid):
            open_local(str(write(body)))


# --- the engine's own word -----------------------------------------------------------------------


def test_the_architectures_are_names_that_the_engine_knows() -> None:
    import importlib.util

    spec = importlib.util.find_spec("llama_cpp")
    library = Path((spec.submodule_search_locations or [""])[0], "lib", "libllama.so") if spec else Path("none")
    if not library.exists():
        pytest.skip("no libllama.so of llama-cpp-python here")
    text = library.read_bytes()
    unknown = [name for name in architectures.RUNNABLE if name.encode() + b"\0" not in text]
    assert unknown == []
    for table in (architectures.WHOLE_ROTARY, architectures.LATENT, architectures.HYBRID, architectures.STATE_SPACE):
        assert table <= architectures.RUNNABLE


def test_the_types_of_matrices_are_types() -> None:
    assert {kind.name for kind in TENSOR_TYPES.values()} > MATRIX_TYPES
