"""FleetModel over several servers on loopback: those that answer, hang, refuse, cut and are gone."""

from __future__ import annotations

import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from linnet.errors import (
    Cancelled,
    DeadlineExceeded,
    QueueFull,
    RemoteCut,
    RemoteDown,
    RemoteFailed,
    RemoteInvalid,
    RemoteRefused,
    RemoteUnreachable,
    RemoteUnsupported,
    SettingsInvalid,
)
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Choice, Count, Done, Generate, Pattern, Piece, complete, complete_all
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.remote import RemoteModel

_SPEC = importlib.util.spec_from_file_location("chat_server", Path(__file__).parents[1] / "chat_server.py")
assert _SPEC and _SPEC.loader
chat: Any = sys.modules.setdefault("chat_server", importlib.util.module_from_spec(_SPEC))
if not hasattr(chat, "ChatServer"):
    _SPEC.loader.exec_module(chat)
Reply, delta, words = chat.Reply, chat.delta, chat.words
ASK = Generate((Message("user", "Hello"),), max_tokens=9, deadline=60)

Fleet = Callable[..., FleetModel]


@pytest.fixture
def servers() -> Iterator[list[Any]]:
    """Three, each of which says its own number."""
    made = [chat.ChatServer(f"from {n}") for n in range(3)]
    yield made
    for server in made:
        server.close()


@pytest.fixture
def fleet(servers: list[Any]) -> Iterator[Fleet]:
    made: list[FleetModel] = []

    def make(*addresses: str, silence: float = 60.0, **options: Any) -> FleetModel:
        addresses = addresses or tuple(server.url for server in servers)
        made.append(FleetModel([RemoteModel(url, "m", silence=silence) for url in addresses], **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def told(done: Done) -> dict[str, Any]:
    return next(step.data for step in done.steps if step.kind == "fleet")


def states(model: FleetModel) -> list[str]:
    return [one["state"] for one in model.servers()]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


# --- who is asked --------------------------------------------------------------------------------


def test_equals_are_asked_in_turns_and_the_result_says_who_answered(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    said = [complete(model, ASK) for _ in range(6)]
    assert [done.text for done in said] == ["from 0", "from 1", "from 2"] * 2
    assert [told(done)["server"] for done in said[:3]] == [one["server"] for one in model.servers()]
    assert told(said[0]) | {"waited": 0} == {
        "server": model.servers()[0]["server"],
        "tried": [],
        "retries": 0,
        "hedges": 0,
        "waited": 0,
    }
    assert not said[0].degraded
    assert [one["answered"] for one in model.servers()] == [2, 2, 2]


def test_one_with_a_request_under_way_is_passed_by(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply([delta(content="slow")], hold=True))
    held = model.stream(ASK)
    assert next(held) == Piece("slow", ())
    assert sorted(complete(model, ASK).text for _ in range(4)) == ["from 1", "from 1", "from 2", "from 2"]
    held.close()  # type: ignore[attr-defined]
    assert servers[0].gone.wait(60), "the server is hung up on"
    assert [one["outstanding"] for one in model.servers()] == [0, 0, 0]


def test_a_stream_that_is_dropped_unread_gives_its_seat_back(fleet: Fleet) -> None:
    model = fleet(at_once=1)
    streams = [model.stream(ASK) for _ in range(3)]
    assert sum(one["outstanding"] for one in model.servers()) == 3
    del streams
    assert sum(one["outstanding"] for one in model.servers()) == 0


def test_no_server_has_more_at_once_than_its_limit(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, servers[1].url, at_once=1)
    ends = complete_all(model, [ASK] * 6)  # four of them wait until they are read
    assert [done.text for done in ends[:2]] == ["from 0", "from 1"]
    assert all(told(done)["waited"] >= 0 for done in ends)
    servers[0].replies.append(Reply([delta(content="a")], hold=True))
    servers[1].replies.append(Reply([delta(content="a")], hold=True))
    held = [model.stream(ASK), model.stream(ASK)]
    assert all(isinstance(next(one), Piece) for one in held)
    with pytest.raises(DeadlineExceeded, match="waited for a server"):
        complete(model, replace(ASK, deadline=0.3))
    for one in held:
        one.close()  # type: ignore[attr-defined]
    assert complete(model, ASK).text in ("from 0", "from 1")


def test_one_that_waits_goes_on_as_soon_as_a_seat_is_free(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, at_once=1)
    servers[0].replies.append(Reply([delta(content="a")], hold=True))
    held = model.stream(ASK)
    next(held)
    came: list[Done] = []
    waiting = threading.Thread(target=lambda: came.append(complete(model, ASK)))
    waiting.start()
    time.sleep(0.3)
    assert not came
    held.close()  # type: ignore[attr-defined]
    waiting.join(60)
    assert came[0].text == "from 0" and told(came[0])["waited"] > 0.2


def test_one_more_than_may_wait_is_refused(fleet: Fleet, servers: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from linnet.runtime.fleet import seats

    monkeypatch.setattr(seats, "LIMITS", replace(LIMITS, fleet_waiting=0))
    model = fleet(servers[0].url, at_once=1)
    held = model.stream(ASK)
    with pytest.raises(QueueFull):
        complete(model, ASK)
    del held


# --- one that fails ------------------------------------------------------------------------------


def test_one_that_is_gone_is_passed_over_and_left_alone(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(nobody(), servers[1].url)
    done = complete(model, ASK)
    assert (done.text, told(done)["retries"]) == ("from 1", 1)
    assert told(done)["tried"][0]["error"] == "remote_unreachable"
    assert "failed before its first word (remote_unreachable)" in done.degraded[0]
    assert states(model) == ["open", "closed"]
    again = complete(model, ASK)
    assert (again.text, told(again)["retries"], again.degraded) == ("from 1", 0, ())


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply([b"no events"], kind="text/plain"),
        Reply([], cut=True),
        Reply(raw=b"nonsense\r\n\r\n"),
        Reply(silent=True),
        Reply(status=429),
        Reply(status=404),
    ],
    ids=["500", "no stream", "cut", "no http", "silent", "429", "404"],
)
def test_a_failure_before_the_first_word_goes_elsewhere(servers: list[Any], fleet: Fleet, reply: Any) -> None:
    model = fleet(silence=1.0)
    servers[0].replies.append(reply)
    done = complete(model, ASK)
    assert (done.text, told(done)["retries"]) == ("from 1", 1)
    assert states(model)[0] == "closed", "once is not enough"
    assert sum(model.servers()[0]["failures"].values()) == 1


def test_after_the_first_word_the_answer_is_that_servers(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply([delta(content="Half an")], cut=True))
    stream = model.stream(ASK)
    assert next(stream) == Piece("Half an", ())
    with pytest.raises(RemoteCut) as cut:
        next(stream)
    assert cut.value.details["server"] == model.servers()[0]["server"]
    assert [len(server.asked) for server in servers] == [1, 0, 0]


def test_a_held_answer_was_not_seen_and_goes_elsewhere(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply([delta(content='{"answer": "ye')], cut=True))
    servers[1].replies.append(Reply(words('{"answer":"yes"}')))
    done = complete(model, replace(ASK, constraint=Choice(("yes", "no"))))
    assert (done.text, told(done)["retries"]) == ("yes", 1)


def test_the_requests_own_fault_is_nobody_elses(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply([b"too long"], status=400, kind="text/plain"))
    with pytest.raises(RemoteRefused):
        complete(model, ASK)
    servers[1].replies.append(Reply(words('{"answer":"perhaps"}')))
    with pytest.raises(RemoteInvalid):
        complete(model, replace(ASK, constraint=Choice(("yes", "no"))))
    with pytest.raises(RemoteUnsupported):
        model.stream(replace(ASK, constraint=Pattern("a+")))
    assert [len(server.asked) for server in servers] == [1, 1, 0]
    assert states(model) == ["closed"] * 3
    assert [(one["outstanding"], one["failures"]) for one in model.servers()] == [(0, {})] * 3


def test_a_request_that_fails_everywhere_is_sent_to_so_many_and_no_more(fleet: Fleet) -> None:
    made = [chat.ChatServer() for _ in range(LIMITS.fleet_tries + 1)]
    try:
        for server in made:
            server.replies.append(Reply(status=500))
        model = fleet(*(server.url for server in made))
        with pytest.raises(RemoteFailed) as failed:
            complete(model, ASK)
        assert [len(server.asked) for server in made] == [1] * LIMITS.fleet_tries + [0]
        assert [one["error"] for one in failed.value.details["tried"]] == ["remote_failed"] * LIMITS.fleet_tries
    finally:
        for server in made:
            server.close()


def test_all_of_them_down_is_one_error_with_a_time(fleet: Fleet) -> None:
    model = fleet(nobody(), nobody())
    with pytest.raises(RemoteUnreachable) as first:
        complete(model, ASK)
    assert len(first.value.details["tried"]) == 2
    with pytest.raises(RemoteDown) as down:
        complete(model, ASK)
    assert 0 <= down.value.details["retry_after"] <= LIMITS.fleet_open_seconds
    assert [one["state"] for one in down.value.details["servers"]] == ["open", "open"]
    assert down.value.retryable


def test_who_was_tried_is_told_also_where_no_seat_came_after_it(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, servers[1].url, at_once=1)
    first, second = model._seats.take(), model._seats.take()
    assert first is not None and second is not None, "the other has no seat left"
    model._seats.left(first)
    servers[0].replies.append(Reply(status=500))
    with pytest.raises(DeadlineExceeded, match="waited for a server") as late:
        complete(model, replace(ASK, deadline=3.0))
    assert [(one["server"], one["error"]) for one in late.value.details["tried"]] == [(first.name, "remote_failed")]


def test_a_server_that_asks_for_time_has_it(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply(status=429, headers={"Retry-After": "30"}))
    assert complete(model, ASK).text == "from 1"
    assert states(model) == ["open", "closed", "closed"]
    assert 20 < model.servers()[0]["retry_after"] <= 30


def test_one_that_comes_back_is_probed_tried_once_and_used_again(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url)
    servers[0].replies += [Reply(status=500)] * LIMITS.fleet_failures
    for _ in range(LIMITS.fleet_failures):
        with pytest.raises(RemoteFailed):
            complete(model, ASK)
    with pytest.raises(RemoteDown):
        complete(model, ASK)
    until(lambda: states(model) == ["half-open"])
    assert servers[0].looked, "it was probed"
    servers[0].replies.append(Reply([delta(content="a")], hold=True))
    first, second = model.stream(ASK), model.stream(ASK)
    assert model.servers()[0]["outstanding"] == 1, "one tries, and all others wait for what comes of it"
    assert next(first) == Piece("a", ())
    assert states(model) == ["closed"]
    assert complete(model, ASK).text == "from 0"
    del first, second


def test_a_deadline_without_a_word_has_a_server_looked_at(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url)
    servers[0].replies += [Reply(silent=True), Reply(silent=True)]
    with pytest.raises(DeadlineExceeded):
        complete(model, replace(ASK, deadline=0.2))
    until(lambda: bool(servers[0].looked))
    assert states(model) == ["closed"], "it is well, and was only slow"
    servers[0].health = 500
    with pytest.raises(DeadlineExceeded):
        complete(model, replace(ASK, deadline=0.2))
    until(lambda: states(model) == ["open"])


def closed_by_another(stream: Any) -> BaseException:
    """What its reader is told when another thread closes it."""
    came: list[BaseException] = []

    def read() -> None:
        try:
            next(stream)
        except BaseException as error:
            came.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.3)
    stream.close()
    reader.join(60)
    assert not reader.is_alive()
    return came[0]


@pytest.mark.parametrize("hedge", [None, 30.0])
def test_any_thread_may_close_it_and_nothing_is_sent_elsewhere(
    servers: list[Any], fleet: Fleet, hedge: float | None
) -> None:
    model = fleet(hedge=hedge)
    servers[0].replies.append(Reply(silent=True))
    assert isinstance(closed_by_another(model.stream(ASK)), Cancelled)
    assert servers[0].gone.wait(60)
    assert [len(server.asked) for server in servers] == [1, 0, 0]
    assert [(one["outstanding"], one["failures"]) for one in model.servers()] == [(0, {})] * 3


def test_one_that_waits_may_be_closed(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, at_once=1)
    held = model.stream(ASK)
    assert isinstance(closed_by_another(model.stream(ASK)), Cancelled)
    held.close()  # type: ignore[attr-defined]
    assert complete(model, ASK).text == "from 0"


# --- hedging -------------------------------------------------------------------------------------


def test_nothing_is_sent_twice_unless_asked_for(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    servers[0].replies.append(Reply([delta(content="late")], hold=True))
    held = model.stream(ASK)
    next(held)
    assert [len(server.asked) for server in servers] == [1, 0, 0]
    del held


def test_a_second_server_is_asked_where_the_first_says_nothing(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(hedge=0.2)
    servers[0].replies.append(Reply(silent=True))
    done = complete(model, ASK)
    assert (done.text, told(done)["hedges"], told(done)["retries"]) == ("from 1", 1, 0)
    assert told(done)["tried"][0]["error"] == "overtaken"
    assert "hung up on" in done.degraded[0]
    assert servers[0].gone.wait(60), "what is not wanted any more is not computed"
    assert [one["outstanding"] for one in model.servers()] == [0, 0, 0]
    assert (model.servers()[0]["overtaken"], states(model)[0]) == (1, "closed")


def test_one_that_hangs_is_found_though_another_answers_for_it(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(hedge=0.2)
    servers[0].replies.append(Reply(silent=True))
    servers[0].health = 500
    assert complete(model, ASK).text == "from 1"
    until(lambda: states(model)[0] == "open")
    assert servers[0].looked and not servers[1].looked


def test_a_first_that_is_fast_is_the_only_one(servers: list[Any], fleet: Fleet) -> None:
    done = complete(fleet(hedge=30.0), ASK)
    assert (done.text, told(done)["hedges"]) == ("from 0", 0)
    assert [len(server.asked) for server in servers] == [1, 0, 0]


def test_the_first_may_win_after_all(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(hedge=0.2)
    servers[0].replies.append(Reply(words("the first"), pause=0.5))
    servers[1].replies.append(Reply(silent=True))
    servers[0].replies[0].blocks.insert(0, b": a comment, and no word\n\n")
    done = complete(model, ASK)
    assert (done.text, told(done)["hedges"]) == ("the first", 1)
    assert servers[1].gone.wait(60)


def test_a_hedge_that_fails_leaves_the_first_alone(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, servers[1].url, hedge=0.1)
    servers[0].replies.append(Reply([b": not yet\n\n", b": nor now\n\n", *words("slow")], pause=0.4))
    servers[1].replies.append(Reply(status=500))
    done = complete(model, ASK)
    assert (done.text, told(done)["hedges"], told(done)["retries"]) == ("slow", 1, 1)


def test_a_failure_goes_elsewhere_with_hedging_too(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(hedge=30.0)
    servers[0].replies.append(Reply(status=500))
    done = complete(model, ASK)
    assert (done.text, told(done)["retries"], told(done)["hedges"]) == ("from 1", 1, 0)


def test_a_hedge_for_which_nobody_was_free_is_none(servers: list[Any], fleet: Fleet) -> None:
    model = fleet(servers[0].url, servers[1].url, hedge=0.1, at_once=1)
    seat = model._seats.take()  # of another request: the only one of server 0
    assert seat is not None
    servers[1].replies.append(Reply([b": not yet\n\n"], pause=0.5, cut=True))
    came: list[Done] = []
    waiting = threading.Thread(target=lambda: came.append(complete(model, ASK)))
    waiting.start()
    until(lambda: bool(model.servers()[1]["failures"]))
    model._seats.left(seat)
    waiting.join(60)
    assert (came[0].text, told(came[0])["retries"], told(came[0])["hedges"]) == ("from 0", 1, 0)


# --- what a fleet is -----------------------------------------------------------------------------


def test_what_no_fleet_can_be(servers: list[Any]) -> None:
    one = RemoteModel(servers[0].url, "m")
    many = [RemoteModel(f"http://127.0.0.1:{port}/v1", "m") for port in range(1, LIMITS.fleet_servers + 2)]
    for models, options in (
        ([], {}),
        ([one, one], {}),
        (many, {}),
        ([one], {"at_once": 0}),
        ([one], {"hedge": 0.0}),
    ):
        with pytest.raises(SettingsInvalid):
            FleetModel(models, **options)
    assert FleetModel(many[:-1]).capabilities.name.endswith(f"+{LIMITS.fleet_servers - 1}")


def test_nothing_is_opened_before_a_request(servers: list[Any], fleet: Fleet) -> None:
    model = fleet()
    assert model.capabilities.name.endswith("+2")
    assert complete(model, Count((Message("user", "Hello"),))).count > 0
    assert not any(server.asked or server.looked for server in servers)


def test_each_can_be_looked_at(servers: list[Any], fleet: Fleet) -> None:
    servers[1].health = 503
    seen = fleet(servers[0].url, servers[1].url, nobody()).look(30.0)
    assert [one["well"] for one in seen] == [True, False, False]
    assert [one["error"] and one["error"]["code"] for one in seen] == [None, "remote_failed", "remote_unreachable"]
    for status in (404, 501):  # it has no such path, and a list of models
        servers[0].health = status
        assert fleet(servers[0].url).look(30.0)[0]["well"]
        assert servers[0].looked[-2:] == ["/health", "/v1/models"]


def test_a_look_has_a_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        model = FleetModel([RemoteModel(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "m")])
        (seen,) = model.look(0.3)
        assert not seen["well"] and seen["seconds"] < LIMITS.fleet_probe_seconds
