"""`linnet models encode`, and what `list`, `show` and `rm` make of it, as a user sees them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from linnet.evals.encoding import judgement, texts
from linnet.interfaces.cli.commands import app
from linnet.interfaces.cli.models.encode import _bytes, distances, rates
from linnet.interfaces.cli.output import show
from linnet.models import gguf, locks, mixes
from linnet.models.encoding import Encoding, Quality, Speed, Trial
from linnet.models.shelf import Shelf
from linnet.runtime.encoder import encode

BESIDE = Path(__file__).parents[2] / "models"


def module(name: str) -> Any:
    """A helper of the tests of the models: the folders of tests are no packages."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BESIDE / f"{name}.py")
        assert spec and spec.loader
        sys.modules[name] = made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    return sys.modules[name]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("LINNET_", "HF_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINNET_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "models"


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """The small model in Q8_0, stored as `mine`."""
    source, target = tmp_path / "f32.gguf", tmp_path / "mine.gguf"
    source.write_bytes(module("gguf_writer").small().write())
    with gguf.open_model(source) as file, target.open("w+b") as made:
        encode(file.fileno(), made.fileno(), "q8_0")
    assert models("pull", target).exit_code == 0
    return "mine"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer texts, and whatever is no worse is kept: how fast two files of 200 KB are is chance."""
    passages, prompts = texts.passages()[:4], texts.prompts()[:2]
    monkeypatch.setattr(texts, "passages", lambda: passages)
    monkeypatch.setattr(texts, "prompts", lambda: prompts)
    monkeypatch.setattr(judgement, "GAIN", 0.0)
    monkeypatch.setattr(judgement, "STEADY", 0.0)


def models(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def told(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = models(*arguments, "--json")
    assert done.exit_code == code, done.output
    (line,) = done.stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def ran(*arguments: str) -> dict[str, Any]:
    """What `linnet run` tells; three tokens of a model that means nothing by them are enough."""
    done = CliRunner(env={"LINNET_ANSWER_TOKENS": "3"}).invoke(app, ["run", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


FOR_HOST = ("encode", "mine", "--for-host", "--mix", "20:4", "--type", "bf16", "--rounds", "3", "--threads", "1")


def test_for_this_machine_and_back(mine: str, quick: None, home: Path) -> None:
    found = told(*FOR_HOST)
    assert (found["chosen"], found["type"], found["name"]) == ("bf16", "bf16", "mine")
    original, bf16 = found["trials"]
    assert (original["type"], bf16["type"], bf16["rejected"]) == ("q8_0", "bf16", "")
    assert {"prefill", "decode", "seconds", "ratio", "low", "high", "rounds"} == set(bf16["speed"])
    assert {"mean_kl", "standard_error", "p99_kl", "max_kl", "same_top", "positions"} == set(bf16["quality"])
    assert [row["prompts"] for row in found["agreement"]] == [2, 2, 2]
    path = Path(found["path"])
    assert path.is_file() and path.stat().st_size == found["size"]

    (row,) = [model for model in told("list")["models"] if model["name"] == "mine"]
    (kept,) = row["encodings"]
    assert (kept["type"], kept["size"], kept["here"]) == ("bf16", found["size"], True)
    assert "its encoding" in models("list").stdout and "made for this machine" in models("list").stdout

    shown = told("show", "mine")["encoding"]
    assert shown["used"] == "bf16, made for this machine" and shown["why"] == found["why"] and shown["note"] == ""
    assert "weights: bf16, made for this machine; bf16 is " in " ".join(models("show", "mine").stdout.split())

    answered = ran("Say something.", "--model", "mine", "--threads", "1")
    assert (answered["model"], answered["encoding"]) == ("mine", shown["used"])
    assert not any("encoding" in note for note in answered["degraded"]), "it is none of the things that went wrong"
    assert ran("Say something.", "--model", "mine", "--threads", "1", "--encoding", "original")["encoding"] == ""
    assert ran("What is 2 + 2?", "--model", "mine")["encoding"] == "", "no weights were asked"

    (gone,) = told("rm", "mine")["removed"]
    assert gone["freed_bytes"] == row["size"] + found["size"] and "left" not in gone
    assert not path.exists() and list((home / "encodings" / "records").iterdir()) == []


def test_in_words_and_only_its_encodings_removed(mine: str, quick: None) -> None:
    done = models(*FOR_HOST)
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    steps = ("looking at the model ...", "f32: encoding ...", "f32: answering ...", "bf16: timing ...")
    assert [lines.count(step) for step in steps] == [1, 1, 1, 1], "in a pipe it is not silent for minutes"
    assert any(line.startswith("f32, the reference: ") for line in lines)
    assert any(line.startswith("bf16: ") and "KL" in line for line in lines)
    for words in ("original", "kept", "for 20:4: 20 prompt tokens, 4 decoded, 1 thread: bf16 is ", "stored: "):
        assert words in done.stdout
    assert "it and the original: " in done.stdout and "2 greedy answers are the same" in done.stdout
    assert models("rm", "--encodings", "mine").stdout.startswith("mine: 1 encodings are removed, ")
    assert told("show", "mine")["encoding"] is None
    assert told("rm", "--encodings", "mine", code=2)["error"]["code"] == "input_invalid"


def test_where_nothing_is_faster_the_original_stays(mine: str, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judgement, "GAIN", 1e9)
    done = models(*FOR_HOST)
    assert done.exit_code == 0 and "the original stays" in done.stdout and "stored" not in done.stdout
    assert "weights: the file's own; the original stays" in " ".join(models("show", "mine").stdout.split())
    assert [row["encodings"] for row in told("list")["models"] if row["name"] == "mine"] == [[]]


def test_as_a_model_of_its_own(mine: str) -> None:
    found = told("encode", "mine", "--to", "Q4_0", "--as", "tiny")
    assert (found["model"]["name"], found["model"]["quantisation"]) == ("tiny", "Q4_0")
    assert found["bytes"] == found["model"]["size"] and found["types"]["F32"] == 5
    (row,) = [model for model in told("list")["models"] if model["name"] == "tiny"]
    assert row["source"].startswith("encoded from mine, SHA-256 ")
    done = models("encode", "mine", "--to", "f16")
    assert done.stdout.startswith("mine-f16 is stored: ")
    assert done.stderr.splitlines() == ["looking at the model ...", "encoding to f16 ..."], "no bar in a pipe"
    (listed,) = [line for line in models("list").stdout.splitlines() if "encoded from" in line and "tiny" in line]
    assert row["source"][: len("encoded from mine, SHA-256 ") + 12] in listed and not re.search(
        "[0-9a-f]{13}", listed
    ), "a hash is cut, not folded"


def test_the_tables_fit_a_pipe_with_all_their_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    far = Quality(12.34567, 0.0001, 12.3456, 0.1, 1.0, 3_000)
    fast = Speed(12_345.0, 1_234.0, 123.45, 12.34, 10.12, 14.56, 7)
    trials = tuple(Trial(type, 1_234 << 30, far, fast) for type in ("q4_k_m", "iq4_nl", "bf16"))
    day = ("a" * 64, "mine", "this", "engine", "bf16", "b" * 64, 1, "2026-11-22", mixes.mix("agent"), 2, "it is")
    one = Encoding(*day, (*trials, Trial("q8_0", 1 << 20, rejected="no room")))
    show(rates(one), distances(one))
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    row = "iq4_nl  1234.0 GiB  12345/s  1234/s  123.45 s  12.34 (10.12-14.56)  kept".split()
    assert [line.split() for line in output.splitlines()].count(row) == 1
    assert ["iq4_nl", "12.34567", "12.3456", "100.0%"] in [line.split() for line in output.splitlines()]


def test_of_a_name_with_shared_bytes_nothing_is_freed(mine: str) -> None:
    record = Shelf().find("mine")
    assert record
    with locks.exclusive(Shelf().lock(record.sha256)):
        Shelf().publish(replace(record, name="also"))
    assert models("rm", "also").stdout == "also is removed, its bytes belong to mine too\n"
    with locks.exclusive(Shelf().lock(record.sha256)):
        Shelf().publish(replace(record, name="also"))
    (gone,) = told("rm", "also")["removed"]
    assert gone == {"name": "also", "freed_bytes": 0, "shared_with": ["mine"]}


def test_a_type_is_looked_at_before_the_model() -> None:
    for wanted in (("--for-host", "--type", "q9"), ("--to", "q9")):
        error = told("encode", "no-such-model", *wanted, code=2)["error"]
        assert error["code"] == "input_invalid" and "'q9'" in error["message"]


def test_no_thread_is_a_usage_error(mine: str) -> None:
    done = models("encode", "mine", "--to", "f16", "--threads", "0")
    assert done.exit_code == 2 and Shelf().find("mine-f16") is None


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        ((), 2, "input_invalid"),
        (("--to", "bf16", "--for-host"), 2, "input_invalid"),
        (("--to", "q9"), 2, "input_invalid"),
        (("--to", "q8_0"), 2, "input_invalid"),
        (("--to", "bf16", "--as", "../x"), 2, "input_invalid"),
        (("--to", "bf16", "--type", "q8_0"), 2, "input_invalid"),
        (("--to", "bf16", "--mix", "chat"), 2, "input_invalid"),
        (("--to", "bf16", "--memory", "2G"), 2, "input_invalid"),
        (("--to", "bf16", "--rounds", "0"), 2, "input_invalid"),
        (("--for-host", "--rounds", "2"), 2, "input_invalid"),
        (("--for-host", "--rounds", "0"), 2, "input_invalid"),
        (("--for-host", "--memory", "0"), 4, "out_of_memory"),
        (("--to", "bf16", "--disk", "1K"), 4, "storage_full"),
        (("--for-host", "--as", "x"), 2, "input_invalid"),
        (("--for-host", "--mix", "much"), 2, "input_invalid"),
        (("--for-host", "--type", "q8_0"), 2, "input_invalid"),
        (("--for-host", "--disk", "lots"), 2, "input_invalid"),
        (("--for-host", "--disk", "1K"), 4, "storage_full"),
        (("--for-host", "--memory", "1M"), 4, "out_of_memory"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_leaves_nothing(
    mine: str, home: Path, arguments: tuple[str, ...], code: int, error: str
) -> None:
    assert told("encode", "mine", *arguments, code=code)["error"]["code"] == error
    assert list(home.glob("encodings/*/*")) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [("4096", 4096), ("1K", 1024), ("1.5GiB", 3 << 29), ("800M", 800 << 20), ("2 gb", 2 << 30), ("1TiB", 1 << 40)],
)
def test_sizes(text: str, count: int) -> None:
    assert _bytes(text) == count
