"""Profiles: kept by the hash of a model's file, and never more than a note where they cannot be used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from linnet.calling import profile as profiles
from linnet.calling.profile import JSON, Profile, Score, Way
from linnet.limits import LIMITS

SHA = "ab" * 32
FOUND = Profile(
    Way("native", "hermes", constrained=True, tools=2),
    "native constrained, 2 tools",
    (Score("guided", 30, 40, 0.6, 0.86, 0.5), Score("json free", 1, 8, 0.0, 0.4, 2.5, 1, "clearly worse")),
    "1",
    "2026-11-22",
    "engine 1",
    "a-model",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "linnet" / "profiles"


def test_what_is_saved_is_loaded(folder: Path) -> None:
    assert not profiles.any_stored() and profiles.load(SHA) == (None, "")
    assert profiles.save(SHA, FOUND) == folder / f"{SHA}.json"
    assert profiles.load(SHA) == (FOUND, "") and profiles.any_stored()
    assert profiles.load("cd" * 32) == (None, "")
    assert [path.name for path in folder.iterdir()] == [f"{SHA}.json"]


def test_a_newer_one_replaces_it_whole(folder: Path) -> None:
    profiles.save(SHA, FOUND)
    profiles.save(SHA, Profile(Way(), "guided"))
    assert profiles.load(SHA)[0] == Profile(Way(), "guided")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"way": {"by": "magic"}, "arm": "x"}',
        b'{"way": {"by": "native", "tools": 65}, "arm": "x"}',
        b'{"way": {}, "arm": "x", "more": 1}',
        b'{"way": {}, "arm": "x", "scores": [{"arm": "x", "right": -1, "of": 0, "low": 0, "high": 1, "seconds": 0}]}',
    ],
)
def test_a_damaged_one_is_passed_over_with_a_note(folder: Path, body: bytes) -> None:
    folder.mkdir(parents=True)
    (folder / f"{SHA}.json").write_bytes(body)
    found, note = profiles.load(SHA)
    assert found is None and "passed over" in note and SHA in note


@given(body=st.binary(max_size=200))
def test_no_body_raises(body: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = profiles.path_of(SHA)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    assert profiles.load(SHA)[0] is None


@pytest.mark.parametrize("over", [0, 1])
def test_it_is_read_up_to_the_limit(folder: Path, over: int) -> None:
    body = json.dumps(FOUND.describe()).encode()
    folder.mkdir(parents=True)
    (folder / f"{SHA}.json").write_bytes(body.ljust(LIMITS.profile_bytes + over))
    found, note = profiles.load(SHA)
    assert (found is None) == bool(over) and ("over" in note) == bool(over)


def test_what_is_no_file_of_its_own_is_not_read(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / f"{SHA}.json"
    (tmp_path / "else.json").write_text(json.dumps(FOUND.describe()))
    path.symlink_to(tmp_path / "else.json")
    assert profiles.load(SHA)[0] is None and profiles.load(SHA)[1]
    path.unlink()
    os.mkfifo(path)
    assert "no regular file" in profiles.load(SHA)[1]
    path.unlink()
    path.mkdir()
    assert profiles.load(SHA)[0] is None and profiles.load(SHA)[1]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"])
def test_only_a_hash_names_one(name: str) -> None:
    for use in (profiles.path_of, profiles.load):
        with pytest.raises(ValueError, match="no SHA-256"):
            use(name)


@pytest.mark.parametrize("tools", [0, LIMITS.native_tools + 1])
def test_the_limit_of_tools(tools: int) -> None:
    Way(tools=LIMITS.native_tools)
    with pytest.raises(ValidationError):
        Way(tools=tools)


def test_a_way_in_words() -> None:
    assert str(Way()) == "guided"
    assert str(FOUND.way) == "native: hermes, constrained, at most 2 tools"
    assert str(Way("native", JSON, thinking=True, tools=1)) == "native: json, thinking, at most 1 tool"
