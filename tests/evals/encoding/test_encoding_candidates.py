"""Which types are tried on which machine, and what of disk and memory they may take."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.errors import InputInvalid, OutOfMemory, StorageFull
from linnet.evals.encoding import room as rooms
from linnet.evals.encoding import texts
from linnet.evals.encoding.candidates import candidates, kind
from linnet.evals.encoding.room import Room, as_file, memory_of, room
from linnet.hardware.footprint import Block, Shape
from linnet.hardware.machine import Machine
from linnet.limits import LIMITS
from linnet.models.gguf import Header, open_model, read_header

MIB = 1 << 20


@pytest.fixture(scope="module")
def header(model_path: Path) -> Header:
    with open_model(model_path) as file:
        return read_header(file.fileno())


def types(header: Header, *features: str, wanted: tuple[str, ...] = ()) -> list[str]:
    return [one.type for one in candidates(header, features, wanted)]


def test_at_least_three_are_tried_on_every_machine(header: Header) -> None:
    assert types(header, "avx2", "f16c") == ["bf16", "f16", "q8_0", "q4_0"]
    assert types(header, "neon", "dotprod") == ["q8_0", "q4_0", "bf16"]
    assert len(types(header)) == 3


def test_the_type_that_the_file_has_is_none(header: Header) -> None:
    own = replace(header, metadata={**header.metadata, "general.file_type": 7})
    assert types(own, "avx2", "f16c") == ["bf16", "f16", "q4_0"]
    assert types(own, wanted=("Q8_0", "BF16", "bf16")) == ["bf16"]
    with pytest.raises(InputInvalid, match="in q8_0 already"):
        types(own, wanted=("q8_0",))


def test_sizes_are_those_that_were_made(header: Header) -> None:
    """258.3, 138.1 and 514.8 MiB came of this file."""
    sizes = {one.type: one.size / MIB for one in candidates(header, (), ("bf16", "q8_0", "f32"))}
    assert sizes == {
        "bf16": pytest.approx(258.3, rel=0.01),
        "q8_0": pytest.approx(138.1, rel=0.01),
        "f32": pytest.approx(514.8, rel=0.01),
    }


def test_names_of_types() -> None:
    assert kind("Q4_K_M") == "q4_k_m"
    for text in ("q4", "", "../x", "mxfp4"):
        with pytest.raises(InputInvalid, match="no type of weights"):
            kind(text)


def test_as_many_as_the_limit_and_one_past_it(header: Header) -> None:
    many = ("f16", "bf16", "q8_0", "q6_k", "q5_1", "q5_0", "q4_0", "iq4_nl", "q2_k")
    assert len(types(header, wanted=many[: LIMITS.encodings_tried])) == LIMITS.encodings_tried == len(many) - 1
    with pytest.raises(InputInvalid, match="tried at one time"):
        types(header, wanted=many)


# --- room ----------------------------------------------------------------------------------------

SHAPE = Shape(100 * MIB, (Block(64, 64),) * 4, 64, 128, 192, 1_000)


def test_room_is_what_is_free_and_no_more_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "free_bytes", lambda folder: 1_000 * MIB)
    machine = Machine("linux", "x86_64", memory_available=1_000 * MIB)
    found = room(machine, tmp_path / "not" / "there" / "yet", None, None)
    assert (found.disk, found.folder) == (1_000 * MIB - LIMITS.disk_spare_bytes, tmp_path)
    assert found.memory == pytest.approx(900 * MIB)
    small = room(machine, tmp_path, 10 * MIB, 20 * MIB)
    assert (small.disk, small.memory) == (10 * MIB, 20 * MIB)
    none = room(machine, tmp_path, 0, 0)
    assert (none.disk, none.memory) == (0, 0), "nothing is not the same as not given"
    assert room(machine, tmp_path, 10**15, 10**15) == replace(found, folder=tmp_path), "what is not there is not used"
    assert room(Machine("linux", "x86_64"), tmp_path, None, None).memory == math.inf


def test_a_reference_that_does_not_fit_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    enough = Room(200 * MIB, memory_of(as_file(SHAPE, 100 * MIB)), tmp_path)
    enough.check_reference(100 * MIB, 50 * MIB, SHAPE)
    with pytest.raises(
        StorageFull, match=r"155\.0 MiB of disk .*105\.0 MiB for the F32.* 55\.0 MiB are missing"
    ) as full:
        replace(enough, disk=100 * MIB).check_reference(100 * MIB, 50 * MIB, SHAPE)
    assert "--to bf16" in full.value.hint and full.value.details["predictions_bytes"] == 50 * MIB
    with pytest.raises(OutOfMemory, match=r"of memory, .* may be used: 1\.0 MiB are missing"):
        replace(enough, memory=enough.memory - MIB).check_reference(100 * MIB, 50 * MIB, SHAPE)


def test_a_candidate_that_does_not_fit_beside_the_best_is_told_why(tmp_path: Path) -> None:
    pair = (SHAPE, as_file(SHAPE, 50 * MIB))
    enough = Room(100 * MIB, memory_of(*pair), tmp_path)
    assert enough.why_not("bf16", 50 * MIB, 40 * MIB, pair) == ""
    assert "bf16 needs 112.5 MiB of disk" in enough.why_not("bf16", 50 * MIB, 60 * MIB, pair)
    assert "of memory to be measured" in replace(enough, memory=enough.memory - 1).why_not("bf16", 50 * MIB, 0, pair)


# --- texts ---------------------------------------------------------------------------------------


def test_there_are_enough_texts_within_the_limits() -> None:
    passages, prompts = texts.passages(), texts.prompts()
    assert len(set(passages)) == len(passages) >= 40 and len(set(prompts)) == len(prompts) == 50
    assert len(passages) <= LIMITS.compared_texts
    assert max(len(text.encode()) for text in passages) <= min(LIMITS.compared_text_bytes, rooms.CONTEXT - 64)
    scripts = {name for text in passages for name in ("я", "の", "件", "ال") if name in text}
    assert len(scripts) >= 3 and texts.version()
