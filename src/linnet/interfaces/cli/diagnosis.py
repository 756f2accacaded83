"""What is found when this installation is looked at: facts by subject, and findings with advice.

Hides the order in which things are tried (the machine before a worker makes it busy), and that one broken
part must not keep the others from being seen.
"""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from linnet import __version__
from linnet.errors import LinnetError
from linnet.hardware import accelerators, budget, governor, probe
from linnet.hardware.footprint import footprint
from linnet.hardware.probe import Machine, Measurement
from linnet.interfaces.cli import options
from linnet.settings import REMOTE, Settings

if TYPE_CHECKING:
    from linnet.models.family import Family
    from linnet.models.gguf import Header

Facts = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """`told` is what was seen, `advice` what to do about it, empty where all is well."""

    level: Literal["ok", "warning", "problem"]
    about: str
    told: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Facts have plain JSON values; those of a part that could not be looked at are empty."""

    versions: Facts
    machine: Facts
    model: Facts
    engine: Facts
    prospects: tuple[Facts, ...]
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.level != "problem" for finding in self.findings)

    def describe(self) -> Facts:
        """The one JSON form."""
        return {**asdict(self), "healthy": self.healthy}


def diagnose(model: str | None = None) -> Diagnosis:
    """Look at everything: takes a few seconds, in which a real worker runs. Raises no LinnetError."""
    findings: list[Finding] = []
    versions = _versions(findings)
    settings = _settings(model, findings)
    machine = probe.probe()
    machine = replace(machine, gpus=accelerators.ask_nvidia(machine.gpus))
    measured = _machine(machine, findings)
    known: Facts = {}
    engine: Facts = {}
    findings += _servers(settings)
    try:
        if settings.model == REMOTE:  # no file, and no worker, of this machine
            return Diagnosis(versions, measured, known, engine, (), (*findings, _programs()))
        known = _model(settings, machine, findings)
        engine = _engine(settings, findings)
    except LinnetError as error:
        findings.append(Finding("problem", "engine" if known else "model", error.message, error.hint))
    findings.append(_programs())
    _keep(machine, measured, engine, findings)
    return Diagnosis(versions, measured, known, engine, _prospects(machine, measured, known, engine), tuple(findings))


# --- the installation ----------------------------------------------------------------------------


def _versions(findings: list[Finding]) -> Facts:
    versions: Facts = {"linnet": __version__, "python": platform.python_version()}
    for package in ("llama-cpp-python", "llguidance"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
            findings.append(Finding("problem", package, "not installed", f"Run: pip install {package}"))
    return versions


def _settings(model: str | None, findings: list[Finding]) -> Settings:
    try:
        return options.settings(model=model)
    except LinnetError as error:
        findings.append(Finding("problem", "settings", error.message, error.hint))
        return Settings(model=model or "default")


# --- the machine ---------------------------------------------------------------------------------


def _machine(machine: Machine, findings: list[Finding]) -> Facts:
    busy = probe.contention(0.2)
    fallbacks = list(accelerators.fallbacks(machine, accelerators.build()))
    findings += [Finding("warning", "quirk", quirk.name, quirk.advice) for quirk in (*machine.quirks, *fallbacks)]
    findings += _isolation(machine)
    cores = machine.affinity or machine.cores or 1
    if busy is not None and busy >= max(0.5, cores / 4):
        told = f"other programs keep {busy:.1f} of {cores} cores busy"
        findings.append(Finding("warning", "load", told, "Answers and measurements are slow until they end."))
    facts = asdict(machine)
    facts["quirks"] = [quirk.name for quirk in (*machine.quirks, *fallbacks)]
    bandwidth = probe.bandwidth() or probe.bandwidth()
    threads = {**asdict(governor.threads(machine, busy)), "why": governor.why(machine, busy)}
    return {**facts, "bandwidth": bandwidth, "busy": busy, "threads": threads}


def _isolation(machine: Machine) -> list[Finding]:
    """What lacks is told as a quirk already."""
    if machine.tier != "linux" or not machine.landlock or not machine.seccomp:
        return []
    return [Finding("ok", "platform", f"Linux with Landlock (version {machine.landlock}) and seccomp")]


def _keep(machine: Machine, measured: Facts, engine: Facts, findings: list[Finding]) -> None:
    """What could not be measured now does not replace what was measured before."""
    from linnet.storage import cache_folder

    before = probe.recall(machine) or Measurement()
    bandwidth = measured["bandwidth"] or before.bandwidth
    decode = engine.get("tokens_per_second") or before.decode
    if not probe.remember(machine, Measurement(bandwidth, decode, before.prefill)):
        told = f"measurements cannot be kept in {cache_folder()}"
        findings.append(Finding("warning", "cache", told, "Set LINNET_CACHE to a folder that can be written."))


def _prospects(machine: Machine, measured: Facts, known: Facts, engine: Facts) -> tuple[Facts, ...]:
    """What would fit, at the share of the memory's speed with which the model here decoded just now."""
    from linnet.hardware.prospects import prospects

    bandwidth, speed = measured["bandwidth"], engine.get("tokens_per_second")
    share = min(1.0, speed * known["read_bytes"] / (bandwidth * 1e9)) if bandwidth and speed else None
    return tuple(asdict(prospect) for prospect in prospects(machine, bandwidth, share))


# --- the model -----------------------------------------------------------------------------------


def _model(settings: Settings, machine: Machine, findings: list[Finding]) -> Facts:
    from linnet.models import gguf, naming, store
    from linnet.models.configuration import configure, layers
    from linnet.models.integrity import checked_header
    from linnet.models.shape import shape_of

    name, adapter = naming.split_adapter(settings.model)
    located = store.locate(name)
    with gguf.open_model(located.path) as file:
        header = checked_header(file)
        digest = store.verify(located, file)
    if adapter:
        findings.append(_adapter(adapter, header))
    configuration = configure(header, layers(name, located, settings.context, settings.models))
    spoken, wanted = configuration.family, configuration.context
    shape = shape_of(header, machine.features or ())
    parts = footprint(shape, wanted)
    fit = budget.plan(shape, machine.memory_available, wanted)
    seen = "its bytes are those of the catalogue" if digest else "a file of your own, its header is sound"
    findings.append(Finding("ok", "model", f"{located.name}: {seen}"))
    findings += [*_family(spoken, wanted), _memory(fit)]
    return {
        "name": located.name,
        "path": str(located.path),
        "bytes": header.file_size,
        "sha256": digest,
        "architecture": header.architecture,
        "family": spoken.name,
        "detected": list(spoken.detected),
        "trained_context": spoken.context,
        "context": wanted,
        "memory": parts.describe(),
        "needed_bytes": parts.needed,
        "fits": fit.fits,
        "largest_context": fit.context,
        "largest_by_cache": dict(fit.by_cache),
        "gpu_layers": [budget.gpu_layers(shape, one.memory, wanted) for one in machine.gpus if one.memory],
        "read_bytes": shape.weights - shape.idle + shape.copied,
    }


def _adapter(text: str, header: Header) -> Finding:
    from linnet.models import adapters, gguf, store

    located = store.locate_adapter(text)
    with gguf.open_model(located.path) as file:
        changed = adapters.checked(file, header)
        store.verify(located, file)
    told = f"{located.name}: rank {changed.rank}, changes {len(changed.tensors)} matrices of this model"
    return Finding("ok", "adapter", told)


def _family(spoken: Family, wanted: int) -> list[Finding]:
    found = []
    if spoken.name == "unknown":
        advice = "Answers may be poor: use a file that carries its own chat template."
        found.append(Finding("warning", "family", "not known from the header", advice))
    if wanted > spoken.context:
        told = f"{wanted} tokens are set, the model was trained for {spoken.context}"
        found.append(Finding("warning", "context", told, "Lower the setting `context`."))
    return found


def _memory(fit: budget.Fit) -> Finding:
    if fit.fits:
        return Finding("ok", "memory", fit.why)
    advice = f"Set `context` to {fit.context}." if fit.context else "Use a smaller model, or free memory."
    return Finding("problem", "memory", fit.why, advice)


def _engine(settings: Settings, findings: list[Finding]) -> Facts:
    from linnet.app import check_engine

    engine = check_engine(settings)
    speed = f"{engine['tokens_per_second']} tokens/s, first answer after {engine['start_seconds']} s"
    findings.append(Finding("ok", "engine", speed))
    ready = engine["ready"] or {}
    enforced, missing = ready.get("sandbox", ()), ready.get("missing", ())
    if missing:
        told = f"not enforced: {', '.join(missing)}"
        findings.append(Finding("warning", "sandbox", told, "Use model files that you trust."))
    else:
        findings.append(Finding("ok", "sandbox", f"enforced: {', '.join(enforced) or 'nothing'}"))
    return engine


def _servers(settings: Settings) -> list[Finding]:
    """Each of the settings' servers, where requests may go to them."""
    if not (settings.allow_remote or settings.model == REMOTE):
        return []
    from linnet.app import look_at_servers

    try:
        looked = look_at_servers(settings)
    except LinnetError as error:
        return [Finding("problem", "servers", error.message, error.hint)]
    return [
        Finding("ok", "server", f"{one['server']} is well, {1e3 * one['seconds']:.0f} ms")
        if one["error"] is None
        else Finding("warning", "server", f"{one['server']}: {one['error']['message']}", one["error"]["hint"])
        for one in looked
    ]


def _programs() -> Finding:
    """Whether tools may run programs here: one that does nothing is run."""
    from linnet.runtime.programs import run_program

    try:
        enforced = run_program(["true"]).enforced
    except LinnetError as error:
        return Finding("warning", "programs", error.message, error.hint)
    where = "in namespaces of their own" if "namespaces" in enforced else "in one process group, without namespaces"
    return Finding("ok", "programs", f"those that tools run are kept in, {where}")
