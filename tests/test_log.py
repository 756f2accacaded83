"""The log: whatever is in an event, it is one line of JSON, without secrets; and the file is bounded and whole."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet import log as module
from linnet.app import _start_log, open_agent
from linnet.limits import LIMITS
from linnet.log import Log
from linnet.settings import Settings, load

FORGED = [
    'x\n{"event": "forged"}',
    'x\r\n{"event": "forged"}',
    "\x1b[2J\x1b[31mred\x07",
    "a\u2028b\u2029c\u0085d\x0b\x0c\x1c\x1e",
    "\ud800 half",
    "\x00\x7f\u202egnp.exe",
]


def lines(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    assert raw.endswith(b"\n") and all(32 <= byte < 127 or byte == 10 for byte in raw)
    return [json.loads(line) for line in raw.splitlines()]


@pytest.mark.parametrize("text", FORGED)
def test_no_text_forges_a_line(tmp_path: Path, text: str) -> None:
    Log(tmp_path / "log").note("tool", name=text, inner={text: [text]})
    (told,) = lines(tmp_path / "log")
    assert told["event"] == "tool" and told["name"] == text and told["inner"] == {text: [text]}
    assert told["pid"] == os.getpid()


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text()), max_size=3))
def test_whatever_is_told_is_one_line(tmp_path_factory: Any, event: str, fields: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("l") / "log"
    Log(path).note(event, **{f"f{i}": {name: value} for i, (name, value) in enumerate(fields.items())})
    assert len(lines(path)) == 1


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop1234",
        "hf_AbCdEfGhIjKlMnOpQr",
        "ghp_0123456789abcdefABCDEF",
        "Bearer abcdefgh12345678",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl",
        "my own secret",
    ],
)
def test_secrets_are_in_no_line(tmp_path: Path, secret: str) -> None:
    log = Log(tmp_path / "log", secrets=("my own secret", ""))
    log.note("refused", message=f"with {secret}.", deep=[{"x": secret}], url="https://me:pass@host/")
    text = (tmp_path / "log").read_text()
    assert secret not in text and "pass" not in text and text.count("[secret]") == 3


def test_secrets_are_in_no_line_whatever_they_are_told_as(tmp_path: Path) -> None:
    secret, mine = "sk-abcdefghijklmnop1234", "mine"

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    log = Log(tmp_path / "log", secrets=(mine,))
    for held in (secret, mine):
        log.note(
            "x", a=held.encode(), b=Path("/x") / held, c=ValueError(held), d={held}, e={("k", held): bytearray(1)}
        )
    log.note("x", odd=Odd(), none=None, no=False, half=0.5)
    text = (tmp_path / "log").read_text()
    assert secret not in text and mine not in text and text.count("[secret]") == 10
    assert {"odd": "<Odd>", "none": None, "no": False, "half": 0.5}.items() <= lines(tmp_path / "log")[-1].items()


def test_the_keys_of_the_environment_are_in_no_line(tmp_path: Path) -> None:
    environ = {"LINNET_SEARCH_KEY": "search", "LINNET_API_KEYS": "first, second,third", "LINNET_REMOTE_KEY": "far"}
    try:
        _start_log(Settings(log=tmp_path / "log"), environ)
        module.note("x", told="search first second third far")
    finally:
        module.write_to(None)
    assert lines(tmp_path / "log")[0]["told"] == " ".join(["[secret]"] * 5)


def test_a_lock_of_anothers_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(tmp_path / "log")
    with (tmp_path / "log").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        log.note("x", i=1)
        assert "another program keeps it locked" in capsys.readouterr().err
    log.note("x", i=2)
    assert [one["i"] for one in lines(tmp_path / "log")] == [2]


def test_what_is_named_a_secret_is_none_to_tell_and_counts_of_tokens_are(tmp_path: Path) -> None:
    Log(tmp_path / "log").note("x", api_key="k", Authorization="v", password=["p"], tokens=7, prompt_tokens=3)
    (told,) = lines(tmp_path / "log")
    assert [told[n] for n in ("api_key", "Authorization", "password", "tokens", "prompt_tokens")] == [
        *["[secret]"] * 3,
        7,
        3,
    ]


def test_a_file_that_is_full_gives_way_and_the_oldest_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, log_bytes=1_000, logs_kept=3))
    log = Log(tmp_path / "log")
    for i in range(100):
        log.note("x", i=i)
    kept = [lines(tmp_path / name) for name in ("log.2", "log.1", "log")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    numbers = [told["i"] for file in kept for told in file]
    assert numbers == list(range(numbers[0], 100))
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())


def test_an_event_that_is_too_long_is_told_as_such(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.note("x", many=["y" * 1_000] * 100)
    assert set(lines(tmp_path / "log")[0]) == {"at", "event", "pid", "left_out_bytes"}
    log.note("x", one="y" * 9_000)
    assert len(lines(tmp_path / "log")[1]["one"]) == 2_003


def test_several_processes_write_one_file_and_rotate_it(tmp_path: Path) -> None:
    program = """
import sys
from dataclasses import replace
from pathlib import Path
from linnet import log
from linnet.limits import LIMITS
log.LIMITS = replace(LIMITS, log_bytes=20_000, logs_kept=64)
to = log.Log(Path(sys.argv[1]))
for i in range(300):
    to.note("x", who=sys.argv[2], i=i)
"""
    path = tmp_path / "log"
    ran = [subprocess.Popen([sys.executable, "-c", program, str(path), who]) for who in "abc"]
    assert [one.wait(timeout=60) for one in ran] == [0, 0, 0]
    told = [line for file in tmp_path.iterdir() for line in lines(file)]
    assert sorted((one["who"], one["i"]) for one in told) == [(who, i) for who in "abc" for i in range(300)]


def test_a_log_at_fault_costs_nothing_and_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").mkdir()
    log = Log(tmp_path / "log")
    log.note("x")
    log.note("x")
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "log").symlink_to(tmp_path / "precious")
    Log(tmp_path / "log").note("x")
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path: Path) -> None:
    """By the limit of a process on the size of its files."""
    program = """
import resource, signal, sys
from pathlib import Path
from linnet.log import Log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for i in range(100):
    Log(Path(sys.argv[1])).note("x", i=i)
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "log")], check=True, capture_output=True)
    numbers = [told["i"] for told in lines(tmp_path / "log")]
    assert numbers == list(range(len(numbers))) and 5 < len(numbers) < 100


def test_nothing_is_written_unless_it_is_set(scripted: Any, tmp_path: Path) -> None:
    module.note("x")
    assert resource.getrlimit(resource.RLIMIT_FSIZE) and list(tmp_path.iterdir()) == []


def test_starts_ends_and_tools_are_told_and_no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_LOG", str(tmp_path / "log"))
    try:
        with open_agent(load()) as agent:
            assert agent.run("What is 17 times 24?").answer
            agent.model.warm()
            while agent.model.supervisor.ready is None:
                time.sleep(0.01)
    finally:
        module.write_to(None)
    told = lines(tmp_path / "log")
    events = [one["event"] for one in told]
    assert events[0] == "tool" and set(events) == {"tool", "child_started", "child_ended"}
    assert events.count("child_started") == events.count("child_ended")
    assert told[0]["name"] == "calculator" and "times" not in (tmp_path / "log").read_text()


def test_the_setting_is_a_file_and_a_relative_one_is_beside_its_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "linnet.toml"
    file.write_text('log = "events.log"')
    assert load(file, {}).log == tmp_path / "events.log" and Settings().log is None
