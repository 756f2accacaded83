"""What may be spent: taken before, given back after, shared by processes, and nothing where it cannot be kept."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path

import pytest

from linnet.agent import allowance as module
from linnet.agent.allowance import Allowance, Left
from linnet.errors import EscalationDenied, SettingsInvalid


@pytest.fixture(params=["process", "day"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "deep" / "remote.json" if request.param == "day" else None


def test_taken_and_given_back(path: Path | None) -> None:
    allowance = Allowance(2, 100, path=path)
    assert allowance.take(60) == Left(1, 40)
    assert allowance.give_back(50) == Left(1, 90)
    assert allowance.take(90) == Left(0, 0)


@pytest.mark.parametrize(("requests", "tokens"), [(1, 1_000), (5, 100), (0, 100), (5, 0)])
def test_more_than_there_is(path: Path | None, requests: int, tokens: int) -> None:
    allowance = Allowance(requests, tokens, path=path)
    if requests and tokens:
        allowance.take(100)
    for _ in range(2):
        with pytest.raises(EscalationDenied, match="the allowance is spent"):
            allowance.take(1)


def test_a_day_is_shared_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "remote.json"
    Allowance(3, 100, path=path).take(10)
    assert Allowance(3, 100, path=path).take(10) == Left(1, 80)
    monkeypatch.setattr(module, "_today", lambda: "2100-01-01")
    assert Allowance(3, 100, path=path).take(10) == Left(2, 90)


def test_many_at_once_take_no_more_than_there_is(path: Path | None) -> None:
    allowance = Allowance(10, 1_000, path=path)
    taken: list[Left] = []

    def take() -> None:
        with contextlib.suppress(EscalationDenied):
            taken.append(allowance.take(1))

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(left.requests for left in taken) == list(range(10))


@pytest.mark.parametrize("body", ["", "[]", '{"day": 1}', '{"day": "x", "requests": "1", "tokens": 2}'])
def test_an_account_that_cannot_be_read_allows_nothing(tmp_path: Path, body: str) -> None:
    path = tmp_path / "remote.json"
    path.write_text(body)
    with pytest.raises(EscalationDenied, match="holds no account"):
        Allowance(5, 5, path=path).take(1)
    assert path.read_text() == body


def test_one_that_cannot_be_written_allows_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EscalationDenied, match="can be kept"):
        Allowance(5, 5, path=tmp_path / "file" / "remote.json").take(1)


def test_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "remote.json"
    Allowance(5, 5, path=path).take(3)
    assert json.loads(path.read_text()) == {"day": time.strftime("%Y-%m-%d"), "requests": 1, "tokens": 3}
    assert not path.with_suffix(".lock").exists()


@pytest.mark.parametrize("given", [(-1, 1), (1, -1)])
def test_less_than_nothing(given: tuple[int, int]) -> None:
    with pytest.raises(SettingsInvalid):
        Allowance(*given)
