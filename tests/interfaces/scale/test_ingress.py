"""The ingress in this very process, over replicas that nobody has to ask: what it opens, and closes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from linnet import app
from linnet.interfaces.http.guard import Door
from linnet.interfaces.scale import ingress as module
from linnet.interfaces.scale.ingress import Front, Ingress
from linnet.interfaces.scale.wire import Facts
from linnet.requests import Capabilities
from linnet.runtime.fleet.fleet import FleetModel
from linnet.settings import Settings

REMOTE = Settings(
    allow_remote=True, remote_url="http://127.0.0.1:1/v1,http://127.0.0.1:2/v1", remote_model="m", snapshots=False
)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The fleets that were opened, by whomever."""
    found: list[Any] = []

    def open_servers(settings: Settings, *environ: Any) -> Any:
        found.append(app_open(settings, *environ))
        return found[-1]

    app_open = app.open_servers
    monkeypatch.setattr(app, "open_servers", open_servers)
    monkeypatch.setattr(module, "open_servers", open_servers)
    facts = Facts({"": Capabilities("played", 4096, scores=False)}, {"": "0" * 64})
    monkeypatch.setattr(module.HandledReplicas, "facts", lambda self: facts)
    yield found


def test_a_fleet_is_opened_once_for_all_turns_shown_and_closed(
    opened: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Any] = []
    close = FleetModel.close
    monkeypatch.setattr(FleetModel, "close", lambda self: closed.append(self) or close(self))
    one = Ingress(Front(REMOTE, Door(), 1, 1), {"default": object()})
    (fleet,) = opened
    assert one._service.servers() == fleet.servers() and len(fleet.servers()) == 2
    one.__del__()
    assert closed == [fleet]


def test_without_leave_no_server_is_opened(opened: list[Any]) -> None:
    settings = REMOTE.model_copy(update={"allow_remote": False})
    front = replace(Front(REMOTE, Door(), 1, 1), settings=settings)
    one = Ingress(front, {"default": object()})
    assert opened == [] and one._service.servers() == ()
    one.__del__()
