"""A fleet over Linnet's own server, several times: answers, a worker that dies, a server that ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import httpx

from linnet.interfaces.http.service import Service
from linnet.messages import Message
from linnet.requests import Generate, complete
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.remote import RemoteModel
from linnet.script import Say

ASK = Generate((Message("user", "Hello"),), max_tokens=9, deadline=60)


def test_two_servers_of_ours_and_one_that_ends(serving: Callable[..., object]) -> None:
    servers = [serving(*[Say(b"Well met.".hex())] * 4) for _ in range(2)]
    urls = [f"{server.url}/v1" for server in servers]  # type: ignore[attr-defined]
    with contextlib.closing(FleetModel([RemoteModel(url, "default") for url in urls])) as fleet:
        assert [complete(fleet, ASK).text for _ in range(2)] == ["Well met."] * 2
        assert [one["answered"] for one in fleet.servers()] == [1, 1]
        assert [one["well"] for one in fleet.look(60.0)] == [True, True]
        servers[0].close()  # type: ignore[attr-defined]
        ends = [complete(fleet, ASK) for _ in range(2)]
        assert [done.text for done in ends] == ["Well met."] * 2
        assert sum("remote_unreachable" in note for done in ends for note in done.degraded) == 1
        assert [one["state"] for one in fleet.servers()] == ["open", "closed"]


def test_health_tells_of_the_servers_behind(serving: Callable[..., object]) -> None:
    server = serving(Say(b"Well met.".hex()))
    service: Service = server.service  # type: ignore[attr-defined]
    assert "servers" not in httpx.get(f"{server.url}/health", timeout=60).json()  # type: ignore[attr-defined]
    fleet = FleetModel([RemoteModel("http://127.0.0.1:9/v1", "m")])
    service.servers = fleet.servers
    told = httpx.get(f"{server.url}/health", timeout=60).json()["servers"]  # type: ignore[attr-defined]
    assert told == [{"server": "127.0.0.1:9", "state": "closed", "outstanding": 0, "retry_after": 0.0}]
