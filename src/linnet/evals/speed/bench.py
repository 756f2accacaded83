"""One run of the benchmark: opens what is measured, goes through the cases, and says what the machine was like."""

from __future__ import annotations

import contextlib
import datetime
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from linnet import __version__
from linnet.errors import ContextOverflow, RequestError
from linnet.evals.speed.cases import CASES, Plan, Stand, warm_up
from linnet.evals.speed.measure import Measure, NotMeasured
from linnet.hardware import governor, probe
from linnet.hardware.footprint import footprint
from linnet.hardware.machine import Machine
from linnet.models import naming, store
from linnet.models.encodings import Encodings
from linnet.models.gguf import open_model
from linnet.models.integrity import checked_header
from linnet.models.shape import shape_of
from linnet.requests import Usage
from linnet.runtime.local import LocalModel, open_local
from linnet.runtime.rawloop import RawLoop
from linnet.settings import ModelSettings, WhichEncoding

DISTURBED = 0.25
"""Cores' worth of other work, between two cases, from which on a run is called disturbed."""

_LOOK = 0.2
"""Seconds for which others are watched between two cases, with our children idle."""


@dataclass
class Report:
    """What came of a run, also of one that was broken off: `measures` and `skipped` fill while it goes on.

    `others` are cores' worth of work that others did, looked at between the cases.
    """

    model: dict[str, Any]
    machine: Machine
    quick: bool = False
    measures: list[Measure] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    others: list[float] = field(default_factory=list)
    load_after: tuple[float, float, float] | None = None
    seconds: float = 0.0

    @property
    def disturbed(self) -> bool:
        """Whether others used the machine so much that the numbers say little."""
        return max(self.others, default=0.0) >= DISTURBED

    @property
    def usage(self) -> Usage:
        return sum((measure.usage for measure in self.measures), Usage())

    def describe(self) -> dict[str, Any]:
        """The one JSON form."""
        facts = ("cpu", "architecture", "tier", "kernel", "cores", "physical_cores", "affinity", "quota", "memory")
        machine = {name: getattr(self.machine, name) for name in facts}
        machine |= {"features": list(self.machine.features or ())}
        machine |= {"load_before": self.machine.load, "load_after": self.load_after}
        return {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "machine": machine,
            "model": self.model,
            "quick": self.quick,
            "disturbed": self.disturbed,
            "others": [round(busy, 2) for busy in self.others],
            "measures": [measure.describe() for measure in self.measures],
            "skipped": self.skipped,
            "usage": asdict(self.usage),
            "seconds": round(self.seconds, 1),
        }


def versions() -> dict[str, str]:
    packages = {name: metadata.version(name) for name in ("llama-cpp-python", "llguidance")}
    return {"linnet": __version__, "python": platform.python_version(), **packages}


@contextlib.contextmanager
def opened(
    name: str,
    plan: Plan,
    *,
    context: int | None = None,
    threads: int | None = None,
    models: Mapping[str, ModelSettings] | None = None,
    encoding: WhichEncoding = "auto",
) -> Iterator[tuple[Stand, Report]]:
    """The model and the plain loops over the file that it has loaded, warmed up, with as many threads.

    Raises RequestError for a model with an adapter, and what `open_local` and `RawLoop` raise.
    """
    if naming.split_adapter(name)[1]:
        raise RequestError("the plain loops know no adapters", hint="Measure the model without one.")
    machine = probe.probe()
    threads = threads or governor.threads(machine, probe.contention()).decode
    with contextlib.ExitStack() as stack:
        model = open_local(name, context=context, threads=threads, models=models, encoding=encoding)
        stack.callback(model.close)
        file = stack.enter_context(open_model(_loaded(name, model)))
        header = checked_header(file)
        cells = model.capabilities.context
        raw = stack.enter_context(RawLoop(file, context=cells, threads=threads))
        predicted = footprint(shape_of(header, machine.features or ()), cells)
        stand = Stand(model, raw, plan, predicted)
        warm_up(stand)
        told: dict[str, Any] = {"name": model.capabilities.name, "encoding": model.capabilities.encoding}
        told |= {"sha256": model.fingerprint(), "context": cells, "threads": threads}
        yield stand, Report(told, machine)


def _loaded(name: str, model: LocalModel) -> Path:
    """The file that a model's worker has: the one that was named, or an encoding that stands in for it."""
    stands_in = model.fingerprint() != model.original()
    return Encodings().blob(model.fingerprint()) if stands_in else store.locate(name).path


def measure(stand: Stand, report: Report) -> Iterator[str]:
    """Goes through the cases; yields the name of each when it is done. What cannot be measured is told."""
    started = time.monotonic()
    for name, case in CASES.items():
        _look(report)
        try:
            for one in case(stand):
                report.measures.append(one)
        except (NotMeasured, ContextOverflow) as why:
            report.skipped[name] = str(why)
        yield name
    _look(report)
    report.load_after = probe.probe().load
    report.seconds = time.monotonic() - started


def _look(report: Report) -> None:
    busy = probe.contention(_LOOK)
    if busy is not None:
        report.others.append(busy)
