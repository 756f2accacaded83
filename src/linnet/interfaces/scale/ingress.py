"""Ingress: the HTTP app of `linnet serve`, with its line and its agents, over models that are elsewhere.

Ray makes a deployment of it, and Ray's proxy hands it what comes over HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from linnet.app import Served, open_servers, served_over
from linnet.errors import NotOffered
from linnet.interfaces.cli.tool_files import sorted_out
from linnet.interfaces.exporting import export
from linnet.interfaces.http.app import application
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.service import DEFAULT, Service
from linnet.interfaces.scale.figures import page
from linnet.interfaces.scale.handles import HandledReplicas
from linnet.interfaces.scale.model import ClusterModel
from linnet.models.naming import split_adapter
from linnet.requests import Capabilities, Event, Model, Request
from linnet.runtime import sandbox
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.local import DEFAULT_CONTEXT
from linnet.runtime.pool.resident import Resident
from linnet.settings import Settings


@dataclass(frozen=True)
class Front:
    """What an ingress is told. `tools` and `standard` are as on the command line, `at_once` the requests that run
    together, `folder` is where relative paths begin."""

    settings: Settings
    door: Door
    at_once: int
    room: int
    tools: tuple[str, ...] = ()
    standard: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path.cwd)


def go_to(folder: Path) -> None:
    """For a process of Ray's: its working folder from now on, where it is there."""
    with contextlib.suppress(OSError):  # another machine need not have it
        os.chdir(folder)


def check(front: Front) -> None:
    """Open here, and close again, what an ingress opens: tools, permissions, router, journal, servers. Raises a
    LinnetError for what cannot be used."""
    with contextlib.ExitStack() as held:
        _opened(front, _Elsewhere(), held)


def _opened(front: Front, base: Model, held: contextlib.ExitStack) -> Served:
    servers = open_servers(front.settings) if front.settings.allow_remote else None
    fleet = servers if isinstance(servers, FleetModel) else None
    if fleet:  # one for all turns: what it has learnt of its servers is kept
        held.callback(fleet.close)
    tools = sorted_out(front.tools, front.standard)
    opened = served_over(front.settings, {DEFAULT: base}, *tools, servers=servers)
    return replace(held.enter_context(opened), servers=fleet.servers if fleet else tuple)


class _Elsewhere:
    """Stands for a model, of which nothing is asked while the rest is looked at."""

    capabilities = Capabilities(DEFAULT, DEFAULT_CONTEXT)

    def stream(self, request: Request) -> Iterator[Event]:
        raise NotOffered("this model is elsewhere")


class Ingress:
    """`handles` are those of the models' deployments, by the name of the model."""

    def __init__(self, front: Front, handles: Mapping[str, Any]) -> None:
        self._replicas = {name: HandledReplicas(handle) for name, handle in handles.items()}
        self._held = contextlib.ExitStack()
        go_to(front.folder)
        base = self._model(*split_adapter(front.settings.model))
        served = self._open(front, base)
        self._service = Service(
            served.models,
            seconds=front.settings.request_seconds,
            at_once=front.at_once,
            room=front.room,
            telemetry=served.telemetry,
            residents=self._residents,
            servers=served.servers,
            beside=self._figures,
        )
        self._app = application(self._service, front.door, agent=served.agent)

    def _model(self, name: str, adapter: str) -> ClusterModel:
        return ClusterModel(self._replicas[name], adapter)

    def _open(self, front: Front, base: ClusterModel) -> Served:
        export(front.settings)
        if front.settings.require_sandbox:
            sandbox.demand()  # what the command demanded of its own process holds for this one's children too
        return _opened(front, base, self._held)

    async def reconfigure(self, offered: Mapping[str, tuple[str, str]]) -> None:
        """The models on offer from now on: each name that a client may say, with the model and adapter it means."""
        self._offered = dict(offered)
        models = {name: self._model(*meant) for name, meant in offered.items()}
        for replicas in self._replicas.values():
            await asyncio.to_thread(replicas.renew)
        default = models[DEFAULT]
        self._service.offer({DEFAULT: default, default.capabilities.name: default} | models)

    async def renew(self) -> None:
        """Look at the models anew. An ingress that begins while they are replaced may have asked one of the old."""
        await self.reconfigure(self._offered)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The name by which Ray Serve asks for the app once the ingress has begun."""
        return self._app

    def _residents(self) -> list[Resident]:
        """The models, with what one replica of each takes."""
        facts = [replicas.facts() for replicas in self._replicas.values()]
        can = [(one.capabilities[""], one.bytes) for one in facts]
        return [Resident(one.name, size, (), 0, 0.0, one.context, one.context) for one, size in can]

    async def _figures(self) -> bytes:
        """Of all replicas that can be reached now, for the metrics page."""
        found = await asyncio.gather(*(one.stands() for one in self._replicas.values()))
        return page(dict(zip(self._replicas, found, strict=True)))

    def __del__(self) -> None:
        service: Service | None = getattr(self, "_service", None)
        if service is not None:  # else it did not come up
            service.close()
            service.cancel()
            self._held.close()
