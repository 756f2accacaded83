"""The torture cases scaled down, on the engine that is quicker; in full they are `make torture`."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

import apart
import harness
import run as command
from harness import CASES, World

SMALL = {name: case for name, case in CASES.items() if case.small}
SERVER = "it starts a server over the real model; tests/interfaces/http tries the same in small"
LARGE_ONLY = {
    **dict.fromkeys(("burst over HTTP", "streams over HTTP", "strange bodies", "idle connections"), SERVER),
    **dict.fromkeys(("nesting bombs", "long runs"), SERVER),
    "burst": "takes half a minute; tests/runtime/test_supervisor.py has it with a queue of five",
    "forged tokens": "is tests/agent/tools/test_torture.py",
    "constrained kills": "wants the real engine",
    "stopped": "takes ten seconds an attempt",
    "starved": "takes ten seconds and more an attempt; tests/runtime/test_supervisor.py has it with a shorter limit",
    "hang": "takes ten seconds an attempt; tests/runtime/test_supervisor.py has it with a shorter limit",
    "swapped": "wants the real engine",
    "soak": "takes minutes",
}
"""Cases that `make test` leaves to `make torture`, and why; those made of tests that exist run there anyway."""


@pytest.mark.parametrize("name", SMALL)
def test_a_case_passes_scaled_down(name: str) -> None:
    chosen = SMALL[name]
    verdict = harness.torture(chosen, chosen.engines[0], seed=7, tries=chosen.small)
    assert not verdict.faults, "\n".join(verdict.faults)
    assert verdict.passed == verdict.tries > 0


def test_what_is_left_out_is_listed() -> None:
    of_tests = {name for name, case in CASES.items() if case.engines == ("plain",) and not case.small}
    assert set(CASES) - set(SMALL) - of_tests == set(LARGE_ONLY)
    assert all(case.run.__doc__ or case.engines == ("plain",) or name == "hang" for name, case in CASES.items())


@pytest.mark.parametrize("fault", ["canary", "listener", "memory", "descriptor", "child"])
def test_the_invariants_are_really_looked_at(tmp_path: Path, fault: str) -> None:
    """Each of them is broken here once, and found."""
    world, held = World(tmp_path), []
    assert harness.ORPHAN_SECONDS == 2.0
    if fault == "canary":
        (tmp_path / "canary").write_text("x")
    elif fault == "listener":
        held.append(harness.socket.create_connection(world._listener.getsockname()))
    elif fault == "memory":
        held.append(bytearray(b"x") * ((harness.GROWTH_MIB + 8) << 20))
    elif fault == "descriptor":
        held += [open(harness.os.devnull) for _ in range(3)]  # noqa: SIM115, PTH123
    else:
        held.append(harness.subprocess.Popen(["sleep", "60"]))
    found = " ".join(world.faults())
    told = {"memory": "grown", "descriptor": "descriptors are left", "child": "processes are left"}
    assert told.get(fault, fault) in found, found
    for one in held:
        _let_go(one)


def _let_go(one: Any) -> None:
    if isinstance(one, harness.subprocess.Popen):
        one.kill()
        one.wait()
    elif hasattr(one, "close"):
        one.close()


def test_a_request_that_ends_twice_or_never_or_with_anothers_words_is_found() -> None:
    from linnet.errors import WorkerCrashed
    from linnet.requests import Done, Piece

    def fault(events: list[Any], nonces: tuple[str, ...] = ()) -> str:
        one = harness.Accepted(iter(events), "n000000000001").join()
        return one.fault(set(nonces))

    good = [Piece("n000000000001 x", (1,)), Done("n000000000001 x")]
    assert fault(good) == ""
    assert "2 outcomes" in fault([*good, Done("x")]) and "0 outcomes" in fault(good[:1])
    assert "has changed" in fault([good[0], Done("other")])
    foreign = [Piece("n00000000000f", (1,)), Done("n00000000000f")]
    assert "another's" in fault(foreign, ("n00000000000f",)) and fault(foreign) == ""

    def dies() -> Any:
        yield good[0]
        raise WorkerCrashed("x")

    assert harness.Accepted(dies(), "n000000000001").join().fault(set()) == ""

    def breaks() -> Any:
        yield good[0]
        raise ValueError("x")

    assert "without a type" in harness.Accepted(breaks(), "n000000000001").join().fault(set())


def test_a_case_that_fails_is_counted_and_told(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(trial: harness.Trial) -> None:
        for i in range(trial.tries):
            with trial.attempt():
                harness.expect(i != 1, "the second is wrong")

    monkeypatch.setitem(CASES, "fails", harness.Case("fails", "Worker", run, {"plain": 4}, 0))
    page = tmp_path / "page.md"
    page.write_text(
        f"before\n{command.BEGIN}\n| W | fails | plain | old |\n| W | other | plain | 3 |\n{command.END}\nafter\n"
    )
    monkeypatch.setattr(sys, "argv", ["run.py", "fails", "--table", str(page)])
    assert command.main() == 1
    assert "attempt 2 : AssertionError: the second is wrong" in capsys.readouterr().out
    text = page.read_text()
    assert "| Worker | fails | plain | 4 | 4 | 3 |" in text and "old" not in text and text.endswith("after\n")
    assert "| W | other | plain | 3 |" in text, "the rows of others stay"
    assert command.main() == 1 and page.read_text() == text, "and the same again is the same"


def test_every_module_of_cases_is_plugged_in() -> None:
    before = set(CASES)
    for path in Path(__file__).parent.glob("*_cases.py"):
        assert importlib.import_module(path.stem)
    assert set(CASES) == before and threading.active_count() < 50


def test_a_case_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = f"""
import pathlib, subprocess, time
pathlib.Path({str(told)!r}).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
time.sleep(60)
"""
    assert apart.run([sys.executable, "-c", code], 3.0) is None
    harness.wait(lambda: harness.gone(int(told.read_text())), 10.0)
    assert apart.run([sys.executable, "-c", "raise SystemExit(3)"], 60.0) == 3


def test_a_case_has_so_many_processes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb of a fixed size, of processes that end by themselves."""
    if apart.confined().startswith("nothing"):
        pytest.skip("neither a control group nor RLIMIT_NPROC bounds the processes of root here")
    monkeypatch.setattr(apart, "TASKS", 20)
    code = "import os, time\nfor _ in range(40):\n    if not os.fork():\n        time.sleep(2)\n        os._exit(0)"
    assert apart.run([sys.executable, "-c", code], 60.0) == 1


def test_a_case_in_a_process_of_its_own_says_what_it_came_to() -> None:
    found = command.tried_apart(CASES["no file"], "plain", 1, 4, 60.0)
    assert (found.case, found.tries, found.passed, found.faults) == ("no file", 4, 4, ())


def test_no_attempt_is_begun_when_the_time_is_up() -> None:
    found = harness.torture(CASES["torn"], "plain", 1, 50, seconds=0.0)
    assert found.tries == 0 and not found.faults
