"""Agents of the server: begun, watched, decided on, cancelled; and each client's own."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from linnet import Permission, Rule, tool
from linnet.agent.agent import Agent
from linnet.agent.events import Said
from linnet.errors import QueueFull
from linnet.interfaces.http import agent_run, serve
from linnet.interfaces.http.agent_run import AgentRun
from linnet.interfaces.http.auth import Keys
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.runs import Runs
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.script import Say

CLIENT = httpx.Client(timeout=60)
Says = Callable[[str], Say]
Read = Callable[[str], list[Any]]
WIPED: list[str] = []
STILL = threading.Event()


@tool(rules=[Rule(prefix="wipe", to="what")], permissions=[Permission.WRITE_FILES], answer="Wiped {what}.")
def wipe(what: str) -> str:
    """Wipe something out."""
    WIPED.append(what)
    return what


@tool(rules=[Rule(prefix="dig", to="what")])
def dig(what: str) -> str:
    """Dig until told otherwise."""
    STILL.wait(10)
    return what


@pytest.fixture(scope="module", autouse=True)
def the_client_is_closed() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture(autouse=True)
def nothing_is_wiped() -> None:
    WIPED.clear()
    STILL.clear()


def begun(url: str, text: str, **more: Any) -> dict[str, Any]:
    done = CLIENT.post(f"{url}/v1/agent/runs", json={"text": text, **more})
    assert done.status_code == 201 and done.headers["location"].endswith(done.json()["id"])
    run: dict[str, Any] = done.json()
    return run


def reached(url: str, run: dict[str, Any], *statuses: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        now: dict[str, Any] = CLIENT.get(f"{url}/v1/agent/runs/{run['id']}").json()
        if now["status"] in statuses:
            return now
        time.sleep(0.02)
    raise AssertionError(f"still {now['status']}")


def test_a_run_on_the_real_server_says_what_run_says(http: httpx.Client, server: str) -> None:
    run = begun(server, "What is 17 times 24?")
    done = reached(server, run, "completed")
    assert done["result"]["answer"] == "17 * 24 = 408" and done["result"]["how"] == "rule"
    own = reached(server, begun(server, "What is the capital of France?"), "completed")
    assert "Paris" in own["result"]["answer"] and own["result"]["usage"]["generated_tokens"] > 3
    assert {one["id"] for one in http.get("/v1/agent/runs").json()["data"]} >= {run["id"], own["id"]}


def test_a_run_is_watched_from_its_beginning_or_from_where_one_was(server: str, events: Read) -> None:
    run = begun(server, "Don't let me forget to call grandma tomorrow at 9 am")
    reached(server, run, "completed")
    text = CLIENT.get(f"{server}/v1/agent/runs/{run['id']}/events").text
    told = events(text)
    kinds = [event["type"] for event in told]
    assert kinds[0] == "run" and kinds[-1] == "done" and kinds.index("call") < kinds.index("result")
    assert kinds[1] == "step", "what was decided is told before what follows is done"
    times, trace = [event["at"] for event in told[1:]], told[-1]["result"]["trace"]
    assert times == sorted(times) and trace["seconds"] <= times[-1]
    assert [step["kind"] for step in trace["steps"]] == ["route", "choose", "fill", "tool"]
    assert trace["steps"][2]["questions"] and (trace["load"] is None or 0 < trace["load"] < trace["seconds"])
    assert text.count("id: ") == len(told) - 1
    rest = CLIENT.get(
        f"{server}/v1/agent/runs/{run['id']}/events", headers={"last-event-id": str(len(told) - 3)}
    ).text
    assert [event["type"] for event in events(rest)] == ["done"]


def test_what_needs_a_permission_waits_for_a_decision(serving: Any, says: Says, events: Read) -> None:
    url = serving(says("Hi"), tools=(wipe,)).url
    run = begun(url, "wipe the board")
    waiting = reached(url, run, "waiting_for_approval")
    assert waiting["approval"]["call"]["arguments"] == {"what": "the board"} and not WIPED
    assert waiting["approval"]["permissions"] == ["files.write"]
    decided = CLIENT.post(f"{url}/v1/agent/runs/{run['id']}/decision", json={"number": 1, "approve": True})
    assert decided.status_code == 200
    assert reached(url, run, "completed")["result"]["answer"] == "Wiped the board." and WIPED == ["the board"]
    again = CLIENT.post(f"{url}/v1/agent/runs/{run['id']}/decision", json={"number": 1, "approve": True})
    assert (again.status_code, again.json()["error"]["code"]) == (404, "not_there")


def test_a_decision_is_of_one_call_alone(serving: Any, says: Says) -> None:
    url = serving(says("Hi"), tools=(wipe,)).url
    run = begun(url, "wipe the board")
    assert reached(url, run, "waiting_for_approval")["approval"]["number"] == 1
    for body, status in (({"number": 2, "approve": True}, 404), ({"approve": True}, 400)):
        assert CLIENT.post(f"{url}/v1/agent/runs/{run['id']}/decision", json=body).status_code == status
    assert reached(url, run, "waiting_for_approval") and not WIPED
    CLIENT.post(f"{url}/v1/agent/runs/{run['id']}/cancel")


def test_where_nobody_can_decide_any_more_it_is_a_no() -> None:
    async def asked() -> AgentRun:
        run = object.__new__(AgentRun)  # no turn: only its question
        run._loop, run._asked, run._cancelled, run._pending = asyncio.get_running_loop(), 0, False, None
        run.events, run._changed, run._began = [], asyncio.Event(), 0.0
        run.bytes, run.left_out = 0, 0
        call = asyncio.create_task(asyncio.to_thread(run._ask, wipe, ToolCall("wipe", {"what": "x"})))
        while run._pending is None:
            await asyncio.sleep(0.01)
        run.decide(1, True)
        assert await call is True
        return run

    run = asyncio.run(asked())
    assert run._ask(wipe, ToolCall("wipe", {"what": "y"})) is False, "the last yes is none for what comes later"


def test_what_is_not_approved_is_not_done(serving: Any, says: Says) -> None:
    url = serving(says("Hi"), tools=(wipe,)).url
    for ending in ("decision", "cancel"):
        run = begun(url, "wipe the board")
        reached(url, run, "waiting_for_approval")
        CLIENT.post(f"{url}/v1/agent/runs/{run['id']}/{ending}", json={"number": 1, "approve": False})
        done = reached(url, run, "completed", "cancelled")
        assert done["status"] == ("cancelled" if ending == "cancel" else "completed") and not WIPED


def test_a_server_that_ends_waits_for_no_decision(serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "LIMITS", replace(LIMITS, http_grace_seconds=0.1))
    running = serving(says("Hi"), tools=(wipe,))
    run = begun(running.url, "wipe the board")
    reached(running.url, run, "waiting_for_approval")
    before = [thread for thread in threading.enumerate() if thread.name == "linnet-request"]
    with httpx.stream("GET", f"{running.url}/v1/agent/runs/{run['id']}/events", timeout=60) as answer:
        lines = answer.iter_lines()
        assert any('"approval"' in line for line in lines)
        running.server.handle_exit(15, None)
        assert any('"approved":false' in line for line in lines)
    for thread in before:
        thread.join(60)
    assert before and not any(thread.is_alive() for thread in before) and not WIPED


def test_no_decision_in_time_is_a_no(serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_run, "LIMITS", replace(LIMITS, approval_seconds=0.2))
    url = serving(says("Hi"), tools=(wipe,)).url
    done = reached(url, begun(url, "wipe the board"), "completed")
    assert done["result"]["error"]["code"] == "tool_denied" and done["approval"] is None and not WIPED


@pytest.mark.parametrize("turn", [[], [Said("Hi")], [object()]])
def test_a_run_is_over_whatever_its_turn_does(
    serving: Any, says: Says, monkeypatch: pytest.MonkeyPatch, turn: list[Any]
) -> None:
    monkeypatch.setattr(Agent, "stream", lambda *_: iter(turn))
    url = serving(says("Hi"), tools=(wipe,)).url
    done = reached(url, begun(url, "Hello"), "failed")
    assert done["error"]["code"] == "linnet_error" and done["result"] is None
    last = CLIENT.get(f"{url}/v1/agent/runs/{done['id']}/events").text
    assert '"type":"error"' in last


def test_a_run_that_speaks_is_cancelled_at_once(serving: Any, says: Says) -> None:
    running = serving(says("x " * 120), seconds_per_token=0.01, tools=(wipe,))
    run = begun(running.url, "Tell me of the sea")
    until = time.monotonic() + 60
    while not running.supervisor._tickets and time.monotonic() < until:
        time.sleep(0.02)
    CLIENT.post(f"{running.url}/v1/agent/runs/{run['id']}/cancel")
    assert reached(running.url, run, "cancelled")["error"]["code"] == "cancelled" and running.idle()


def test_a_run_that_is_watched_as_it_begins_ends_with_its_client(serving: Any, says: Says) -> None:
    running = serving(says("x " * 120), seconds_per_token=0.01, tools=(wipe,))
    body = {"text": "Tell me of the sea", "stream": True}
    with httpx.stream("POST", f"{running.url}/v1/agent/runs", json=body, timeout=60) as answer:
        for line in answer.iter_lines():
            if '"said"' in line:
                break
    assert running.idle()


def test_runs_that_wait_keep_no_chat_waiting(serving: Any, says: Says) -> None:
    running = serving(says("Hi"), tools=(wipe, dig), at_once=1)
    first, second = begun(running.url, "dig a hole"), begun(running.url, "wipe it")
    reached(running.url, first, "running")
    assert reached(running.url, second, "queued") and running.chat().status_code == 200
    STILL.set()
    reached(running.url, first, "completed")
    reached(running.url, second, "waiting_for_approval")
    assert running.chat().status_code == 200


def test_the_runs_of_one_key_are_not_there_for_another(serving: Any, says: Says) -> None:
    one, two = {"x-api-key": "key-number-one"}, {"x-api-key": "key-number-two"}
    url = serving(says("Hi"), tools=(wipe,), door=Door(keys=Keys([*one.values(), *two.values()]))).url
    run = CLIENT.post(f"{url}/v1/agent/runs", json={"text": "wipe the board"}, headers=one).json()
    path = f"{url}/v1/agent/runs/{run['id']}"
    assert CLIENT.get(path, headers=one).status_code == 200
    for method, rest in (("GET", ""), ("GET", "/events"), ("POST", "/decision"), ("POST", "/cancel")):
        body = {"number": 1, "approve": True}
        assert CLIENT.request(method, path + rest, headers=two, json=body).status_code == 404
    assert CLIENT.get(f"{url}/v1/agent/runs", headers=two).json()["data"] == [] and not WIPED
    CLIENT.post(f"{path}/cancel", headers=one)


def test_what_is_no_run_is_refused(serving: Any, says: Says) -> None:
    url = serving(says("Hi"), tools=(wipe,)).url
    for body in ({}, {"text": " "}, {"text": 7}, {"text": "x" * 600_000}):
        assert 400 <= CLIENT.post(f"{url}/v1/agent/runs", json=body).status_code < 500
    assert CLIENT.get(f"{url}/v1/agent/runs/none").status_code == 404


@dataclass
class Fake:
    """What is to be known of a run that is remembered."""

    id: str
    over: bool
    owner: str = ""
    bytes: int = 0


def remembered(most: int, *fakes: Fake) -> Any:
    runs: Any = Runs(most=most)
    for fake in fakes:
        runs.make_room(fake.owner)
        runs.add(fake)
    return runs


def test_one_client_has_no_more_under_way_than_its_share() -> None:
    most = LIMITS.agent_runs_each
    runs = remembered(most * 2, *(Fake(str(n), False, "ann") for n in range(most)), Fake("bert's", False, "bert"))
    with pytest.raises(QueueFull, match="of one client"):
        runs.make_room("ann")
    runs.get("0", "ann").over = True
    runs.make_room("ann")


def test_what_is_over_of_others_is_forgotten_last() -> None:
    runs = remembered(3, Fake("a", True, "ann"), Fake("b", True, "bert"), Fake("c", True, "bert"))
    runs.make_room("bert")
    assert [len(runs.of(owner)) for owner in ("ann", "bert")] == [1, 1]
    runs.add(Fake("d", False, "bert"))
    runs.make_room("ann")
    assert [len(runs.of(owner)) for owner in ("ann", "bert")] == [0, 2]


def test_the_oldest_that_are_over_are_forgotten() -> None:
    runs = remembered(3, Fake("a", False), Fake("b", True), Fake("c", True))
    runs.make_room("")
    runs.add(Fake("d", False))
    assert [run.id for run in runs.of("")] == ["a", "c", "d"]
    runs._runs["c"].over = False
    with pytest.raises(Exception, match="under way"):
        runs.make_room("")


def test_what_runs_hold_is_bounded_in_bytes_too() -> None:
    """The newest that are over stay while there is room; those under way are never forgotten."""
    assert Runs()._most_bytes == LIMITS.agent_runs_bytes
    runs: Any = Runs(most_bytes=100)
    for fake in (Fake("a", True, bytes=40), Fake("b", False, bytes=40), Fake("c", True, bytes=19)):
        runs.add(fake)
    runs.make_room("")
    assert [run.id for run in runs.of("")] == ["a", "b", "c"], "one byte is left"
    runs.add(Fake("d", False, bytes=1))
    runs.make_room("")
    assert [run.id for run in runs.of("")] == ["b", "c", "d"]
    runs._runs["d"].bytes = 60
    with pytest.raises(QueueFull, match="hold 100 bytes") as refused:
        runs.make_room("")
    assert refused.value.details == {"bytes": 100} and [run.id for run in runs.of("")] == ["b", "d"]


@tool(rules=[Rule(prefix="tell", to="what")], answer="Told {what}.")
def tell(what: str) -> str:
    """Tell much."""
    return what * 1_000


def test_one_run_keeps_no_more_events_than_its_share(
    serving: Any, says: Says, monkeypatch: Any, events: Read
) -> None:
    """One past it: of the event that is too much only its kind, which is told; the answer is there."""
    url = serving(says("Hi"), tools=(tell,)).url
    whole = reached(url, begun(url, "tell abc"), "completed")
    kept = events(CLIENT.get(f"{url}/v1/agent/runs/{whole['id']}/events").text)
    assert whole["left_out"] == 0 and any(event.get("value") == "abc" * 1_000 for event in kept)
    monkeypatch.setattr(agent_run, "LIMITS", replace(LIMITS, agent_run_bytes=2_900))
    cut = reached(url, begun(url, "tell abc"), "completed")
    told = events(CLIENT.get(f"{url}/v1/agent/runs/{cut['id']}/events").text)
    (left,) = [event for event in told if "left_out" in event and event["type"] != "run"]
    assert left["type"] == "result" and left["left_out"] > 3_000 and cut["left_out"] == 1
    assert [event["type"] for event in told] == [event["type"] for event in kept]
    assert cut["result"]["answer"] == "Told abc."


def test_events_are_json(server: str) -> None:
    run = begun(server, "What is 2 + 2?")
    reached(server, run, "completed")
    text = CLIENT.get(f"{server}/v1/agent/runs/{run['id']}/events").text
    assert all(json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: "))


# --- runs that are kept ---------------------------------------------------------------------------


def test_a_run_with_a_key_of_its_clients_is_kept(serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.agent.runs.runs_file", lambda: tmp_path / "runs.db")
    made: list[str] = []

    @tool(rules=[Rule(prefix="mark", to="what")])
    def mark(what: str) -> str:
        """Mark something."""
        made.append(what)
        return f"{what} marked"

    door = Door(keys=Keys(["key-of-anna", "key-of-bert"]))
    url = serving(tools=[mark], door=door).url
    anna, bert = {"authorization": "Bearer key-of-anna"}, {"authorization": "Bearer key-of-bert"}

    def ended(text: str, key: str, headers: dict[str, str]) -> dict[str, Any]:
        body = {"text": text, "key": key, "stream": True}
        told = CLIENT.post(f"{url}/v1/agent/runs", json=body, headers=headers).text
        last: dict[str, Any] = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: {")][-1]
        return last

    first, again = ended("mark a", "k1", anna), ended("mark a", "k1", anna)
    assert made == ["a"] and first["result"]["answer"] == again["result"]["answer"]
    assert any("had ended before" in note for note in again["result"]["degraded"])
    assert ended("mark b", "k1", anna)["error"]["code"] == "input_invalid" and made == ["a"]
    ended("mark b", "k1", bert)
    assert made == ["a", "b"], "another client's key is another key"
    refused = CLIENT.post(f"{url}/v1/agent/runs", json={"text": "mark c", "key": "a b"}, headers=anna)
    assert refused.status_code == 400 and made == ["a", "b"]
