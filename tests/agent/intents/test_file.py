"""The file of a classifier: what was saved is read back, and whatever else is there is refused with a reason."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.agent.intents import file as module
from linnet.agent.intents.classifier import Classifier, Confidence
from linnet.agent.intents.file import load, save
from linnet.errors import InputInvalid
from linnet.limits import LIMITS

Make = Callable[..., Classifier]


Arrays = dict[str, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "intents.npz"


def arrays_of(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def refused(path: Path, said: str) -> None:
    with pytest.raises(InputInvalid, match=said) as caught:
        load(path)
    assert str(path) in caught.value.message and "Train and save" in caught.value.hint


def same(one: Classifier, other: Classifier) -> bool:
    arrays = ("weights", "scales", "bias", "seen")
    plain = ("intents", "ngrams", "confidence", "margin", "about")
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in arrays) and all(
        getattr(one, n) == getattr(other, n) for n in plain
    )


# --- there and back ------------------------------------------------------------------------------


def test_there_and_back(path: Path, by_hand: Make) -> None:
    assert save(by_hand(0.25), path) == path.stat().st_size
    assert same(load(path), by_hand(0.25))
    assert load(path).read("open please").intent == by_hand(0.25).read("open please").intent == "hours"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name], "no temporary file is left"


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
grams = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1, max_size=6)
numbers = st.floats(-1e6, 1e6, width=32)


@st.composite
def classifiers(draw: st.DrawFn) -> Classifier:
    intents = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    ngrams = draw(st.lists(grams, min_size=1, max_size=5, unique=True))
    seeded = np.random.default_rng(draw(st.integers(0, 99)))
    columns = [np.array(draw(st.lists(numbers, min_size=len(intents), max_size=len(intents))), np.float32)] * 2
    return Classifier(
        tuple(intents),
        tuple(ngrams),
        seeded.integers(-127, 128, (len(ngrams), len(intents)), np.int8),
        *columns,
        seeded.integers(0, 1 << 32, len(ngrams), np.uint32),
        Confidence(*(draw(numbers) for _ in range(4))),
        draw(numbers),
        draw(st.dictionaries(names, st.integers(-9, 9) | names, max_size=2)),
    )


@settings(max_examples=40)
@given(classifiers())
def test_any_comes_back(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> None:
    path = tmp_path_factory.mktemp("any") / "intents.npz"
    save(classifier, path)
    back = load(path)
    assert same(back, classifier)
    assert back.read("open a table").nearest in ("", *classifier.intents)


@settings(max_examples=120)
@given(st.data())
def test_damaged_bytes_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, by_hand: Make, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("hurt") / "intents.npz"
    save(by_hand(), path)
    body = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body)
    try:
        classifier = load(path)
    except InputInvalid:
        return
    assert classifier.read("open a table").nearest in ("", *classifier.intents)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("other") / "intents.npz"
    path.write_bytes(body)
    refused(path, "is damaged")


# --- what is refused -----------------------------------------------------------------------------


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    refused(tmp_path / "away.npz", "cannot be read: No such file")
    refused(tmp_path, "cannot be read")


def test_where_nothing_can_be_written(tmp_path: Path, by_hand: Make) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputInvalid, match="cannot be written"):
        save(by_hand(), tmp_path / "file" / "intents.npz")


def about(**changes: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        told = json.loads(arrays["about"].tobytes())
        arrays["about"] = np.frombuffer(json.dumps({**told, **changes}).encode(), np.uint8)

    return change


def put(name: str, value: Any) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.__setitem__(name, value)


def lines(count: int) -> Any:
    return np.frombuffer("\n".join(map(str, range(count))).encode(), np.uint8)


ONE_MANY = [f"i{n}" for n in range(LIMITS.intents + 1)]
WEIGHTS = {"bias": 0.0, "best": 1.0, "gap": 0.0, "rarity": 0.0}

HOSTILE = {
    "a member too many": (put("more", np.zeros(1)), "has not the members"),
    "a member too few": (lambda arrays: arrays.pop("bias"), "has not the members"),
    "weights of another type": (put("weights", np.zeros((3, 2), np.int16)), "weights of another type"),
    "weights in one row": (put("weights", np.zeros(6, np.int8)), "weights of another type"),
    "weights column by column": (put("weights", np.asfortranarray(np.ones((3, 2), np.int8))), "without a header"),
    "a row too few": (put("weights", np.zeros((2, 2), np.int8)), r"weights of \(2, 2\), not \(3, 2\)"),
    "no rows": (put("weights", np.zeros((0, 2), np.int8)), "weights of another size"),
    "scales too many": (put("scales", np.ones(3, "<f4")), "scales of"),
    "scales by twos": (put("scales", np.ones(2, ">f4")), "scales of another type"),
    "infinity": (put("bias", np.array([0, np.inf], "<f4")), "has a number that is none"),
    "no number": (put("scales", np.array([np.nan, 1], "<f4")), "has a number that is none"),
    "a number one past": (put("bias", np.array([0, np.nextafter(np.float32(1e6), np.inf)], "<f4")), "a number"),
    "n-grams twice": (put("ngrams", np.frombuffer(b"a\na\nb", np.uint8)), "n-gram twice"),
    "an empty n-gram": (put("ngrams", np.frombuffer(b"a\n\nb", np.uint8)), "n-gram twice, or an empty"),
    "n-grams of bytes": (put("ngrams", np.frombuffer(b"a\n\xff\nb", np.uint8)), "no UTF-8"),
    "n-grams one past": (put("ngrams", lines(LIMITS.intent_ngrams + 1)), "has over 524,288 n-grams"),
    "n-grams at the limit": (put("ngrams", lines(LIMITS.intent_ngrams)), r"weights of \(3, 2\), not \(524288, 2\)"),
    "about is no JSON": (put("about", np.frombuffer(b"{", np.uint8)), "not understood"),
    "about is deep": (put("about", np.frombuffer(b"[" * 100_000, np.uint8)), "not understood"),
    "about is long": (put("about", np.full((1 << 20) + 1, 32, np.uint8)), "says over 1,048,576 bytes"),
    "another format": (about(format="x" * 99), "another format"),
    "one intent": (about(intents=["a"]), "not understood"),
    "intents one past": (about(intents=ONE_MANY), "not understood"),
    "intents at the limit": (about(intents=ONE_MANY[1:]), r"weights of \(3, 2\), not \(3, 1024\)"),
    "an intent twice": (about(intents=["a", "a"]), "an intent twice"),
    "a name one past": (about(intents=["a", "b" * (LIMITS.intent_name_chars + 1)]), "at too great a length"),
    "a name without letters": (about(intents=["a", ""]), "too shortly"),
    "a margin of text": (about(margin="1"), "not understood"),
    "a margin one past": (about(margin=1e6 + 1), "not understood"),
    "a weight too many": (about(confidence={**WEIGHTS, "more": 1.0}), "not understood"),
    "unknown fields": (about(other=1), "not understood"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_contents(path: Path, name: str, by_hand: Make) -> None:
    change, said = HOSTILE[name]
    save(by_hand(), path)
    arrays = arrays_of(path)
    change(arrays)
    np.savez_compressed(path, **arrays)
    refused(path, said)


def test_at_the_limit_of_names_it_is_read(path: Path, by_hand: Make) -> None:
    long = replace(by_hand(), intents=("a", "b" * LIMITS.intent_name_chars))
    save(long, path)
    assert load(path).intents == long.intents


def test_pickles_are_not_opened(path: Path, by_hand: Make) -> None:
    save(by_hand(), path)
    arrays = arrays_of(path)
    arrays["about"] = np.array([{"a": 1}], object)
    np.savez(path, **arrays)
    refused(path, "about of another type")


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (npy("{'descr': '|i1', 'fortran_order': False, 'shape': (109951162777, 1048576), }\n"), "another size"),
        (npy("{'descr': '|i1', 'fortran_order': False, 'shape': (-3, -2), }\n") + b"123456", "without a header"),
        (npy("__import__('os').system('true')\n"), "without a header"),
        (npy("(" * 400 + "\n"), "without a header"),
        (npy(" " * 600 + "\n"), "without a header"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (3, 2), }\n") + b"12345678" * 6, "another type"),
        (b"\x93NUMPY\x03\x00" + b"\x00" * 20, "without a header"),
        (b"", "without a header"),
    ],
)
def test_arrays_that_lie(path: Path, member: bytes, said: str, by_hand: Make) -> None:
    save(by_hand(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in {**members, "weights.npy": member}.items():
            archive.writestr(name, body)
    refused(path, said)


def test_a_member_twice(path: Path, by_hand: Make) -> None:
    save(by_hand(), path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("bias.npy", b"")
    refused(path, "has not the members")


def test_other_packings_are_refused(path: Path, by_hand: Make) -> None:
    save(by_hand(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    refused(path, "packed in an unknown way")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """The limit of bytes, small enough to try: 8 KiB."""
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, intent_file_bytes=8 << 10))
    return 8 << 10


def test_one_byte_past_the_limit_on_disk(path: Path, small: int) -> None:
    path.write_bytes(bytes(small))
    refused(path, "is damaged")
    path.write_bytes(bytes(small + 1))
    refused(path, "is over 8,192 bytes")


def test_a_bomb_is_not_unpacked(path: Path, small: int, by_hand: Make) -> None:
    save(by_hand(), path)
    arrays = arrays_of(path)
    arrays["ngrams"] = np.zeros(100 * small, np.uint8)
    body = io.BytesIO()
    np.savez_compressed(body, **arrays)
    assert body.tell() < small
    path.write_bytes(body.getvalue())
    refused(path, "unpacks to over 8,192 bytes")


def test_what_could_not_be_read_again_is_not_written(path: Path, small: int, by_hand: Make) -> None:
    grams = tuple(str(n) for n in np.random.default_rng(0).integers(0, 1 << 62, 2_000))
    big = replace(by_hand(), ngrams=grams, weights=np.zeros((2_000, 2), np.int8), seen=np.zeros(2_000, np.uint32))
    with pytest.raises(InputInvalid, match="over 8,192"):
        save(big, path)
    assert not path.exists()
