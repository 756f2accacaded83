"""The one place where Settings become a wired Agent."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from linnet import log
from linnet.agent.agent import Agent
from linnet.agent.allowance import Allowance
from linnet.agent.escalate import Escalation
from linnet.agent.execute import Approve
from linnet.agent.router import Router
from linnet.agent.router_file import load_router
from linnet.agent.tools.toolbox import Toolbox
from linnet.errors import SettingsInvalid
from linnet.limits import MIB
from linnet.messages import Message
from linnet.requests import Generate, Model, complete
from linnet.runtime.fleet.fleet import FleetModel
from linnet.runtime.local import LocalModel, open_local
from linnet.runtime.pool.pool import Pool, Resident
from linnet.runtime.remote import RemoteModel
from linnet.settings import API_KEYS, REMOTE, REMOTE_KEY, Settings
from linnet.storage import cache_folder
from linnet.tool_settings import SEARCH_KEY
from linnet.tools import Tool

if TYPE_CHECKING:
    from linnet.agent.journal import Journal
    from linnet.agent.telemetry import Telemetry


def open_agent(
    settings: Settings | None = None,
    tools: Sequence[Tool] = (),
    named: Sequence[str] = (),
    approve: Approve | None = None,
    told: Callable[[str], None] = lambda note: None,
) -> Agent:
    """An Agent as the settings say, with further tools: `tools` themselves, and those `named` (`web_fetch`, or a
    group such as `web`). `told` hears of tools that were left out. Raises a LinnetError for what cannot be used."""
    settings = settings or Settings()
    _start_log(settings)
    toolbox = open_toolbox(settings, named, tools)
    try:
        for note in toolbox.notes:
            told(note)
        return _agent(settings, (*tools, *toolbox.tools), approve, toolbox)
    except BaseException:
        toolbox.close()
        raise


def open_toolbox(settings: Settings, named: Sequence[str] = (), tools: Sequence[Tool] = ()) -> Toolbox:
    """The tools that the settings turn on, and those named. Raises as `open_agent` does."""
    templates = (own.template for own in settings.models.values())
    files = [file for file in (settings.router, settings.log, *templates) if file is not None]
    return Toolbox(settings.tool_tables, settings.root, named, tools, files)


def _agent(settings: Settings, tools: Sequence[Tool], approve: Approve | None, toolbox: Toolbox) -> Agent:
    servers = open_servers(settings) if settings.model == REMOTE else None
    return Agent(
        tools,
        servers or settings.model,
        allow=settings.allow,
        deny=settings.deny,
        approve=approve,
        closing=partial(_closed, toolbox, servers),
        root=settings.root,
        margin=settings.margin,
        router=load_router(settings.router) if settings.router else None,
        seconds=settings.request_seconds,
        answer_tokens=settings.answer_tokens,
        backup=open_remote(settings) if settings.allow_remote and servers is None else None,
        only=settings.tools,
        memory=settings.memory,
        cache=settings.response_cache_mib > 0,
        cache_bytes=max(1, settings.response_cache_mib * MIB),
        telemetry=open_telemetry(settings),
        **({} if servers else _of_local(settings)),
    )


def _of_local(settings: Settings) -> dict[str, Any]:
    names = ("context", "threads", "models", "encoding", "snapshots", "require_sandbox")
    return {name: getattr(settings, name) for name in names}


def _closed(toolbox: Toolbox, servers: RemoteModel | FleetModel | None) -> None:
    if isinstance(servers, FleetModel):
        servers.close()
    toolbox.close()


def open_telemetry(settings: Settings) -> Telemetry | None:
    """Spans of each turn, where the settings want them; else nothing is imported. Raises SettingsInvalid where
    OpenTelemetry is not installed."""
    if settings.telemetry == "off":
        return None
    from linnet.agent.telemetry import Telemetry

    return Telemetry(texts=settings.telemetry == "texts")


def _start_log(settings: Settings, environ: Mapping[str, str] | None = None) -> None:
    """Where events go from now on, for the whole process: as the settings say that were used last."""
    environ = os.environ if environ is None else environ
    names = (REMOTE_KEY, SEARCH_KEY, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    keys = (*(environ.get(name, "") for name in names), *environ.get(API_KEYS, "").split(","))
    log.write_to(settings.log, tuple(key.strip() for key in keys))


MODEL_SETTINGS = ("context", "threads", "encoding", "require_sandbox", "models", "log")
"""All of the settings that `open_model` looks at, beside the name."""


def open_model(settings: Settings, name: str | None = None, **special: Any) -> LocalModel:
    """The model of that name (None: the settings' own) as the settings say; `special` goes to `open_local` as it is.

    Raises what `open_local` raises.
    """
    _start_log(settings)
    return open_local(
        name or settings.model,
        context=settings.context,
        threads=settings.threads,
        models=settings.models,
        encoding=settings.encoding,
        require_sandbox=settings.require_sandbox,
        **special,
    )


def open_servers(settings: Settings, environ: Mapping[str, str] | None = None) -> RemoteModel | FleetModel:
    """The server of the settings, or their several as one Model, without a gate. No connection is opened. The key is
    in LINNET_REMOTE_KEY. Raises SettingsInvalid where no server, or none that can be, is set."""
    if not settings.remote_url or not settings.remote_model:
        hint = "Set `remote_url` and `remote_model`, or leave `allow_remote` unset."
        raise SettingsInvalid("there is no remote server in the settings", hint=hint, place="remote_url")
    key = (os.environ if environ is None else environ).get(REMOTE_KEY, "").strip()
    models = [
        RemoteModel(url.strip(), settings.remote_model, key=key, context=settings.remote_context)
        for url in settings.remote_url.split(",")
    ]
    if len(models) == 1:
        return models[0]
    return FleetModel(models, at_once=settings.remote_at_once, hedge=settings.remote_hedge_seconds)


def look_at_servers(settings: Settings) -> tuple[dict[str, Any], ...]:
    """The health of each server of the settings, as `FleetModel.look` has it. Raises SettingsInvalid."""
    servers = open_servers(settings)
    fleet = servers if isinstance(servers, FleetModel) else FleetModel([servers])
    with contextlib.closing(fleet):
        return fleet.look()


def open_remote(
    settings: Settings,
    environ: Mapping[str, str] | None = None,
    servers: RemoteModel | FleetModel | None = None,
) -> Escalation:
    """`open_servers`, or those that are open already, behind the settings' gate: what is kept from them, and what a
    day may cost. Raises as that does."""
    remote = servers or open_servers(settings, environ)
    allowance = Allowance(settings.remote_requests, settings.remote_tokens, path=cache_folder() / "remote.json")
    return Escalation(remote, allowed=settings.allow_remote, allowance=allowance)


def open_pool(settings: Settings | None = None) -> Pool:
    """Models by name within the memory that the settings allow; those to preload are being loaded.

    Raises a LinnetError for one of them that cannot be used, or that does not fit beside the others.
    """
    settings = settings or Settings()

    def opener(name: str, usable: int | None) -> LocalModel:
        return open_model(settings, name, snapshots=settings.snapshots, fitted=False, usable=usable)

    memory = None if settings.memory_mib is None else settings.memory_mib * MIB
    pool = Pool(opener, memory=memory, idle_seconds=settings.idle_seconds)
    try:
        pool.preload(*settings.preload)
    except BaseException:
        pool.close()
        raise
    return pool


def load_seconds(model: Model) -> float | None:
    """What the worker that runs for a model says that loading it took; None where none runs, or no worker would."""
    supervisor = getattr(model, "supervisor", None)
    ready = supervisor.ready if supervisor else None
    return None if ready is None else float(ready.seconds)


@dataclass(frozen=True)
class Served:
    """What a server serves: models by every name that a client may say, `default` first. `agent(model, approve)` is
    an Agent with the server's tools, for one turn of one client. `residents` are the models in memory now, `servers`
    those of a fleet as `FleetModel.servers` has them."""

    models: Mapping[str, Model]
    agent: Callable[[Model, Approve], Agent]
    telemetry: Telemetry | None = None
    residents: Callable[[], tuple[Resident, ...]] = tuple
    servers: Callable[[], tuple[dict[str, Any], ...]] = tuple


@contextlib.contextmanager
def open_served(
    settings: Settings,
    tools: Sequence[Tool] = (),
    named: Sequence[str] = (),
    told: Callable[[str], None] = lambda note: None,
) -> Iterator[Served]:
    """The settings' model and those to preload, in one pool, and agents with these tools, as `open_agent` has them.
    Raises a LinnetError for what cannot be used."""
    _start_log(settings)
    with open_pool(settings) as pool:
        servers = open_servers(settings) if settings.allow_remote or settings.model == REMOTE else None
        default = servers if servers and settings.model == REMOTE else pool.model(settings.model)
        models: dict[str, Model] = {"default": default, default.capabilities.name: default}
        models |= {name: pool.model(name) for name in settings.preload if name not in models}
        fleet = servers if isinstance(servers, FleetModel) else None
        try:
            with _over(settings, models, tools, named, told, servers) as served:
                yield replace(served, residents=pool.residents, servers=fleet.servers if fleet else tuple)
        finally:
            if fleet:
                fleet.close()


@contextlib.contextmanager
def served_over(
    settings: Settings,
    models: Mapping[str, Model],
    tools: Sequence[Tool] = (),
    named: Sequence[str] = (),
    told: Callable[[str], None] = lambda note: None,
    servers: RemoteModel | FleetModel | None = None,
) -> Iterator[Served]:
    """As `open_served`, over models that are open already, `default` among them."""
    _start_log(settings)
    with _over(settings, models, tools, named, told, servers) as served:
        yield served


@contextlib.contextmanager
def _over(
    settings: Settings,
    models: Mapping[str, Model],
    tools: Sequence[Tool],
    named: Sequence[str],
    told: Callable[[str], None],
    servers: RemoteModel | FleetModel | None,
) -> Iterator[Served]:
    with contextlib.closing(open_toolbox(settings, named, tools)) as toolbox, open_journal(settings) as runs:
        for note in toolbox.notes:
            told(note)
        router = load_router(settings.router) if settings.router else None
        telemetry = open_telemetry(settings)
        agents = partial(_served_agent, settings, (*tools, *toolbox.tools), router, telemetry, servers, runs)
        agents(models["default"], None).close()  # what is wrong with the tools is told now
        yield Served(models, agents, telemetry)


def _served_agent(
    settings: Settings,
    tools: Sequence[Tool],
    router: Router | None,
    telemetry: Telemetry | None,
    servers: RemoteModel | FleetModel | None,
    runs: Journal | None,
    model: Model,
    approve: Approve | None,
) -> Agent:
    """Without memory and cache: those are one user's, and a server may have several."""
    return Agent(
        tools,
        model,
        allow=settings.allow,
        deny=settings.deny,
        approve=approve,
        root=settings.root,
        margin=settings.margin,
        router=router,
        seconds=settings.request_seconds,
        answer_tokens=settings.answer_tokens,
        backup=open_remote(settings, servers=servers) if settings.allow_remote and settings.model != REMOTE else None,
        only=settings.tools,
        telemetry=telemetry,
        runs=runs,
    )


@contextlib.contextmanager
def open_journal(settings: Settings) -> Iterator[Journal | None]:
    """The journal that the settings name; None is the file of this user, opened when it is needed. Raises
    SettingsInvalid, and StoreUnavailable."""
    if settings.journal is None:
        yield None
        return
    from linnet.agent.shared_runs import SharedRuns

    with contextlib.closing(SharedRuns(settings.journal)) as runs:
        yield runs


def check_engine(settings: Settings) -> dict[str, Any]:
    """Start a real worker on the settings' model and look at it: for `linnet doctor`.

    `ready` is what the worker said of itself, `start_seconds` the time to its first answer, and
    `tokens_per_second` the decoding speed of a short one.
    """
    started = time.monotonic()
    model = open_model(settings)
    try:
        complete(model, Generate((Message("user", "Hello"),), max_tokens=1))
        first = time.monotonic()
        done = complete(model, Generate((Message("user", "Count from one to twenty."),), max_tokens=48))
        seconds = time.monotonic() - first
        ready = model.supervisor.ready
        return {
            "ready": asdict(ready) if ready else None,
            "start_seconds": round(first - started, 3),
            "tokens_per_second": round(done.usage.generated_tokens / seconds, 1),
            "family": model.family.name,
            "detected": list(model.family.detected),
        }
    finally:
        model.close()
