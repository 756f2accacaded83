"""LocalModel: the Model protocol over a worker process and a rendering child."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from linnet.errors import Cancelled, EmptyRequest, OutOfMemory, RequestError
from linnet.hardware import budget, probe
from linnet.hardware.accelerators import degraded
from linnet.hardware.probe import Machine
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.models import store
from linnet.models.configuration import DEFAULT_CONTEXT as DEFAULT_CONTEXT
from linnet.models.configuration import Configuration, configure, layers
from linnet.models.family import Family
from linnet.models.gguf import Header, ModelFile, open_model
from linnet.models.integrity import checked_header
from linnet.models.shape import shape_of
from linnet.protocol import Load
from linnet.requests import Capabilities, Count, Done, Event, Generate, Prompt, Request, Segment, check_size
from linnet.runtime import sandbox
from linnet.runtime.renderer import Renderer
from linnet.runtime.supervisor import Supervisor
from linnet.settings import ModelSettings


def open_local(
    name: str = "default",
    *,
    context: int | None = None,
    threads: int | None = None,
    require_sandbox: bool = False,
    models: Mapping[str, ModelSettings] | None = None,
) -> LocalModel:
    """A known model or a .gguf file, found, checked and fitted to this machine; no process is started yet.

    `context` is in tokens (None: the trained one, at most 4,096); `models` are settings of single models, by name.
    Raises a ModelError for a file that cannot be used, SettingsInvalid for what cannot be set for it, and
    OutOfMemory for a context that does not fit.
    """
    located = store.locate(name)
    file = open_model(located.path)
    try:
        header = checked_header(file)
        store.verify(located, file)
        configuration = configure(header, layers(name, located, context, models))
        machine = probe.probe()
        _check_fit(header, configuration.context, machine)
        counts = budget.threads(machine, probe.contention())
        confined = sandbox.for_model(required=require_sandbox)
        load = Load(
            context=configuration.context,
            decode_threads=threads or counts.decode,
            prefill_threads=threads or counts.prefill,
            sandbox=confined,
        )
        return LocalModel(located.name, load, file, configuration, degraded(machine))
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
    """

    def __init__(
        self, name: str, load: Load, file: ModelFile, configuration: Configuration, degraded: tuple[str, ...] = ()
    ) -> None:
        self._name = name
        self._degraded = degraded
        self._closed = False
        self._context = load.context
        self._file = file
        self.configuration = configuration
        self.supervisor = Supervisor(load, file.fileno())
        confined = sandbox.for_rendering(required=load.sandbox.required)
        self._renderer = Renderer(self.family.template, self.family.bos, self.family.eos, confined)

    @property
    def family(self) -> Family:
        return self.configuration.family

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self._name, self._context)

    def fingerprint(self) -> str:
        """SHA-256 of the model's file: hashed once, and remembered until the file changes."""
        return store.fingerprint(self._file)

    def warm(self) -> None:
        """Start both children side by side, without waiting for either."""
        self.supervisor.warm()
        self._renderer.warm()

    def stream(self, request: Request) -> Iterator[Event]:
        """Events of one request. Raises what `linnet.errors` has for each way to fail."""
        if self._closed:
            raise Cancelled("the model is closed", hint="Open it again.")
        self._check(request)
        self.supervisor.warm()
        rendered, notes = self._rendered(request)
        notes = (*self._degraded, *notes)
        events = self.supervisor.stream(rendered)
        return _noted(events, notes) if notes else events

    def close(self) -> None:
        """End both children and let go of the file. Closing again does nothing."""
        self._closed = True
        self.supervisor.close()
        self._renderer.close()
        self._file.close()

    def _check(self, request: Request) -> None:
        texts = [part.content if isinstance(part, Message) else part.text for part in request.prompt]
        beside = [part for part in request.prompt if isinstance(part, Message) and (part.calls or part.reasoning)]
        told = [*beside, *request.tools, *([request.template_options] if request.template_options else [])]
        if not check_size([*texts, *(to_json(part).decode() for part in told)]):
            raise EmptyRequest("the prompt holds no text")

    def _rendered(self, request: Request) -> tuple[Request, tuple[str, ...]]:
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
            )
            prompt, notes = made.segments, made.notes
        elif request.tools or request.template_options or request.continues:
            raise RequestError("tools, template options and `continues` need messages, not a rendered prompt")
        else:
            given = tuple(part for part in request.prompt if isinstance(part, Segment))
            prompt = (*given, Segment(start, True)) if start else given
        plain: dict[str, Any] = {"prompt": prompt, "tools": (), "template_options": {}, "continues": False}
        match request:
            case Generate():
                stops = (*request.stop, *self.family.stops)
                return replace(request, **plain, answer_start="", stop=stops[: LIMITS.stops]), notes
            case Count():
                return replace(request, **plain), notes
            case _:
                return replace(request, **plain, answer_start=""), notes


def _noted(events: Iterator[Event], notes: tuple[str, ...]) -> Iterator[Event]:
    for event in events:
        yield replace(event, degraded=(*notes, *event.degraded)) if isinstance(event, Done) else event
