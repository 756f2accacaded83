"""Who is charged with a death, when a worker is given up, and which inputs are refused: values in, values out."""

from __future__ import annotations

from typing import Any

import pytest

from linnet.errors import PoisonRefused, QueueFull, WorkerCrashed
from linnet.limits import LIMITS
from linnet.protocol import Submit
from linnet.requests import Choice, Count, Generate, Piece, Sampling, Score, Segment
from linnet.runtime.blame import Blame
from linnet.runtime.stream import Ticket

DEATH = WorkerCrashed("died")


def submit(text: str = "x", adapter: str = "", **fields: Any) -> Submit:
    return Submit(1, Generate((Segment(text, True),), **fields), adapter=adapter)


def ticket(**state: Any) -> Ticket:
    return Ticket(submit(), **state)


def test_company_is_suspect_and_who_was_alone_is_convicted() -> None:
    blame, one, other = Blame(), ticket(), ticket()
    assert blame.charge([one, other], loading=False) == []
    assert (one.deaths, other.deaths) == (1, 1)
    assert blame.charge([one, other], loading=False) == [] and one.deaths == 1, "once more in company proves nothing"
    assert blame.charge([one], loading=False) == [one]


def test_a_token_from_this_worker_clears() -> None:
    blame, one = Blame(), ticket(fresh=True)
    assert all(blame.charge([one], loading=False) == [] for _ in range(LIMITS.request_crashes - 1))
    assert one.deaths == 0


def test_kills_from_outside_convict_late_and_only_who_is_alone() -> None:
    """One may come from anywhere: nothing changes by it. Nor by any number of them in company."""
    blame, one, other = Blame(), ticket(), ticket()
    assert blame.killed([one, other]) == [] and not one.suspect
    for _ in range(LIMITS.request_kills):
        assert blame.killed([one, other]) == [] and one.suspect and other.suspect
    for _ in range(LIMITS.request_kills - 3):
        assert blame.killed([one]) == []
    assert blame.killed([one]) == [one] and other.kills == 2
    one.take(Piece("x", (120,)))
    assert (one.kills, one.suspect) == (0, False)
    assert blame.killed([one]) == [] and one.kills == 0, "a token came from this worker"


@pytest.mark.parametrize("company", [0, 1])
def test_a_request_that_ends_worker_after_worker_is_convicted_in_spite_of_tokens(company: int) -> None:
    """One new token before each death once bought as many workers as an answer has tokens."""
    blame, one, others = Blame(), ticket(fresh=True), [ticket(fresh=True)] * company
    for _ in range(LIMITS.request_crashes - 1):
        assert blame.charge([one, *others], loading=False) == []
    assert blame.charge([one, *others], loading=False) == ([] if company else [one])
    assert blame.charge([one], loading=False) == [one], "one past the limit, and alone"


def test_the_budget_of_restarts_is_within_its_window_and_a_token_renews_it() -> None:
    blame = Blame()
    for moment in range(LIMITS.restarts):
        assert not blame.spent(productive=False, now=float(moment))
    assert blame.barren == LIMITS.restarts
    assert blame.spent(productive=False, now=float(LIMITS.restarts))
    assert blame.barren == 0, "what comes later begins anew"
    for moment in range(LIMITS.restarts * 3):
        assert not blame.spent(productive=moment % LIMITS.restarts == 0, now=float(moment))


def test_deaths_before_the_window_do_not_count() -> None:
    blame, apart = Blame(), LIMITS.restart_window_seconds / LIMITS.restarts + 1
    assert not any(blame.spent(productive=False, now=apart * i) for i in range(50))


def test_the_pause_doubles_and_begins_with_none() -> None:
    blame, pauses = Blame(), []
    for _ in range(4):
        pauses.append(blame.pause)
        blame.spent(productive=False, now=0.0)
    assert pauses == [0.0, 0.1, 0.2, 0.4]


def test_two_lost_starts_in_a_row_are_enough() -> None:
    blame = Blame()
    blame.charge([], loading=True)
    assert not blame.spent(productive=False, now=0.0)
    blame.loaded()
    blame.charge([], loading=True)
    assert not blame.spent(productive=False, now=0.0), "one was ready between them"
    blame.charge([], loading=True)
    assert blame.spent(productive=False, now=0.0)


def test_the_same_input_is_refused_for_a_while_and_no_other() -> None:
    blame = Blame()
    blame.remember(submit("BAD"), DEATH, now=0.0)
    for same in (submit("BAD"), submit("BAD", max_tokens=3, deadline=1.0, owner="o", sampling=Sampling(seed=9))):
        with pytest.raises(PoisonRefused, match="worker_crashed") as caught:
            blame.admit(same, 0, now=100.0)
        assert caught.value.details["retry_after"] == LIMITS.poison_seconds - 100.0
        assert "BAD" not in str(caught.value.describe())
    others = [submit("BAD "), submit("BAD", adapter="home"), submit("BAD", constraint=Choice(("a",)))]
    others += [Submit(1, Count((Segment("BAD", True),))), Submit(1, Score((Segment("BAD", True),), ("a",)))]
    others.append(Submit(1, Generate((Segment("BAD", False),))))
    for other in others:
        blame.admit(other, 0, now=100.0)
    blame.admit(submit("BAD"), 0, now=LIMITS.poison_seconds)


def test_only_so_many_are_remembered_the_newest() -> None:
    blame = Blame()
    for i in range(LIMITS.poisons_kept + 1):
        blame.remember(submit(f"{i}"), DEATH, now=0.0)
    blame.admit(submit("0"), 0, now=1.0)
    for i in (1, LIMITS.poisons_kept):
        with pytest.raises(PoisonRefused):
            blame.admit(submit(f"{i}"), 0, now=1.0)


def test_one_past_the_queue_is_refused() -> None:
    blame = Blame()
    blame.admit(submit(), LIMITS.queue - 1)
    with pytest.raises(QueueFull) as caught:
        blame.admit(submit(), LIMITS.queue)
    assert caught.value.details == {"queue": LIMITS.queue}
