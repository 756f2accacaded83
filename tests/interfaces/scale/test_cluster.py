"""What Ray says when it cannot begin or join, as the errors of a command. No cluster is begun."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from linnet.errors import SettingsInvalid
from linnet.interfaces.scale import cluster as module
from linnet.interfaces.scale.cluster import check_there, cluster
from linnet.limits import LIMITS


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """`ray(error)`: Ray, which raises this as it is begun."""

    def play(error: Exception) -> None:
        def init(**named: Any) -> None:
            raise error

        played = ModuleType("ray")
        played.init = init  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "ray", played)
        monkeypatch.setattr(module, "check_installed", lambda: None)
        monkeypatch.setattr(os, "environ", dict(os.environ))

    return play


@pytest.fixture
def somebody() -> Iterator[str]:
    """An address where connections are taken."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("error", [ConnectionError("nobody\nis there"), RuntimeError("a token is wanted")])
def test_what_is_there_and_no_cluster_of_ours_is_told(
    ray: Callable[[Exception], None], somebody: str, error: Exception
) -> None:
    ray(error)
    with pytest.raises(SettingsInvalid) as caught, cluster(somebody):
        pytest.fail("there is no cluster")
    assert "nobody is there" in caught.value.message or "a token is wanted" in caught.value.message
    assert "ray status" in caught.value.hint and caught.value.details == {"address": somebody}


def test_an_address_where_nobody_is_is_told_before_ray_is_asked(ray: Callable[[Exception], None]) -> None:
    ray(AssertionError("Ray was asked"))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SettingsInvalid, match="nobody takes connections at") as caught, cluster(address):
            pytest.fail("there is no cluster")
    assert "ray status" in caught.value.hint and caught.value.details == {"address": address}


@pytest.mark.skipif(sys.platform != "linux", reason="how a full queue of connections is answered is Linux's own")
def test_one_that_does_not_answer_is_given_up_after_cluster_seconds(
    monkeypatch: pytest.MonkeyPatch, ray: Callable[[Exception], None]
) -> None:
    ray(AssertionError("Ray was asked"))
    monkeypatch.setattr(module, "LIMITS", replace(LIMITS, cluster_seconds=0.5))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, socket.socket() as first:
        first.connect(server.getsockname())  # further ones wait, for two minutes
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SettingsInvalid, match="timed out"), cluster(address):
            pytest.fail("there is no cluster")


@pytest.mark.parametrize("address", ["", "here", ":6379", "here:", "here:0", "here:65536", "here:²", "ray://here"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsInvalid, match="is no address of a cluster") as caught:
        check_there(address)
    assert "FIRST:6379" in caught.value.hint


def test_what_takes_connections_may_be_ray(somebody: str) -> None:
    for address in (somebody, f"ray://{somebody}", "auto"):
        check_there(address)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra linnet[ray] is not installed: no Ray")
def test_the_listener_of_ray_ends_where_nothing_comes_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private import worker as rays

    class Head:
        """That was started again: it knows of no subscription."""

        def subscribe(self) -> None: ...

        def poll(self) -> tuple[None, None]:
            return None, None

    class Driver:
        gcs_error_subscriber = Head()
        current_job_id = rays.JobID.nil()
        threads_stopped = threading.Event()

    monkeypatch.setattr(rays, "global_worker", Driver)
    listener = threading.Thread(target=rays.listen_error_messages, args=(Driver, Driver.threads_stopped), daemon=True)
    listener.start()
    try:
        assert listener.is_alive()
        module._end_listener()
        listener.join(60)
        assert not listener.is_alive()
    finally:
        Driver.threads_stopped.set()
