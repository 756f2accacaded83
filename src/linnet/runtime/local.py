"""LocalModel: the Model protocol over a worker process and a rendering child."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from threading import Event as Flag
from typing import Any, cast

from pydantic_core import to_json

from linnet.errors import Cancelled, EmptyRequest, KindUnsupported, OutOfMemory, RequestError
from linnet.hardware import budget, governor, probe
from linnet.hardware.accelerators import degraded
from linnet.hardware.footprint import footprint
from linnet.hardware.probe import Machine
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.models import adapters, embedding, naming, store
from linnet.models.configuration import DEFAULT_CONTEXT as DEFAULT_CONTEXT
from linnet.models.configuration import Configuration, configure, layers
from linnet.models.family import Family
from linnet.models.gguf import Header, ModelFile, open_model, read_header
from linnet.models.integrity import checked_header
from linnet.models.shape import shape_of
from linnet.protocol import CacheType, Load
from linnet.requests import (
    Begun,
    Capabilities,
    Count,
    Done,
    Embed,
    Event,
    Generate,
    Prompt,
    Prompted,
    Request,
    Segment,
    Spell,
    check_size,
)
from linnet.runtime import governed, sandbox
from linnet.runtime.adapters import Adapters
from linnet.runtime.health import Health, Prober
from linnet.runtime.pool.residency import Need
from linnet.runtime.renderer import RENDERER_BYTES, Renderer
from linnet.runtime.snapshots import Snapshots
from linnet.runtime.stand_in import StandIn, stand_in, wanted
from linnet.runtime.stream import Stream
from linnet.runtime.supervisor import Supervisor
from linnet.settings import ModelSettings, WhichEncoding


def open_local(
    name: str = "default",
    *,
    context: int | None = None,
    threads: int | None = None,
    require_sandbox: bool = False,
    models: Mapping[str, ModelSettings] | None = None,
    encoding: WhichEncoding = "auto",
    snapshots: bool = False,
    fitted: bool = True,
    usable: int | None = None,
) -> LocalModel:
    """A known model or a .gguf file, found, checked and fitted to this machine; no process is started yet.

    Behind a `+` the name may have an adapter: `default+home`, `default+./home.gguf`.
    `context` is in tokens (None: the trained one, at most 4,096); `models` are settings of single models, by name.
    `encoding` says whether weights that were encoded for this machine may be loaded in place of the file's own.
    With `snapshots` computed beginnings of prompts are kept on disk, and read again by the next process.
    Raises a ModelError for a file that cannot be used, SettingsInvalid for what cannot be set for it, and
    OutOfMemory for a context that does not fit. With `fitted` false it is the caller who sees to it that it fits.
    `usable` are the bytes that both processes may take (None: what the machine has); weights that were encoded for
    this machine are passed over where they take more.
    """
    name, adapter = naming.split_adapter(name)
    located = store.locate(name)
    file = open_model(located.path)
    try:
        header = checked_header(file)
        store.verify(located, file)
        configuration = configure(header, layers(name, located, context, models))
        machine = probe.probe()
        instead, note = None, ""
        if wanted(name, located, models, encoding) == "auto":
            beside = None if usable is None else usable - RENDERER_BYTES
            instead, note = stand_in(located, file, configuration.context, machine, usable=beside)
        if instead is not None:
            file.close()
            file = instead.file
        elif fitted:
            _check_fit(header, configuration.context, machine)
        notes = (*degraded(machine), *([note] if note else []))
        counts = governor.Threads(threads, threads) if threads else governor.threads(machine, probe.contention())
        most = max(counts.decode, counts.prefill, machine.affinity or machine.cores or 1)
        shape = shape_of(header if instead is None else read_header(file.fileno()), machine.features or ())
        memory = sandbox.memory_of(footprint(shape, configuration.context), most)
        confined = sandbox.for_model(memory, required=require_sandbox)
        load = Load(
            context=configuration.context,
            decode_threads=counts.decode,
            prefill_threads=counts.prefill,
            sandbox=confined,
            pooling=embedding.pooling_of(header, located.sha256 or store.recognised(file)),
            mapped=shape.mapped,
            cache=cast(CacheType, shape.cache),
        )
        shared = None if threads else governed.SHARED
        kept = Snapshots(store.recognised(file)) if snapshots else None
        model = LocalModel(located.name, load, file, configuration, notes, instead, shared, kept)
        return model.with_adapter(adapter) if adapter else model
    except BaseException:
        file.close()
        raise


def _check_fit(header: Header, context: int, machine: Machine) -> None:
    fit = budget.plan(shape_of(header, machine.features or ()), machine.memory_available, context)
    if not fit.fits:
        offer = f"Use --context {fit.context}." if fit.context else "Use a smaller model, or a smaller quantisation."
        raise OutOfMemory(
            fit.why,
            hint=offer,
            context=context,
            largest=fit.context,
            needed_bytes=fit.worker_bytes,
            by_cache=dict(fit.by_cache),
        )


class LocalModel:
    """A model file served by processes of its own.

    `load` says what the worker is given, `file` is the open, verified model, which closes with this,
    `configuration` how the model likes to be spoken to, and `degraded` what every answer is to tell of this machine.
    `instead` is there where `file` stands in for the one that was named. `shared` decides on threads while it lives,
    and `snapshots` keeps what it computes of prompts.
    """

    def __init__(
        self,
        name: str,
        load: Load,
        file: ModelFile,
        configuration: Configuration,
        degraded: tuple[str, ...] = (),
        instead: StandIn | None = None,
        shared: governed.Governed | None = None,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._name = name
        self._adapter = ""  # as its worker knows it
        self._adapters = Adapters(file)
        self._degraded = degraded
        self._closed = Flag()
        self._context, self._pooling = load.context, load.pooling
        self._file = file
        self._instead = instead
        self.configuration = configuration
        self.supervisor = Supervisor(load, file.fileno(), shared, snapshots)
        self._prober = Prober(
            self.supervisor.health, self.supervisor.stream, not (load.pooling and load.pooling.only)
        )
        confined = sandbox.for_rendering(required=load.sandbox.required)
        self._renderer = Renderer(self.family.template, self.family.bos, self.family.eos, confined)

    @property
    def family(self) -> Family:
        return self.configuration.family

    @property
    def capabilities(self) -> Capabilities:
        encoding = self._instead.label if self._instead else ""
        pooling = None if self._adapter else self._pooling  # an adapter changes the states that it was fitted to
        embeds = embedding.embeds(pooling) if pooling else None
        answers = not (pooling and pooling.only)
        return Capabilities(
            self._name,
            self._context,
            encoding=encoding,
            infill=self.family.infill,
            constraints=answers,
            scores=answers,
            answers=answers,
            embeds=embeds,
        )

    def fingerprint(self) -> str:
        """SHA-256 of the file that is loaded: hashed once, and remembered until the file changes.

        With an adapter it is that of both digests.
        """
        return self._with_adapter(store.fingerprint(self._file))

    def original(self) -> str:
        """SHA-256 of the file that was named, under which profiles are kept: that of the loaded one, unless an
        encoding of it stands in."""
        return self._with_adapter(self._instead.original) if self._instead else self.fingerprint()

    def _with_adapter(self, digest: str) -> str:
        return adapters.fingerprint(digest, self._adapter) if self._adapter else digest

    def with_adapter(self, text: str) -> LocalModel:
        """This model with an adapter, by the name of a stored one or a path: in the same processes, closed together.

        Raises a ModelError for a file that is no adapter of this model.
        """
        adapter = self._adapters.add(text)
        self.supervisor.adapt(adapter)
        adapted = copy(self)
        adapted._name, adapted._adapter = f"{self._name}+{self._adapters.label(adapter.name)}", adapter.name
        return adapted

    @property
    def identity(self) -> str:
        """The same for LocalModels of one file that are spoken to in one way: they could share their processes."""
        status = os.fstat(self._file.fileno())
        return f"{status.st_dev}:{status.st_ino}:{self._spoken()}"

    def answers_as(self) -> str:
        """The same for LocalModels that give the same answers: by their weights, and how they are spoken to."""
        return f"{self.fingerprint()}:{self._spoken()}"

    def _spoken(self) -> str:
        spoken = replace(self.configuration, origins={}, family=replace(self.family, origins={}))
        return hashlib.sha256(repr(spoken).encode()).hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What every answer tells of this machine, in its `degraded`: known in full once the children run."""
        ready = self.supervisor.ready
        return (*self._degraded, *sandbox.note((*(ready.missing if ready else ()), *self._renderer.missing)))

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run for it."""
        return tuple(pid for pid in (self.supervisor.pid, self._renderer.pid) if pid is not None)

    @property
    def cache_bytes(self) -> int:
        """What `release_caches` gives back."""
        return RENDERER_BYTES

    def needs(self) -> tuple[Need, ...]:
        """What its processes take with the configured context and with smaller ones, the largest first."""
        shape = shape_of(read_header(self._file.fileno()), probe.probe().features or ())
        contexts = budget.contexts(self.configuration.context)
        beside = self.cache_bytes + self._adapters.bytes
        return tuple(Need(each, footprint(shape, each).needed + beside) for each in contexts)

    def use_context(self, context: int) -> None:
        """Give the next worker so many tokens of context in place of the configured ones."""
        self._context = context
        self.supervisor.use_context(context)

    def release_caches(self) -> None:
        """End the rendering child. The next conversation starts another one."""
        self._renderer.close()

    def warm(self) -> None:
        """Start both children side by side, without waiting for either."""
        self.supervisor.warm()
        self._renderer.warm()

    def stream(self, request: Request, begun: Begun | None = None) -> Iterator[Event]:
        """Events of one request; of an answer that was `begun` elsewhere, those behind what was sent of it. Raises
        what `linnet.errors` has for each way to fail."""
        if self._closed.is_set():
            raise Cancelled("the model is closed", hint="Open it again.")
        if isinstance(request, Embed):
            return self._embedded(request)
        if isinstance(request, Spell):
            check_size((request.text,))
            return _Noted(self.supervisor.stream(request), lambda: self.notes)
        since = time.monotonic()
        self._check(request)
        self.supervisor.warm()
        rendered, notes = self._rendered(request)
        return _Noted(self.supervisor.stream(rendered, self._adapter, begun, since), lambda: (*self.notes, *notes))

    def _embedded(self, request: Embed) -> Iterator[Event]:
        can = self.capabilities
        if can.embeds is None:
            hint = (
                "Use an embedding model, or the default one." if not self._adapter else "Use it without the adapter."
            )
            raise KindUnsupported(f"{can.name} does not embed texts", hint=hint)
        check_size(request.texts)
        return _Noted(self.supervisor.stream(request), lambda: self.notes)

    def health(self, *, probe: bool = False) -> Health:
        """How its worker is: `ready` is true only where a token was produced within the last
        `LIMITS.health_seconds`, or on the probe. Without `probe` this waits for nobody and starts nothing."""
        return self._prober.probed() if probe else self.supervisor.health()

    def close(self) -> None:
        """End both children and let go of the file. Closing again does nothing."""
        self._closed.set()
        self.supervisor.close()
        self._renderer.close()
        self._adapters.close()
        self._file.close()

    def _check(self, request: Prompted) -> None:
        texts = [part.content if isinstance(part, Message) else part.text for part in request.prompt]
        beside = [part for part in request.prompt if isinstance(part, Message) and (part.calls or part.reasoning)]
        told = [*beside, *request.tools, *([request.template_options] if request.template_options else [])]
        if not check_size([*texts, *(to_json(part).decode() for part in told)]):
            raise EmptyRequest("the prompt holds no text")

    def _rendered(self, request: Prompted) -> tuple[Prompted, tuple[str, ...]]:
        """The request with its prompt in segments, and what the chat template could not say."""
        start = "" if isinstance(request, Count) else request.answer_start
        messages = tuple(part for part in request.prompt if isinstance(part, Message))
        notes: tuple[str, ...] = ()
        prompt: Prompt
        if messages:
            made = self._renderer.render(
                self.family.adapt(messages),
                start,
                tools=request.tools,
                options={**self.configuration.options, **request.template_options},
                continues=request.continues,
                deadline=request.deadline,
            )
            prompt, notes = made.segments, made.notes
        elif request.tools or request.template_options or request.continues:
            raise RequestError("tools, template options and `continues` need messages, not a rendered prompt")
        else:
            given = tuple(part for part in request.prompt if isinstance(part, Segment))
            prompt = (*given, Segment(start, True)) if start else given
        stable = _stable(prompt, messages) if messages else getattr(request, "stable", 0)
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        match request:
            case Generate():
                stops = (*request.stop, *self.family.stops)
                return replace(request, **plain, answer_start="", stop=stops[: LIMITS.stops], stable=stable), notes
            case Count():
                return replace(request, **plain), notes
            case _:
                return replace(request, **plain, answer_start="", stable=stable), notes


def _stable(prompt: Prompt, messages: Sequence[Message]) -> int:
    """The segments of a rendered prompt before the first user's text: system message, tools, and what is around."""
    said = next((message.content.strip() for message in messages if message.role == "user"), "")
    texts = ["" if segment.trusted else segment.text for segment in prompt]
    alone = (i for i, text in enumerate(texts) if said and text.strip() == said)
    within = (i for i, text in enumerate(texts) if said and said in text)
    return next(alone, next(within, 0))


class _Noted:
    """Events whose last one tells these notes too, as they are then."""

    def __init__(self, events: Stream, notes: Callable[[], tuple[str, ...]]) -> None:
        self._events, self._notes = events, notes
        self.close = events.close

    def __iter__(self) -> _Noted:
        return self

    def __next__(self) -> Event:
        event = next(self._events)
        return replace(event, degraded=(*self._notes(), *event.degraded)) if isinstance(event, Done) else event
