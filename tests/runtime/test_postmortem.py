"""Why a child ended: one typed error for every way to die, with advice that fits."""

from __future__ import annotations

import errno
import signal

import pytest

from linnet.errors import (
    EngineError,
    OutOfMemory,
    ProtocolBroken,
    WorkerCrashed,
    WorkerHung,
    WorkerStartFailed,
)
from linnet.runtime.postmortem import KILLED_FOR_MEMORY, LINGERED, WAYS, explain, from_outside, unstarted, way

DEADLY = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTERM", "SIGKILL", "SIGSYS", "SIGXCPU"]


@pytest.mark.parametrize("name", DEADLY)
@pytest.mark.parametrize("phase", ["load", "prefill", "decode", "idle"])
def test_a_signal_is_named_with_its_phase_and_advice(name: str, phase: str) -> None:
    error = explain(-getattr(signal, name), phase, "")
    assert type(error) is (WorkerStartFailed if phase == "load" else WorkerCrashed)
    assert name in error.message and phase in error.message
    assert error.details["signal"] == name and error.details["phase"] == phase
    assert error.hint != type(error).default_hint, "advice of its own"


def test_advice_differs_with_the_signal() -> None:
    hints = [explain(-getattr(signal, name), "decode", "").hint for name in DEADLY]
    assert len(set(hints)) == len(DEADLY)


@pytest.mark.parametrize("number", [*range(1, 65), 127, 255, 1_000])
def test_any_signal_number_is_explained(number: int) -> None:
    error = explain(-number, "decode", "")
    assert isinstance(error, WorkerCrashed) and error.hint
    if number <= 31:
        assert signal.Signals(number).name in error.message


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_a_status_is_named_with_the_last_words(status: int) -> None:
    error = explain(status, "prefill", "Traceback\n  somewhere\nValueError: no such thing")
    assert type(error) is WorkerCrashed
    assert f"status {status}" in error.message and "ValueError: no such thing" in error.message
    assert "Traceback" not in error.message and "Traceback" in error.details["last_words"]


def test_long_last_words_are_cut() -> None:
    error = explain(1, "load", "x" * 9_000 + "\n" + "y" * 9_000)
    assert len(error.message) < 400 and len(error.details["last_words"]) == 500


@pytest.mark.parametrize("words", ["MemoryError", "terminate called after throwing 'std::bad_alloc'"])
@pytest.mark.parametrize("code", [1, -signal.SIGABRT])
def test_want_of_memory_is_recognised(words: str, code: int) -> None:
    assert type(explain(code, "load", words)) is OutOfMemory


def test_a_hang_and_a_broken_protocol_come_before_the_signal_that_ended_them() -> None:
    assert type(explain(-9, "decode", "", stopped="hung")) is WorkerHung
    broken = explain(-9, "decode", "", broken=ProtocolBroken("not a record: x"))
    assert type(broken) is ProtocolBroken and "not a record: x" in broken.message and "decode" in broken.message


def test_what_was_stopped_is_no_kill_from_outside_but_for_want_of_a_processor() -> None:
    assert not from_outside(-9, stopped="hung") and not from_outside(-9, broken=True)
    assert not from_outside(-9, f"said\n{LINGERED}") and from_outside(-9, "said")
    assert from_outside(-9, stopped="starved")
    assert "processor" in explain(-9, "decode", "", stopped="starved").message


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"])
def test_a_death_that_somebody_ordered_blames_no_request(name: str) -> None:
    assert from_outside(-getattr(signal, name))


@pytest.mark.parametrize("code", [0, 1, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGSYS])
def test_a_death_of_its_own_may_be_a_requests_fault(code: int) -> None:
    assert not from_outside(code)


def test_every_error_can_be_told_as_json() -> None:
    for code in (-11, 3):
        told = explain(code, "load", "words").describe()
        assert told["details"]["status"] == code
        assert issubclass(WorkerStartFailed, EngineError) and told["retryable"]


# --- the table is complete -----------------------------------------------------------------------


def test_every_signal_and_every_status_has_a_row_and_an_error_in_every_phase() -> None:
    for code in range(-64, 256):
        assert way(code) in WAYS
        for phase in ("load", "prefill", "decode", "idle"):
            error = explain(code, phase, "")
            assert error.details["phase"] == phase and error.hint and phase in error.message


def test_every_row_is_reached() -> None:
    told = {way(code) for code in range(-64, 256)}
    told |= {way(-9, stopped="hung"), way(-9, stopped="starved"), way(-9, broken=True), way(-9, LINGERED)}
    told |= {way(1, "MemoryError"), way(-9, KILLED_FOR_MEMORY)}
    assert set(WAYS) - told == {"descriptors"}, "which is that of a child that never was"
    unborn = unstarted(OSError(errno.EMFILE, "Too many open files"))
    assert type(unborn) is WorkerStartFailed and unborn.hint == WAYS["descriptors"].advice


def test_every_row_that_is_a_signal_is_one_and_deadly_signals_have_rows() -> None:
    names = {member.name for member in signal.Signals}
    rows = {name for name in WAYS if name.startswith("SIG")}
    assert rows <= names
    core = {"SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGXCPU", "SIGXFSZ", "SIGSYS"}
    assert core <= rows, "those that signal(7) lists as ending a process with a core dump"


def test_the_errors_of_the_ways_to_die_are_all_used_by_the_table_or_said_by_the_worker_itself() -> None:
    """What is left are refusals and ends that no process has to die for."""
    used = {row.kind for row in WAYS.values()} | {WorkerStartFailed}
    alive = {"QueueFull", "DeadlineExceeded", "Cancelled", "PoisonRefused", "ReplicaLost"}  # the last is elsewhere
    assert {kind.__name__ for kind in EngineError.__subclasses__()} - {kind.__name__ for kind in used} == alive


@pytest.mark.parametrize(
    "words",
    ["ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 1", "Cannot allocate memory"],
)
def test_the_engines_own_words_for_want_of_memory(words: str) -> None:
    assert type(explain(-signal.SIGABRT, "load", words)) is OutOfMemory
    assert type(explain(-signal.SIGKILL, "load", words)) is WorkerStartFailed, "what killed it was somebody else"


def test_a_kill_by_the_kernel_for_memory_is_told_and_blames_nobody() -> None:
    assert type(explain(-signal.SIGKILL, "decode", KILLED_FOR_MEMORY)) is OutOfMemory
    assert from_outside(-signal.SIGKILL, KILLED_FOR_MEMORY)


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EBADF, errno.EACCES])
def test_what_waiting_does_not_mend_is_not_waited_for(number: int) -> None:
    assert unstarted(OSError(number, "no")) is None


def test_an_assertion_is_quoted() -> None:
    assert "GGML_ASSERT(x)" in explain(-signal.SIGABRT, "load", "llama.cpp:1: GGML_ASSERT(x) failed").message
