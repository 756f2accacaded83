"""`linnet batch --ray`: the same file and the same ledger, with the agents on a cluster.

Hides Ray Data. Shares of the file flow from the driver's machine through the object store to replicas, an actor with
an Agent and a worker each, no faster than they take them. The ledger is an actor too, on the driver's machine; every
replica tells it of a tool before that runs and of a request when it has ended, so that nothing hangs on what Ray
delivers, and when. Whatever Ray runs once more because a process was lost finds there what was begun.
"""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from linnet.agent.batch import lines
from linnet.agent.batch.desk import Desk
from linnet.agent.batch.lines import Asked
from linnet.agent.events import TurnEvent
from linnet.agent.result import Result
from linnet.app import open_agent
from linnet.errors import LinnetError, WorkerCrashed
from linnet.interfaces.cli.tool_files import sorted_out
from linnet.interfaces.exporting import export
from linnet.interfaces.scale.cluster import check_installed, cluster
from linnet.interfaces.scale.shares import Node, Share, crew, shares
from linnet.limits import LIMITS
from linnet.messages import ToolCall
from linnet.requests import Model
from linnet.runtime import sandbox
from linnet.settings import Settings

_READERS = 2
"""Shares that are read at a time."""


@dataclass(frozen=True)
class Plan:
    """What the replicas are to be: settings, tools as `--tools` and `--standard` name them, and how many requests
    each runs at once. `replicas` None: as many as the cluster has room for. `address` None: a cluster of one's own.
    `folder` is where relative paths begin."""

    settings: Settings
    named: tuple[Sequence[str], Sequence[str]] = ((), ())
    at_once: int = LIMITS.turns_at_once
    replicas: int | None = None
    address: str | None = None
    folder: Path = field(default_factory=Path.cwd)


def answer_file(
    plan: Plan,
    requests: Path,
    output: Path,
    *,
    resume: bool = False,
    retry: bool = False,
    ordered: bool = True,
    ended: Callable[[int], None] = lambda count: None,
    told: Callable[[str], None] = lambda note: None,
) -> dict[str, int]:
    """As `linnet.agent.batch.batch.answer_file` does, on Ray. `ended` is told how many more requests have their rows.

    Raises besides SettingsInvalid where Ray is not installed or no cluster is at the address, OutOfMemory where the
    replicas find no room, and WorkerCrashed where the cluster is lost.
    """
    check_installed()
    keys = lines.keys(requests)
    need = _need(plan, told)
    with _cluster(plan.address) as ray, _desk(ray, output, resume=resume, retry=retry) as desk:
        team = crew(_nodes(ray), need, plan.replicas, len(keys), plan.at_once)
        threads = plan.settings.threads or (team.cores if team.replicas > 1 else None)
        plan = replace(plan, settings=plan.settings.model_copy(update={"threads": threads}))
        parts = list(shares(requests, len(keys), team.replicas, plan.at_once))
        answers = _reading(ray, requests.resolve(), parts).map_batches(
            Replica,
            batch_size=None,
            fn_constructor_args=(plan, desk),
            compute=ray.data.ActorPoolStrategy(size=team.replicas),
            num_cpus=team.cores,
            memory=need,
        )
        with _translated(ray, desk):
            for batch in answers.iter_batches(batch_size=None) if parts else ():
                ended(int(batch["ended"].sum()))
            return dict(ray.get(desk.settle.remote(keys, ordered)))


def _need(plan: Plan, told: Callable[[str], None]) -> int:
    """The memory of one replica, in bytes. What is wrong with tools, settings and model is told here, at once."""
    files, names = sorted_out(*plan.named)
    with open_agent(plan.settings, files, names, told=told) as agent:
        return _needed(agent.model)


def _needed(model: Model) -> int:
    needs = getattr(model, "needs", None)
    return int(needs()[0].size) if needs else 0


# --- the cluster ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """Ray, connected: to the cluster at the address, or to one on this machine that ends with the block."""
    with cluster(address, None if address else _cores()):
        import ray
        import ray.data

        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield ray


def _cores() -> int:
    from linnet.hardware.probe import probe

    machine = probe()
    return max(1, machine.affinity or machine.cores or 1)


def _nodes(ray: Any) -> list[Node]:
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(int(has.get("CPU", 0)), int(has.get("memory", 0))) for has in alive]


@contextlib.contextmanager
def _desk(ray: Any, output: Path, **how: bool) -> Iterator[Any]:
    """The desk as an actor beside the driver, where the output is."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk = ray.remote(num_cpus=0, scheduling_strategy=here)(DeskActor).remote()
    with _translated(ray, desk):
        ray.get(desk.open.remote(output.resolve(), **how))
    try:
        yield desk
    finally:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(desk.close.remote())


class DeskActor(Desk):
    """A desk that opens when it is told to, so that what is wrong with the output comes back as it is; and that
    keeps the first thing that was wrong with a replica, which Ray would tell in its own words."""

    def __init__(self) -> None:
        self._fault: LinnetError | None = None

    def open(self, output: Path, **how: bool) -> None:
        super().__init__(output, **how)

    def fail(self, error: LinnetError) -> None:
        self._fault = self._fault or error

    def fault(self) -> LinnetError | None:
        return self._fault


@contextlib.contextmanager
def _translated(ray: Any, desk: Any) -> Iterator[None]:
    """What Ray raises, as the error that it carries, or that a replica had; else as the loss of the cluster."""
    try:
        yield
    except ray.exceptions.RayError as error:
        fault = _carried(error)
        with contextlib.suppress(ray.exceptions.RayError):
            fault = fault or ray.get(desk.fault.remote())
        hint = "See that the cluster is well, then go on with --resume."
        raise fault or WorkerCrashed(f"Ray: {_last_line(error)}", hint=hint) from error


def _carried(error: BaseException) -> LinnetError | None:
    cause = getattr(error, "cause", error)
    return cause if isinstance(cause, LinnetError) else None


def _last_line(error: BaseException) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


# --- the flow ------------------------------------------------------------------------------------


def _reading(ray: Any, requests: Path, parts: Sequence[Share]) -> Any:
    """The file as a dataset, a block for each share, read on the driver's machine when there is a place for it."""
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    class Requests(Datasource):  # type: ignore[misc]
        supports_distributed_reads = False

        def estimate_inmemory_data_size(self) -> int:
            return requests.stat().st_size

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
            return [ReadTask(_reader(requests, part), _size(part)) for part in parts]

    def _size(part: Share) -> Any:
        return BlockMetadata(num_rows=part.count, size_bytes=None, input_files=None, exec_stats=None)

    return ray.data.read_datasource(
        Requests(), override_num_blocks=max(1, len(parts)), num_cpus=0, concurrency=_READERS
    )


def _reader(requests: Path, part: Share) -> Callable[[], list[Any]]:
    return lambda: [_block(islice(lines.raw(requests, part.number, part.at), part.count))]


def _block(found: Iterator[lines.Line]) -> Any:
    import pyarrow as pa

    some = list(found)
    numbers = pa.array([line.number for line in some], pa.int64())
    return pa.table({"line": numbers, "body": pa.array([line.body for line in some], pa.large_binary())})


class Replica:
    """An agent in an actor: it is given shares of the file, one after the other, and `Desk` has the last word."""

    def __init__(self, plan: Plan, desk: Any) -> None:
        self._desk, self._at_once = _Asking(desk), plan.at_once
        with contextlib.suppress(OSError):  # another machine need not have it
            os.chdir(plan.folder)
        with self._desk.telling():
            export(plan.settings)
            if plan.settings.require_sandbox:
                sandbox.demand()  # what the command demanded of its own process holds for this one's children too
            files, names = sorted_out(*plan.named)
            self._agent = open_agent(plan.settings, files, names)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        """Every line of the share has its row when this returns."""
        share = [lines.asked(int(line), bytes(body)) for line, body in zip(batch["line"], batch["body"], strict=True)]
        attempt = uuid.uuid4().hex
        with self._desk.telling():
            wanted, again = self._desk("take", attempt, [replace(asked, text="") for asked in share])
            open_ = [asked for asked in share if asked.line in set(wanted)]
            self._one_by_one(attempt, open_) if again else self._run(attempt, open_)
        return {"ended": [len(share)]}

    def _one_by_one(self, attempt: str, some: Sequence[Asked]) -> None:
        for asked in some:
            if self._desk("alone", attempt, replace(asked, text="")):
                self._run(attempt, [asked])

    def _run(self, attempt: str, some: Sequence[Asked]) -> None:
        def watch(number: int, event: TurnEvent) -> None:
            asked = some[number]
            if isinstance(event, ToolCall):
                self._desk("begin", attempt, asked.key)
            elif isinstance(event, Result):
                row = {"id": asked.id, "line": asked.line, **event.describe()}
                self._desk("finish", attempt, asked.key, row)

        for _ in self._agent.run_many((asked.text for asked in some), at_once=self._at_once, watch=watch):
            pass


class _Asking:
    """The desk, asked from a replica, and waited for; it raises what the desk raised."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    def __call__(self, method: str, *arguments: Any) -> Any:
        import ray

        try:
            return ray.get(getattr(self._desk, method).remote(*arguments))
        except ray.exceptions.RayTaskError as error:
            raise _carried(error) or error from None

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Tell the desk what the block raises, before Ray does."""
        try:
            yield
        except LinnetError as error:
            self("fail", error)
            raise
