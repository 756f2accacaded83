"""The desk: who of several replicas may run a request, begin its tools and finish it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.agent.batch import desk as module
from linnet.agent.batch.desk import Desk
from linnet.agent.batch.ledger import Ledger
from linnet.agent.batch.lines import Asked
from linnet.errors import InputInvalid, ToolInterrupted
from linnet.limits import LIMITS

A, B, C = (Asked(number, name) for number, name in enumerate("abc", 1))


@contextlib.contextmanager
def opened(out: Path, **how: bool) -> Iterator[Desk]:
    with contextlib.closing(Desk(out, **how)) as desk:
        yield desk


def row(asked: Asked, how: str = "rule", error: Any = None) -> dict[str, Any]:
    return {"id": asked.id, "line": asked.line, "answer": "", "how": how, "error": error}


def hows(out: Path) -> dict[str, str]:
    return {found["id"]: found["how"] for found in map(json.loads, out.read_text().splitlines())}


def test_a_share_is_run_once_and_has_its_rows(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as desk:
        bad = Asked(4, "d", error=InputInvalid("line 4: it has no `text`"))
        assert desk.take("first", [A, B, bad]) == ([1, 2], False)
        desk.begin("first", A.key)
        for asked in (A, B):
            desk.finish("first", asked.key, row(asked))
        assert desk.take("again", [A, B, bad]) == ([], True), "Ray may deliver a share twice"
        assert desk.settle([A.key, B.key, bad.key]) == {
            "requests": 3, "done": 2, "failed": 1, "interrupted": 0, "kept": 0,
        }  # fmt: skip
    assert hows(tmp_path / "out") == {"a": "rule", "b": "rule", "d": "failed"}
    assert not (tmp_path / "out.begun").exists()


@pytest.mark.parametrize("retry", [False, True])
def test_what_a_lost_replica_had_begun_is_interrupted_and_the_rest_is_run_alone(tmp_path: Path, retry: bool) -> None:
    out = tmp_path / "out"
    with opened(out, retry=retry) as desk:
        desk.take("lost", [A, B, C])
        desk.begin("lost", A.key)
        desk.finish("lost", B.key, row(B, "failed", {"code": "tool_failed"}))
        assert desk.take("next", [A, B, C]) == ([3], True), "neither begun nor ended"
        assert hows(out) == {"a": "interrupted", "b": "failed"}
        assert desk.alone("next", C)


def test_a_replica_that_was_only_taken_for_dead_does_nothing_any_more(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as desk:
        desk.take("slow", [A, B])
        desk.begin("slow", B.key)
        desk.take("next", [A, B])
        for late in (lambda: desk.begin("slow", A.key), lambda: desk.finish("slow", A.key, row(A))):
            with pytest.raises(ToolInterrupted, match="another replica"):
                late()
        with pytest.raises(ToolInterrupted):
            desk.begin("slow", B.key)  # which has its row: interrupted
        desk.finish("next", A.key, row(A))
    assert hows(tmp_path / "out") == {"a": "rule", "b": "interrupted"}


def test_a_request_that_ends_two_replicas_by_itself_fails_alone(tmp_path: Path) -> None:
    with opened(tmp_path / "out") as desk:
        desk.take("0", [A, B])
        for attempt in "12":
            assert desk.take(attempt, [A, B]) == ([1, 2], True)
            assert desk.alone(attempt, A)
        desk.take("3", [A, B])
        assert not desk.alone("3", A)
        assert desk.alone("3", B)
        desk.finish("3", B.key, row(B))
        counts = desk.settle([A.key, B.key])
    assert {"done": 1, "failed": 1}.items() <= counts.items()
    assert json.loads((tmp_path / "out").read_text().splitlines()[0])["error"]["code"] == "worker_crashed"


def test_what_an_earlier_run_left_is_kept_or_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with opened(out) as desk:
        desk.take("1", [A, B, C])
        desk.finish("1", A.key, row(A))
        desk.begin("1", B.key)
    with opened(out, resume=True) as desk:
        assert desk.take("2", [A, B, C]) == ([3], False)
        desk.finish("2", C.key, row(C))
        counts = desk.settle([A.key, B.key, C.key], ordered=False)
    assert counts == {"requests": 3, "done": 2, "failed": 0, "interrupted": 1, "kept": 1}
    assert list(hows(out)) == ["a", "b", "c"]


def test_an_output_that_is_held_is_waited_for_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    held = Ledger(out)
    closing = threading.Timer(0.3, held.close)
    closing.start()
    with opened(out, resume=True) as desk:
        assert desk.take("1", [A]) == ([1], False)
        waited: list[float] = []
        clock = [0.0]
        monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            clock[0] += seconds

        monkeypatch.setattr(module.time, "sleep", sleep)
        with pytest.raises(InputInvalid, match="another `linnet batch`"):
            Desk(out, resume=True)
    closing.join()
    assert LIMITS.batch_takeover_seconds < sum(waited) < LIMITS.batch_takeover_seconds + 1
    assert time is module.time
