"""A server as deployments of Ray Serve: one for each model, and the ingress before them.

Deploying again replaces the ingress, and the replicas of each model that is not what it was. A new ingress begins
before the old one ends, for it takes no core; of a model's replicas an old one ends first, after what it has, and a
new one gets its cores.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from linnet.errors import EngineError, LinnetError, SettingsInvalid
from linnet.interfaces.http.errors import as_ours
from linnet.interfaces.http.service import DEFAULT
from linnet.interfaces.scale import ingress
from linnet.interfaces.scale.ingress import Front, Ingress, go_to
from linnet.interfaces.scale.replica import Replica, Resuming
from linnet.interfaces.scale.shares import check_room
from linnet.interfaces.scale.warden import beside
from linnet.interfaces.scale.wire import read_replies, write_replies
from linnet.limits import LIMITS
from linnet.models.naming import split_adapter
from linnet.settings import Settings

APP = "linnet"

_TOGETHER = 4
"""Calls that a replica is meant to have: more, for a while, and there will be another replica."""

_MOST = 2 * LIMITS.sequences
"""Calls that a replica takes at all; what is beyond waits at the ingress."""

_UP, _DOWN = 5.0, 60.0
"""Seconds that the queue has to be long, or short, before replicas are added or removed."""


@dataclass(frozen=True)
class Bounds:
    """How many replicas a model has: never fewer, never more."""

    least: int = 1
    most: int = 1


@dataclass(frozen=True)
class Plan:
    """`opener` opens a model by name in its replica; `cpus` are those that a replica counts for. `known` has a digest
    of what each model is, and each of its adapters, as (model, adapter): while one stays the same, so does what has
    it. One that is not there is replaced."""

    front: Front
    opener: Callable[[Settings, str], Resuming]
    bounds: Bounds = Bounds()
    cpus: float = 1.0
    known: Mapping[tuple[str, str], str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def offered(settings: Settings) -> dict[str, tuple[str, str]]:
    """The names on offer, each with its model and adapter: the default one, and those to preload."""
    names = {DEFAULT: settings.model} | {name: name for name in settings.preload}
    return {name: split_adapter(meant) for name, meant in names.items()}


def adapters(settings: Settings) -> dict[str, list[str]]:
    """The models behind these names, each with the adapters that are on offer with it."""
    found: dict[str, list[str]] = {}
    for model, adapter in offered(settings).values():
        found.setdefault(model, []).extend([adapter] if adapter else [])
    return found


def start(host: str, port: int) -> bool:
    """Ray's HTTP proxy, on this node; whether it was begun here, or was there before. It may not listen yet: on a
    busy machine Serve does not wait long enough. Raises SettingsInvalid where the cluster serves a Linnet already,
    and where its Serve listens elsewhere: it has one place to listen."""
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # else it talks between what the command says
    before = _running()
    if before is not None:
        _check_place(before.http_config.host, before.http_config.port, host, port)
    if before is not None and APP in serve.status().applications:
        hint = "End that server first, or what it left: `serve.delete('linnet')` of Ray Serve."
        raise SettingsInvalid("this cluster serves an application named 'linnet' already", hint=hint)
    with contextlib.suppress(TimeoutError):
        serve.start(proxy_location="HeadOnly", http_options={"host": host, "port": port}, logging_config=_LOGGING)
    return before is None


def check(front: Front) -> None:
    """As `ingress.check`, on the machine where the ingress will be."""
    import ray

    with _translated():
        there = ray.remote(num_cpus=0, resources=_HEAD, max_retries=0)(_checked)
        for fault in read_replies(
            ray.get(there.remote(front), timeout=LIMITS.start_seconds + LIMITS.journal_seconds)
        ):
            if isinstance(fault, LinnetError):
                raise fault


def deploy(plan: Plan) -> None:
    """Returns once all of it runs. Raises OutOfMemory where the cluster has too few cores, and EngineError where it
    does not come up, whatever Ray says of it: what ran before goes on, as far as it was not replaced by then."""
    from ray import serve

    names, wanted = offered(plan.front.settings), adapters(plan.front.settings)
    with _translated():
        check_room(_cores(), plan.cpus, len(wanted) * plan.bounds.least)
        models = {model: _model(plan, model, with_these) for model, with_these in wanted.items()}
        front = serve.run(_ingress(plan, names, models), name=APP, route_prefix="/", logging_config=_LOGGING)
        front.renew.remote().result(timeout_s=LIMITS.start_seconds)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except LinnetError:
        raise
    except Exception as error:  # Ray's own kinds, and bare ones
        hint = "See Ray's logs, in /tmp/ray/session_latest/logs/serve."
        why = str(error)[:500] or type(error).__name__
        raise EngineError(f"Ray could not deploy it: {why}", hint=hint) from error


def _checked(front: Front) -> bytes:
    """The fault as an ingress and a replica would tell each other of it: nothing of ours is made out of a pickle."""
    go_to(front.folder)
    try:
        ingress.check(front)
    except Exception as error:
        return write_replies([as_ours(error)])
    return write_replies([])


def stop(begun: bool = True) -> None:
    """End what was deployed; calls that run have the time to end that a server gives them. Serve itself ends where it
    was `begun` here, unless somebody else has an application in it by now."""
    from ray import serve

    if begun and set(serve.status().applications) <= {APP}:
        serve.shutdown()
    else:
        serve.delete(APP)


def _check_place(there: str, its: int, host: str, port: int) -> None:
    if (there, its) != (host, port):
        message = f"Ray Serve of this cluster listens on {there} port {its}, and not on {host} port {port}"
        raise SettingsInvalid(
            message, hint=f"Give --host {there} --port {its}, or end Serve there: `serve shutdown`."
        )


def _running() -> Any:
    """Serve's client where the cluster has Serve, else None."""
    from ray.serve.context import _get_global_client

    return _get_global_client(raise_if_no_controller_running=False)


def _cores() -> list[float]:
    """Of each machine of the cluster."""
    import ray

    return [node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]]


def _model(plan: Plan, model: str, adapters: list[str]) -> Any:
    from ray import serve

    opener = partial(beside, partial(opened_in, plan.front.folder, partial(plan.opener, plan.front.settings, model)))
    most = plan.bounds.most
    scaled: dict[str, Any] = (
        {"num_replicas": most}
        if plan.bounds.least == most
        else {
            "autoscaling_config": {
                "min_replicas": plan.bounds.least,
                "max_replicas": most,
                "target_ongoing_requests": _TOGETHER,
                "upscale_delay_s": _UP,
                "downscale_delay_s": _DOWN,
            }
        }
    )
    deployed = serve.deployment(
        Replica,
        name=_name(model),
        ray_actor_options={"num_cpus": plan.cpus},
        max_ongoing_requests=_MOST,
        user_config={"adapters": {name: plan.known.get((model, name), "") for name in sorted(adapters)}},
        graceful_shutdown_timeout_s=LIMITS.http_grace_seconds,
        graceful_shutdown_wait_loop_s=0.5,
        health_check_period_s=_HEALTH,
        health_check_timeout_s=3 * _HEALTH,
        request_router_config={"request_router_class": "linnet.interfaces.scale.router:PrefixRouter"},
        **{**scaled, **plan.extra},
    )
    if same := plan.known.get((model, "")):
        # private, for Ray gives a version itself, another one each time; a test on Ray fails where it is not heeded
        deployed = deployed.options(version=same, _internal=True)
    return deployed.bind(opener, replica_id)


def _ingress(plan: Plan, names: Mapping[str, tuple[str, str]], models: Mapping[str, Any]) -> Any:
    from ray import serve

    deployed = serve.deployment(
        serve.ingress()(Ingress),
        name="ingress",
        # where the tools and their files are
        ray_actor_options={"num_cpus": 0, "resources": _HEAD},
        max_ongoing_requests=plan.front.at_once + plan.front.room + LIMITS.http_queue,
        user_config=dict(names),
        max_surge_percent=100,
        graceful_shutdown_timeout_s=LIMITS.http_grace_seconds,
        graceful_shutdown_wait_loop_s=0.5,
    )
    return deployed.bind(plan.front, dict(models))


def opened_in(folder: Path, opener: Callable[[], Resuming]) -> Resuming:
    """In a replica: relative paths begin where the command was given, wherever Ray has begun the process."""
    go_to(folder)
    return opener()


def replica_id() -> str:
    """Of the replica that this process is."""
    from ray import serve

    return str(serve.get_replica_context().replica_id.unique_id)


def _name(model: str) -> str:
    """Of a deployment: a path is no name of one."""
    return "model-" + "".join(letter if letter.isalnum() else "-" for letter in model)[-60:]


_HEAD = {"node:__internal_head__": 0.001}
"""Of what is to run on the head node."""

_HEALTH = 2.0
"""Seconds between two looks at a replica."""

_LOGGING = {"enable_access_log": False, "log_level": "WARNING"}
