"""`linnet serve --ray`: a cluster, what is deployed on it, and an end.

SIGTERM or SIGINT end it as they end the server of one process. SIGHUP reads the settings again and deploys what they
say by then: a rolling update, during which nothing is refused.
"""

from __future__ import annotations

import itertools
import queue
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from types import FrameType

from linnet.app import MODEL_SETTINGS, open_model
from linnet.errors import InputInvalid, LinnetError
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.serve import bound
from linnet.interfaces.scale import deployment, ingress
from linnet.interfaces.scale.cluster import cluster
from linnet.interfaces.scale.deployment import Bounds, Plan, adapters, offered
from linnet.interfaces.scale.ingress import Front
from linnet.interfaces.scale.replica import Resuming
from linnet.limits import LIMITS
from linnet.settings import Settings


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for. `replicas` is "N" or "MIN:MAX"."""

    door: Door
    port: int
    tools: Sequence[str] = ()
    standard: Sequence[str] = ()
    at_once: int | None = None
    replicas: str | None = None
    address: str | None = None
    opener: Callable[[Settings, str], Resuming] = open_model


def serve(
    wanted: Wanted,
    settings: Callable[[], Settings],
    ready: Callable[[str, list[str]], None],
    told: Callable[[str], None] = lambda note: None,
) -> None:
    """Serve until a signal says otherwise. `ready` is called with the address and the names of the models once all
    of it answers. Raises a LinnetError for what cannot be used, and KeyboardInterrupt for a signal before that."""
    bounds, known = read_bounds(wanted.replicas or "1"), Known()
    plan = _plan(wanted, settings(), bounds)
    if wanted.address is None:
        plan = _checked(wanted, plan, known)
    host, port = _place(wanted)
    with cluster(wanted.address), _signals() as signals:
        with signals.interrupting():
            begun = deployment.start(host, port)
        try:
            with signals.interrupting():
                _deploy(_checked(wanted, plan, known) if wanted.address else plan, known)
                _reachable(host, port)
            ready(f"http://{_written(host)}:{port}", list(offered(plan.front.settings)))
            with suppress(KeyboardInterrupt):  # told to end while it renews itself
                while signals.next() == signal.SIGHUP:
                    with signals.interrupting():
                        _renew(lambda: _checked(wanted, _plan(wanted, settings(), bounds), known), known, told)
        finally:
            deployment.stop(begun)


def read_bounds(text: str) -> tuple[int, int]:
    """`"2"` -> (2, 2), `"1:4"` -> (1, 4). Raises InputInvalid."""
    found = re.fullmatch(r"([0-9]{1,5})(?::([0-9]{1,5}))?", text)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= least <= most:
        raise InputInvalid(f"{text[:40]!r} is no number of replicas", hint="Write it as 2, or as 1:4.")
    return least, most


def _checked(wanted: Wanted, plan: Plan, known: Known) -> Plan:
    """The plan, once all that it opens was opened, and closed, where its faults can be told; no process is started
    for that. What is there on the machines of a cluster that runs already is only known to them."""
    if wanted.address is not None:
        deployment.check(plan.front)
        return plan
    ingress.check(plan.front)
    return replace(plan, known=known.now(wanted.opener, plan.front.settings))


class Known:
    """What each model and adapter is, told by digests: with the same one it answers the same.

    Replicas keep the adapters that they were given, and have room for `LIMITS.adapters`: those that would be given
    more count as other models, so that new ones come in their place. What failed to be deployed is another one the
    next time, as Ray tries nothing twice under one version; what ran before it stays what it was.
    """

    def __init__(self) -> None:
        self._given: dict[str, tuple[str, set[str]]] = {}
        self._new: dict[str, tuple[str, set[str]]] = {}
        self._numbers = itertools.count()

    def now(self, opener: Callable[[Settings, str], Resuming], settings: Settings) -> dict[tuple[str, str], str]:
        """By model and adapter, "" being the model itself, to be deployed. Opens and closes each: raises a
        LinnetError."""
        found: dict[tuple[str, str], str] = {}
        self._new = {}
        for name, wanted in adapters(settings).items():
            digests = _digests(opener, settings, name, wanted)
            found |= {(name, adapter): digest for adapter, digest in digests.items()}
            found[name, ""] = self._version(name, digests.pop(""), set(digests.values()))
        return found

    def _version(self, name: str, digest: str, given: set[str]) -> str:
        version, before = self._given.get(name, ("", set()))
        if not version.startswith(digest) or len(before | given) > LIMITS.adapters:
            version = f"{digest} {next(self._numbers)}"
            self._new[name] = version, given
        else:  # its replicas may have these even where the rest of it fails
            self._given[name] = version, before | given
        return version

    def deployed(self) -> None:
        """What `now` last told is what runs."""
        self._given |= self._new


def _digests(
    opener: Callable[[Settings, str], Resuming], settings: Settings, name: str, adapters: list[str]
) -> dict[str, str]:
    read = settings.model_dump_json(include=set(MODEL_SETTINGS) - {"models"})  # these only for their own model
    with closing(opener(settings, name)) as model:
        each = {"": model} | {adapter: model.with_adapter(adapter) for adapter in adapters}
        said = {adapter: getattr(one, "answers_as", one.original)() for adapter, one in each.items()}
    return {adapter: sha256(f"{read}{one}".encode()).hexdigest() for adapter, one in said.items()}


def _place(wanted: Wanted) -> tuple[str, int]:
    """Where Ray's proxy is to listen. What is wrong with it is told before Ray starts; but at a cluster that is there
    a proxy may listen already."""
    asked = wanted.port if wanted.address is None else 0
    with bound(wanted.door, asked) as listening:
        host, port = listening.getsockname()[:2]
    return host, port if wanted.address is None else wanted.port or port


def _plan(wanted: Wanted, settings: Settings, bounds: tuple[int, int]) -> Plan:
    at_once = wanted.at_once or LIMITS.http_at_once * bounds[1]
    front = Front(settings, wanted.door, at_once, LIMITS.http_queue, tuple(wanted.tools), tuple(wanted.standard))
    return Plan(front, wanted.opener, Bounds(*bounds), cpus=settings.threads or 1)


def _deploy(plan: Plan, known: Known) -> None:
    deployment.deploy(plan)
    known.deployed()


def _renew(plan: Callable[[], Plan], known: Known, told: Callable[[str], None]) -> None:
    """What was served before is served on where the new is wrong."""
    try:
        _deploy(plan(), known)
        told("Deployed what the settings say now.")
    except LinnetError as error:
        told(f"Not deployed: {error.message}. {error.hint}")


class Signals:
    """Those that end or renew the server, as they arrive."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ends = self._interrupts = False

    def note(self, number: int, frame: FrameType | None = None) -> None:
        """The handler. Raises KeyboardInterrupt within `interrupting`, once: what is cleaned up then is not left."""
        self._arrived.put(number)
        self._ends = self._ends or number != signal.SIGHUP
        if self._ends and self._interrupts:
            self._interrupts = False
            raise KeyboardInterrupt

    def next(self) -> int:
        """Waits for it."""
        return self._arrived.get()

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Ray may let the block wait for ever: a signal that ends the server ends it, as KeyboardInterrupt."""
        self._interrupts = True
        try:
            if self._ends:
                raise KeyboardInterrupt
            yield
        finally:
            self._interrupts = False


@contextmanager
def _signals() -> Iterator[Signals]:
    """Ray has handlers of its own until now."""
    signals = Signals()
    before = {one: signal.signal(one, signals.note) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield signals
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _reachable(host: str, port: int) -> None:
    """Wait for the proxy: Serve says that all runs when the deployments do."""
    until = time.monotonic() + 2 * LIMITS.start_seconds
    while True:
        try:
            with socket.create_connection((host, port), timeout=1):
                return
        except OSError as error:
            if time.monotonic() > until:
                raise LinnetError(f"Ray's proxy does not listen on {host} port {port}") from error
            time.sleep(0.1)


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
