"""The search for an encoding, with the real engine on a small made-up model; and what is loaded afterwards."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import InputInvalid, StorageFull
from linnet.evals.encoding import agreement, candidates, host, judgement, texts
from linnet.evals.encoding.host import Watch, Wish, choose
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.models import encodings, gguf
from linnet.models.encoding import Encoding
from linnet.models.encodings import Encodings
from linnet.models.mixes import mix
from linnet.models.shelf import Shelf
from linnet.requests import Done, Generate, complete
from linnet.runtime import encoder, local
from linnet.runtime.encode_as import encode_as
from linnet.runtime.encoder import encode
from linnet.runtime.local import open_local
from linnet.settings import ModelSettings

BESIDE = Path(__file__).parents[2] / "models"
WISH = Wish(mix("40:8"), ("bf16", "q4_0"), threads=1, rounds=3)


def writer() -> Any:
    """A helper of the tests of the models: the folders of tests are no packages."""
    if "gguf_writer" not in sys.modules:
        spec = importlib.util.spec_from_file_location("gguf_writer", BESIDE / "gguf_writer.py")
        assert spec and spec.loader
        sys.modules["gguf_writer"] = made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return sys.modules["gguf_writer"]


@pytest.fixture(scope="module")
def q8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model in Q8_0, so that it is not exact and its F32 has to be made."""
    folder = tmp_path_factory.mktemp("small")
    source, target = folder / "f32.gguf", folder / "small.gguf"
    source.write_bytes(writer().small().write())
    with gguf.open_model(source) as file, target.open("w+b") as made:
        encode(file.fileno(), made.fileno(), "q8_0")
    return target


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LINNET_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    _fewer(monkeypatch)
    return tmp_path / "models" / "encodings"


def _fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same engine and files, less to wait for."""
    passages, prompts = texts.passages()[:5], texts.prompts()[:3]
    monkeypatch.setattr(texts, "passages", lambda: passages)
    monkeypatch.setattr(texts, "prompts", lambda: prompts)


def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is no worse is kept: how fast two files of 200 KB are is chance."""
    monkeypatch.setattr(judgement, "GAIN", 0.0)
    monkeypatch.setattr(judgement, "STEADY", 0.0)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    _eager(monkeypatch)


@pytest.fixture(scope="module")
def chosen(q8: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Encoding]:
    """A search that has ended, once for all: the folder that it leaves, and what it found."""
    folder = tmp_path_factory.mktemp("chosen")
    with pytest.MonkeyPatch.context() as patched:
        _eager(patched)
        _fewer(patched)
        patched.setenv("LINNET_CACHE", str(folder / "cache"))
        return folder, choose(str(q8), replace(WISH, types=("bf16",)), kept=Encodings(folder / "encodings"))


@pytest.fixture
def found(chosen: tuple[Path, Encoding], folder: Path) -> Encoding:
    shutil.copytree(chosen[0] / "encodings", folder)
    return chosen[1]


def left(folder: Path) -> dict[str, int]:
    return {name: len(list((folder / name).iterdir())) for name in ("records", "blobs", "making")}


def test_the_best_that_is_no_worse_is_kept_and_the_rest_is_gone(q8: Path, folder: Path, eager: None) -> None:
    told: list[str] = []
    at: list[tuple[str, float]] = []
    found = choose(str(q8), WISH, Watch(told.append, lambda what, share: at.append((what, share))))
    assert (found.type, found.name, found.mix, found.threads) == ("bf16", "small", WISH.mix, 1)
    original, bf16, q4_0 = found.trials
    assert (original.type, original.size, original.rejected) == ("q8_0", q8.stat().st_size, "")
    assert original.quality and bf16.quality and q4_0.quality
    assert 0 < bf16.quality.mean_kl < original.quality.mean_kl < q4_0.quality.mean_kl
    assert "KL" in q4_0.rejected and bf16.rejected == ""
    for trial in found.trials:
        assert trial.speed and trial.speed.prefill > 0 and trial.speed.decode > 0
        assert trial.speed.low <= trial.speed.ratio <= trial.speed.high
    assert original.speed and original.speed.rounds == 6 and bf16.speed and bf16.speed.rounds == 3
    same, _, exact = found.agreement
    assert same.prompts == 3 and same.tokens == 32 and exact.between == "it and the F32"
    assert left(folder) == {"records": 1, "blobs": 1, "making": 0}
    assert found.sha256 and Encodings().blob(found.sha256).stat().st_size == found.size == bf16.size
    assert any("f32, the reference" in line for line in told) and any(line.startswith("q4_0: ") for line in told)
    assert {"f32: encoding", "bf16: comparing", "q4_0: timing"} <= {what for what, _ in at}
    assert all(0 <= share <= 1.01 for _, share in at)


def test_where_nothing_is_good_and_faster_the_original_stays(
    q8: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgement, "GAIN", 1e9)
    found = choose(str(q8), WISH)
    assert (found.sha256, found.size, found.type, found.agreement) == (None, 0, "q8_0", ())
    assert "the original stays" in found.why and "under 1e+09" in found.trials[1].rejected
    assert left(folder) == {"records": 1, "blobs": 0, "making": 0}
    assert Encodings().decided(found.original, found.machine, found.engine)[0] == found


@pytest.mark.parametrize("step", ["f32: encoding", "f32: predicting", "f32: answering", "bf16: timing"])
def test_ctrl_c_leaves_nothing(q8: Path, folder: Path, step: str) -> None:
    def at(what: str, share: float) -> None:
        if what == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose(str(q8), WISH, Watch(at=at))
    assert left(folder) == {"records": 0, "blobs": 0, "making": 0}


def test_room_is_asked_for_before_anything_is_written(q8: Path, folder: Path) -> None:
    with pytest.raises(StorageFull, match="are missing"):
        choose(str(q8), Wish(mix("agent"), ("bf16",), disk=1_000))
    assert not folder.exists()


def test_rounds_up_to_the_limit_and_one_past_it(q8: Path) -> None:
    with pytest.raises(StorageFull):  # so many are fine: it goes on to ask for room
        choose(str(q8), Wish(mix("agent"), rounds=LIMITS.encoding_rounds, disk=1))
    with pytest.raises(InputInvalid, match="rounds are over") as many:
        choose(str(q8), Wish(mix("agent"), rounds=LIMITS.encoding_rounds + 1, disk=1))
    assert f"{LIMITS.encoding_rounds} or fewer" in many.value.hint


def test_fewer_rounds_than_have_quartiles_are_none(q8: Path) -> None:
    with pytest.raises(StorageFull):
        choose(str(q8), Wish(mix("agent"), rounds=host.LEAST_ROUNDS, disk=1))
    for few in (host.LEAST_ROUNDS - 1, 0):
        with pytest.raises(InputInvalid, match="how noisy") as told:
            choose(str(q8), Wish(mix("agent"), rounds=few, disk=1))
        assert "3 or more" in told.value.hint


def test_types_are_looked_at_before_the_file_is(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="no type of weights"):
        choose(str(tmp_path / "none.gguf"), Wish(mix("agent"), ("bf16", "q9")))


def test_a_candidate_that_outgrows_the_disk_is_told_and_gone(
    q8: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size was reckoned far too small."""
    with gguf.open_model(q8) as file:
        whole = encoder.estimate(gguf.read_header(file.fileno()), "f32")
    reckoned = candidates.candidates
    monkeypatch.setattr(host, "candidates", lambda *given: [replace(one, size=1) for one in reckoned(*given)])
    monkeypatch.setattr(host._Search, "_predicted", lambda search: 0)
    monkeypatch.setattr(host.Making, "size", property(lambda made: whole))
    found = choose(str(q8), replace(WISH, types=("bf16",), disk=int(1.06 * whole)))
    assert "takes more than the" in found.trials[1].rejected and found.sha256 is None
    assert left(folder) == {"records": 1, "blobs": 0, "making": 0}


# --- and then it is loaded -----------------------------------------------------------------------

HELLO = Generate((Message("user", "hello"),), max_tokens=4)


@pytest.fixture
def said() -> Iterator[Any]:
    """`said(path, ...)`: the model, and how an answer of it ended."""
    opened = []

    def say(path: Path, **options: Any) -> tuple[local.LocalModel, Done]:
        opened.append(open_local(str(path), context=512, threads=1, **options))
        return opened[-1], complete(opened[-1], HELLO)

    yield say
    for model in opened:
        model.close()


def test_it_is_loaded_in_place_of_the_original_and_told(q8: Path, found: Encoding, said: Any) -> None:
    model, done = said(q8)
    assert model.capabilities.encoding == "bf16, made for this machine" and done.degraded == ()
    assert (model.fingerprint(), model.original()) == (found.sha256, found.original)
    assert model.capabilities.name == "small"


@pytest.mark.parametrize(
    "options",
    [{"encoding": "original"}, {"models": {"small": ModelSettings(encoding="original")}}],
    ids=["all", "one"],
)
def test_the_original_can_be_wanted(q8: Path, found: Encoding, said: Any, options: dict[str, Any]) -> None:
    model, done = said(q8, **options)
    assert model.capabilities.encoding == "" and done.degraded == ()
    assert model.fingerprint() == model.original() == found.original


def test_a_setting_of_one_model_goes_before_the_general_one(q8: Path, found: Encoding, said: Any) -> None:
    model, _ = said(q8, encoding="original", models={str(q8): ModelSettings(encoding="auto")})
    assert model.capabilities.encoding


@pytest.mark.parametrize("damage", ["a bit", "a header", "gone"])
def test_a_damaged_one_is_passed_over_with_a_note(q8: Path, found: Encoding, said: Any, damage: str) -> None:
    assert found.sha256
    blob = Encodings().blob(found.sha256)
    body = bytearray(blob.read_bytes())
    blob.unlink()
    if damage != "gone":
        body[-100 if damage == "a bit" else 0] ^= 1
        blob.write_bytes(body)
    model, done = said(q8)
    assert model.capabilities.encoding == ""
    (note,) = done.degraded
    assert "made for this machine" in note and "original" in note


def test_one_that_does_not_fit_is_passed_over_with_a_note(
    q8: Path, found: Encoding, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from linnet.hardware import budget
    from linnet.runtime import stand_in

    monkeypatch.setattr(
        stand_in.budget, "plan", lambda *given: budget.Fit(0, False, 0, "600 MiB are needed and 500 MiB usable")
    )
    monkeypatch.setattr(local, "_check_fit", lambda *given: None)
    model, done = said(q8)
    assert model.capabilities.encoding == "" and "600 MiB are needed" in done.degraded[0]


def test_on_another_machine_or_engine_the_original_is_loaded(
    q8: Path, found: Encoding, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "engine", lambda: "another")
    model, done = said(q8)
    assert model.capabilities.encoding == "" and done.degraded == ()


# --- a model of its own --------------------------------------------------------------------------


def test_a_model_of_another_type_under_a_name(q8: Path, folder: Path, said: Any) -> None:
    record, made = encode_as(str(q8), "q4_0")
    assert (record.name, record.quantisation, record.size) == ("small-q4_0", "Q4_0", made.bytes)
    assert "encoded from small, SHA-256 " in record.source and "llama-cpp-python" in record.source
    assert left(folder) == {"records": 0, "blobs": 0, "making": 0}
    model, _ = said(Path("small-q4_0"))
    assert model.fingerprint() == record.sha256
    with pytest.raises(InputInvalid, match="belongs to another model"):
        encode_as(str(q8), "q4_0")
    with pytest.raises(InputInvalid, match="in q8_0 already"):
        encode_as(str(q8), "q8_0", "again")
    with pytest.raises(InputInvalid, match="name of a known model"):
        encode_as(str(q8), "q4_0", "default")
    with pytest.raises(StorageFull, match="may be used"):
        encode_as(str(q8), "f16", "wide", disk=1_000)


def test_a_name_that_was_taken_meanwhile_is_refused(q8: Path, folder: Path) -> None:
    """Two at once: the other is done while this one is still at work."""
    others: list[Any] = []

    def other(*_: object) -> None:
        if not others:
            others.append(encode_as(str(q8), "q5_0", "taken")[0])

    with pytest.raises(InputInvalid, match="'taken' belongs to another model") as told:
        encode_as(str(q8), "q4_0", "taken", progress=other)
    assert told.value.details["name"] == "taken"
    assert Shelf().records() == others and len(list((folder.parent / "blobs").iterdir())) == 1
    assert left(folder) == {"records": 0, "blobs": 0, "making": 0}


def test_the_disk_that_is_allowed_bounds_the_file(q8: Path, folder: Path) -> None:
    """Some tensors of this kind are more precise than the rest: more than was reckoned, and it fits by not a byte."""
    record, made = encode_as(str(q8), "q4_k_m", "whole")
    Shelf().remove("whole")
    with pytest.raises(StorageFull, match=r"takes more than the .* that may be used") as told:
        encode_as(str(q8), "q4_k_m", "less", disk=made.bytes - 1)
    assert told.value.details["usable"] == made.bytes - 1
    assert left(folder) == {"records": 0, "blobs": 0, "making": 0}
    assert Shelf().records() == [] and list((folder.parent / "blobs").iterdir()) == []
    assert encode_as(str(q8), "q4_k_m", "just", disk=made.bytes)[0].sha256 == record.sha256


# --- answers -------------------------------------------------------------------------------------


def test_agreement_counts_equal_answers_in_full() -> None:
    found = agreement.agreement("a and b", ((1, 2, 3), (4, 5), (9,)), ((1, 2, 3), (4, 6), (8,)))
    assert (found.prompts, found.identical) == (3, pytest.approx(1 / 3))
    assert found.prefix == pytest.approx((32 + 1 + 0) / 3)


def test_a_wish_has_its_default_rounds_within_the_limit() -> None:
    assert Wish(mix("agent")).rounds == host.ROUNDS <= LIMITS.encoding_rounds and host.ROUNDS % 2
