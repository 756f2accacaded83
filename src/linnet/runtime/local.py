"""LocalModel: the Model protocol over a worker process and a rendering child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from linnet.errors import Cancelled, EmptyRequest, OutOfMemory, SettingsInvalid
from linnet.hardware import budget, probe
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.models import store
from linnet.models.family import Family, detect
from linnet.models.gguf import Header, ModelFile, open_model, read_header
from linnet.protocol import Load
from linnet.requests import Capabilities, Count, Event, Generate, Prompt, Request, Segment, check_size
from linnet.runtime import sandbox
from linnet.runtime.renderer import Renderer
from linnet.runtime.supervisor import Supervisor

DEFAULT_CONTEXT = 4_096
"""Tokens, over all answers at once: what a small model's agent turns need; a trained context may be 32 times it."""


def open_local(
    name: str = "default",
    *,
    context: int | None = None,
    threads: int | None = None,
    require_sandbox: bool = False,
) -> LocalModel:
    """A known model or a .gguf file, found, checked and fitted to this machine; no process is started yet.

    `context` is in tokens (None: the trained one, at most 4,096). Raises a ModelError for a file that cannot
    be used, and OutOfMemory for a context that does not fit.
    """
    if context is not None and context < LIMITS.context_least:
        raise SettingsInvalid(f"a context of {context} tokens is under the least of {LIMITS.context_least}")
    located = store.locate(name)
    file = open_model(located.path)
    try:
        header = read_header(file.fileno())
        store.verify(located, file)
        family = detect(header)
        machine = probe.probe()
        wanted = context or min(family.context, DEFAULT_CONTEXT)
        _check_fit(header, wanted, machine.memory_available)
        counts = budget.threads(machine, probe.contention())
        confined = sandbox.for_model(required=require_sandbox)
        load = Load(
            context=wanted,
            decode_threads=threads or counts.decode,
            prefill_threads=threads or counts.prefill,
            sandbox=confined,
        )
        return LocalModel(located.name, load, file, family)
    except BaseException:
        file.close()
        raise


def _check_fit(header: Header, context: int, available: int | None) -> None:
    fit = budget.fit(header.file_size, kv_per_token(header), available, context)
    if not fit.fits:
        offer = f"Use --context {fit.context}." if fit.context else "Use a smaller model."
        raise OutOfMemory(fit.why, hint=offer, context=context, largest=fit.context)


def kv_per_token(header: Header) -> int:
    """Bytes of KV cache per token, from the header (F16); 0 where the header does not say."""

    def of(key: str) -> int:
        return header.integer(f"{header.architecture}.{key}") or 0

    heads = of("attention.head_count") or 1
    default = of("embedding_length") // heads
    kv_heads = of("attention.head_count_kv") or heads
    key, value = of("attention.key_length") or default, of("attention.value_length") or default
    return budget.kv_bytes(1, of("block_count"), kv_heads, key, value)


class LocalModel:
    """A model file served by processes of its own.

    `load` says what the worker is given, `file` is the open, verified model, which closes with this, and
    `family` how the model likes to be spoken to.
    """

    def __init__(self, name: str, load: Load, file: ModelFile, family: Family) -> None:
        self._name = name
        self._closed = False
        self._context = load.context
        self._file = file
        self.family = family
        self.supervisor = Supervisor(load, file.fileno())
        confined = sandbox.for_rendering(required=load.sandbox.required)
        self._renderer = Renderer(family.template, family.bos, family.eos, confined)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self._name, self._context)

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
        return self.supervisor.stream(self._rendered(request))

    def close(self) -> None:
        """End both children and let go of the file. Closing again does nothing."""
        self._closed = True
        self.supervisor.close()
        self._renderer.close()
        self._file.close()

    def _check(self, request: Request) -> None:
        texts = [part.content if isinstance(part, Message) else part.text for part in request.prompt]
        if not check_size(texts):
            raise EmptyRequest("the prompt holds no text")

    def _rendered(self, request: Request) -> Request:
        start = "" if isinstance(request, Count) else request.answer_start
        stops = (*request.stop, *self.family.stops) if isinstance(request, Generate) else ()
        messages = tuple(part for part in request.prompt if isinstance(part, Message))
        prompt: Prompt
        if messages:
            prompt = self._renderer.render(self.family.adapt(messages), start)
        else:
            given = tuple(part for part in request.prompt if isinstance(part, Segment))
            prompt = (*given, Segment(start, True)) if start else given
        match request:
            case Generate():
                return replace(request, prompt=prompt, answer_start="", stop=stops[: LIMITS.stops])
            case Count():
                return replace(request, prompt=prompt)
            case _:
                return replace(request, prompt=prompt, answer_start="")
