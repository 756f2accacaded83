"""Encodings made and measured by real children: what they are, how far apart, and all ways in which it ends early."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    DeadlineExceeded,
    InputInvalid,
    ModelInvalid,
    RequestTooLarge,
    StorageFull,
    WorkerCrashed,
    WorkerHung,
)
from linnet.limits import LIMITS
from linnet.models.gguf import open_model, read_header
from linnet.models.integrity import checked_header
from linnet.runtime import encoder, job
from linnet.runtime.encoder import Divergence, divergence, encode, logits

WRITER = Path(__file__).parents[1] / "models" / "gguf_writer.py"
TEXTS = ["the quick brown fox jumps over the lazy dog", "and then it sleeps in the sun " * 3]


@pytest.fixture(scope="module")
def writer() -> Any:
    spec = importlib.util.spec_from_file_location("gguf_writer_of_encoder", WRITER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small(writer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up model of 64 columns, in F32."""
    path = tmp_path_factory.mktemp("encoder") / "small.gguf"
    path.write_bytes(writer.small().write())
    return path


@pytest.fixture
def source(small: Path) -> Iterator[int]:
    fd = os.open(small, os.O_RDONLY)
    yield fd
    os.close(fd)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Callable[[], int]]:
    """`empty()`: a new empty file, open for reading and writing."""
    made: list[int] = []

    def make() -> int:
        made.append(os.open(tmp_path / f"made-{len(made)}", os.O_RDWR | os.O_CREAT))
        return made[-1]

    yield make
    for fd in made:
        os.close(fd)


def children() -> list[int]:
    """Children of this process that run our module."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"linnet.worker.encode" in (folder / "cmdline").read_bytes():
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(folder.name)] * (parent == os.getpid())
        except OSError:
            continue
    return found


# --- encodings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", encoder.KINDS)
def test_every_kind_is_made_sound_and_tells_its_types(kind: str, source: int, empty: Callable[[], int]) -> None:
    target = empty()
    made = encode(source, target, kind)
    with open_model(f"/proc/self/fd/{target}") as file:
        header = checked_header(file)
    assert made.kind == kind and made.bytes == os.fstat(target).st_size and made.seconds > 0
    assert made.types == {t.type: made.types[t.type] for t in header.tensors}
    assert sum(made.types.values()) == len(header.tensors) == len(read_header(source).tensors)
    assert made.types["F32"] >= 5, "norms stay as they are"
    reckoned = encoder.estimate(read_header(source), made.kind)
    assert reckoned <= made.bytes <= 1.08 * reckoned, "rows of 64 fall back; mixes have some tensors finer"
    assert len(header.texts("tokenizer.ggml.tokens")) == len(read_header(source).texts("tokenizer.ggml.tokens"))


@pytest.mark.parametrize(("kind", "instead"), [("q6_k", "Q8_0"), ("q5_k_m", "Q5_1"), ("q4_k_m", "Q5_0")])
def test_rows_that_a_kind_cannot_take_are_told(
    kind: str, instead: str, source: int, empty: Callable[[], int]
) -> None:
    """64 columns are no blocks of 256: llama.cpp takes another type and says so in its log only."""
    made = encode(source, empty(), kind)
    assert not any(name.endswith("_K") for name in made.types)
    assert made.types[instead] > made.types["F32"]


def test_the_real_model_with_progress(model_path: Path, empty: Callable[[], int]) -> None:
    """Quantised to begin with, so this is a second encoding of what the first one left."""
    seen: list[tuple[int, int]] = []
    target = empty()
    with open_model(model_path) as file:
        checked_header(file)
        made = encode(file.fileno(), target, "q8_0", 2, progress=lambda done, total: seen.append((done, total)))
        assert os.pread(file.fileno(), 4, 0) == b"GGUF"
    assert made.types == {"Q8_0": 211, "F32": 61}
    assert abs(seen[0][1] - made.bytes) < made.bytes // 50, "expected within two per cent"
    assert seen == sorted(seen) and all(0 <= done <= total for done, total in seen)
    assert len({done for done, _ in seen}) > 2, "it was seen to grow"


def test_what_is_asked_must_make_sense(small: Path, source: int, empty: Callable[[], int], tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no encoding 'q9_0'"):
        encode(source, empty(), "q9_0")
    with pytest.raises(InputInvalid, match="empty regular file"):
        encode(source, source, "q8_0")
    read_only = os.open(tmp_path / "x", os.O_RDONLY | os.O_CREAT)
    read, write = os.pipe()
    try:
        with pytest.raises(InputInvalid, match="reading and writing"):
            encode(source, read_only, "q8_0")
        with pytest.raises(InputInvalid, match="regular"):
            encode(source, write, "q8_0")
        with pytest.raises(ModelInvalid):
            encode(read_only, empty(), "q8_0")
    finally:
        for fd in (read_only, read, write):
            os.close(fd)
    assert children() == []


# --- ends before the end -------------------------------------------------------------------------


def test_a_disk_without_room_is_told_before_anything_is_done(
    source: int, empty: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = os.fstatvfs(source)
    spare = disk.f_bavail * disk.f_frsize
    monkeypatch.setattr(encoder, "LIMITS", replace(LIMITS, disk_spare_bytes=2 * spare))
    target = empty()
    with pytest.raises(StorageFull) as told:
        encode(source, target, "q8_0")
    assert told.value.details["needed"] > 10_000 and os.fstat(target).st_size == 0


def test_a_disk_that_fills_up_is_told(source: int, empty: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "_most", lambda header: 20_000)
    with pytest.raises(StorageFull):
        encode(source, empty(), "q8_0")
    assert children() == []


def test_no_encoding_outgrows_its_bound(source: int, empty: Callable[[], int]) -> None:
    assert encode(source, empty(), "f32").bytes <= encoder._most(read_header(source))


def test_no_file_outgrows_what_it_may_take(source: int, empty: Callable[[], int]) -> None:
    size = encode(source, empty(), "q8_0").bytes
    assert encode(source, empty(), "q8_0", most=size).bytes == size
    target = empty()
    with pytest.raises(StorageFull, match="more than the") as told:
        encode(source, target, "q8_0", most=size - 1)
    assert told.value.details["usable"] == size - 1 >= os.fstat(target).st_size
    assert children() == []


def kill_all(number: int) -> Callable[..., None]:
    def watch(*_: object) -> None:
        for pid in children():
            os.kill(pid, number)

    return watch


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_is_a_typed_error(number: int, source: int, empty: Callable[[], int]) -> None:
    with pytest.raises(WorkerCrashed) as told:
        encode(source, empty(), "q8_0", progress=kill_all(number))
    assert told.value.details["signal"] == signal.Signals(number).name
    assert told.value.details["phase"] == "encode"


def test_a_child_that_stops_is_found_out(
    source: int, empty: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "LIMITS", replace(LIMITS, stall_seconds=0.5))
    with pytest.raises(WorkerHung):
        encode(source, empty(), "q8_0", progress=kill_all(signal.SIGSTOP))
    assert children() == []


def test_time_is_bounded(source: int, empty: Callable[[], int]) -> None:
    with pytest.raises(DeadlineExceeded):
        encode(source, empty(), "q8_0", seconds=0.05)
    with pytest.raises(DeadlineExceeded):
        logits(source, TEXTS, empty(), seconds=0.05)
    assert children() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, EOFError, BrokenPipeError])
def test_what_progress_raises_ends_it_and_goes_on(
    error: type[BaseException], source: int, empty: Callable[[], int]
) -> None:
    """Also errors that a pipe could have raised: they are not taken for the child's death."""
    alive: list[int] = []

    def interrupt(*_: object) -> None:
        alive.extend(children())
        raise error

    with pytest.raises(error):
        encode(source, empty(), "q8_0", progress=interrupt)
    assert len(alive) == 1 and children() == []


# --- distances -----------------------------------------------------------------------------------


def far(source: int, empty: Callable[[], int], *kinds: str) -> dict[str, Divergence]:
    """How far encodings of a model are from the model itself."""
    reference = empty()
    logits(source, TEXTS, reference)
    found = {"itself": divergence(source, TEXTS, reference)}
    for kind in kinds:
        target = empty()
        encode(source, target, kind)
        found[kind] = divergence(target, TEXTS, reference)
    return found


def test_fewer_bits_are_further_away(source: int, empty: Callable[[], int]) -> None:
    found = far(source, empty, "f32", "bf16", "q8_0", "q4_0")
    for same in ("itself", "f32"):
        assert (found[same].mean_kl, found[same].max_kl, found[same].same_top) == (0.0, 0.0, 1.0)
        assert found[same].perplexity == found[same].reference_perplexity > 1
    assert 0 < found["bf16"].mean_kl < found["q4_0"].mean_kl
    assert 0 < found["q8_0"].mean_kl < found["q4_0"].mean_kl
    for one in found.values():
        assert one.mean_kl <= one.p99_kl <= one.max_kl and 0 <= one.same_top <= 1
        assert one.positions == found["itself"].positions > 100
        assert one.reference_perplexity == found["itself"].perplexity
    assert found["q4_0"].standard_error > 0


def test_a_reference_says_how_large_it_is(source: int, empty: Callable[[], int]) -> None:
    out = empty()
    shares: list[float] = []
    made = logits(source, TEXTS, out, progress=shares.append)
    vocabulary = len(read_header(source).texts("tokenizer.ggml.tokens"))
    assert made.vocabulary == vocabulary and made.bytes == os.fstat(out).st_size
    assert 4 * made.positions * vocabulary < made.bytes <= encoder.largest_reference(vocabulary, TEXTS)
    assert all(0 <= share <= 1 for share in shares) and made.seconds > 0 and made.missing == ()


def test_another_reference_is_no_reference(source: int, empty: Callable[[], int]) -> None:
    out = empty()
    logits(source, TEXTS, out)
    with pytest.raises(InputInvalid, match="other texts"):
        divergence(source, [*TEXTS[:1], "and then it sleeps in the shade"], out)
    with pytest.raises(InputInvalid, match="no predictions"):
        divergence(source, TEXTS, empty())
    assert children() == []


def test_a_reference_without_room_is_told(
    source: int, empty: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "largest_reference", lambda vocabulary, texts: 10_000)
    with pytest.raises(StorageFull) as told:
        logits(source, TEXTS, empty())
    assert told.value.details["written"] == 10_000


def test_a_comparing_child_that_dies_is_a_typed_error(
    source: int, empty: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    started = job.child.start

    def start_and_kill(*given: Any) -> Any:
        one = started(*given)
        one.kill()
        return one

    monkeypatch.setattr(job.child, "start", start_and_kill)
    with pytest.raises(WorkerCrashed) as told:
        logits(source, TEXTS, empty())
    assert (told.value.details["signal"], told.value.details["phase"]) == ("SIGKILL", "compare")


def test_texts_within_bounds_and_one_past_them(source: int, empty: Callable[[], int]) -> None:
    with pytest.raises(InputInvalid, match="no text"):
        logits(source, [], empty())
    with pytest.raises(RequestTooLarge):
        logits(source, ["a short text"] * (LIMITS.compared_texts + 1), empty())
    with pytest.raises(RequestTooLarge):
        logits(source, ["a" * (LIMITS.compared_text_bytes + 1)], empty())
    encoder._check_texts(["a" * LIMITS.compared_text_bytes] * LIMITS.compared_texts)
    with pytest.raises(InputInvalid, match="too short"):
        logits(source, ["a"], empty())


def test_the_real_model_against_itself(model_path: Path, empty: Callable[[], int]) -> None:
    """English is likelier than chance, and the same file says the same."""
    out = empty()
    shares: list[float] = []
    texts = ["Please move my meeting with Priya from Thursday to Friday afternoon, and tell her why it is late."]
    with open_model(model_path) as file:
        made = logits(file.fileno(), texts, out, 2, progress=shares.append)
        same = divergence(file.fileno(), texts, out, 2)
    assert shares == sorted(shares), "it only grows"
    assert 1 < made.perplexity < 200 and made.positions > 12
    assert (same.mean_kl, same.same_top, same.perplexity) == (0.0, 1.0, made.perplexity)
