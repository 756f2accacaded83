"""When a server is given up, and when it is asked again: numbers only."""

from __future__ import annotations

import pytest

from linnet import errors
from linnet.errors import LinnetError
from linnet.limits import LIMITS
from linnet.runtime.fleet.balance import least_outstanding
from linnet.runtime.fleet.circuit import FIRST_WAIT, Circuit
from linnet.runtime.fleet.verdict import Verdict, verdict


def after(failures: int, now: float = 100.0) -> Circuit:
    circuit = Circuit()
    for _ in range(failures):
        circuit = circuit.failed(now)
    return circuit


def test_it_opens_at_the_limit_of_failures_and_not_before() -> None:
    assert after(LIMITS.fleet_failures - 1).state == "closed"
    opened = after(LIMITS.fleet_failures)
    assert (opened.state, opened.wait(100.0)) == ("open", FIRST_WAIT)


def test_a_word_in_between_begins_the_count_anew() -> None:
    almost = after(LIMITS.fleet_failures - 1).worked()
    assert almost.failed(0.0).state == "closed"


def test_nobody_there_need_not_be_found_out_twice() -> None:
    assert Circuit().failed(5.0, gone=True).state == "open"


def test_a_good_probe_lets_one_try_and_that_decides() -> None:
    trying = after(LIMITS.fleet_failures).probed(101.0, True)
    assert trying.state == "half-open"
    assert trying.worked() == Circuit()
    again = trying.failed(101.0)
    assert (again.state, again.wait(101.0)) == ("open", 2 * FIRST_WAIT)


def test_each_wait_is_twice_the_one_before_up_to_the_limit() -> None:
    circuit, waits = Circuit().failed(0.0, gone=True), []
    for _ in range(9):
        waits.append(circuit.wait(0.0))
        circuit = circuit.probed(0.0, False)
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == LIMITS.fleet_open_seconds
    for _ in range(5_000):  # a server that is gone for months
        circuit = circuit.probed(0.0, False)
    assert circuit.wait(0.0) == LIMITS.fleet_open_seconds


def test_what_ran_already_does_not_open_it_again_nor_close_it() -> None:
    opened = after(LIMITS.fleet_failures)
    assert opened.failed(200.0) == opened == opened.worked()


def test_a_server_may_ask_for_a_while_but_not_for_ever() -> None:
    assert Circuit().told_to_wait(10.0, 7.0).wait(10.0) == 7.0
    assert Circuit().told_to_wait(10.0, 1e9).wait(10.0) == LIMITS.fleet_open_seconds


def test_the_one_with_the_fewest_is_next_and_equals_take_turns() -> None:
    assert least_outstanding([3, 1, 2]) == 1
    assert [least_outstanding([0, 0, 5, 0], turn) for turn in range(5)] == [0, 1, 3, 3, 0]
    with pytest.raises(ValueError):
        least_outstanding([])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.RemoteUnreachable("x"), Verdict(fault=True, gone=True, elsewhere=True)),
        (errors.RemoteDenied("x"), Verdict(fault=True, gone=True, elsewhere=True)),
        (errors.RemoteBusy("x", retry_after=4.0), Verdict(wait=4.0, elsewhere=True)),
        (errors.RemoteFailed("x", status=503, retry_after=4.0), Verdict(wait=4.0, elsewhere=True)),
        (errors.RemoteBusy("x"), Verdict(fault=True, elsewhere=True)),
        (errors.RemoteFailed("x", status=500), Verdict(fault=True, elsewhere=True)),
        (errors.RemoteRefused("x", status=400), Verdict()),
        (errors.RemoteRefused("x", status=404), Verdict(fault=True, elsewhere=True)),
        (errors.RemoteInvalid("not the protocol"), Verdict(fault=True, elsewhere=True)),
        (errors.RemoteInvalid("not the form", strayed=True), Verdict()),
        (errors.RemoteCut("x"), Verdict(fault=True, elsewhere=True)),
        (errors.RemoteCut("no room", strayed=True), Verdict()),
        (errors.RemoteSilent("x"), Verdict(fault=True, elsewhere=True)),
        (errors.DeadlineExceeded("x"), Verdict(suspect=True)),
        (errors.RemoteUnsupported("x"), Verdict()),
        (errors.Cancelled("x"), Verdict()),
    ],
    ids=lambda value: getattr(value, "code", None),
)
def test_what_a_failure_says_of_its_server(error: LinnetError, said: Verdict) -> None:
    assert verdict(error) == said


def test_a_deadline_in_the_midst_of_an_answer_says_nothing() -> None:
    assert verdict(errors.DeadlineExceeded("x"), begun=True) == Verdict()
