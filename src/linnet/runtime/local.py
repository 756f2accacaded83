"""LocalModel: the Model protocol over a worker process and a rendering child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from linnet.errors import EmptyRequest, RequestTooLarge
from linnet.limits import LIMITS, Sandbox
from linnet.messages import Message
from linnet.models.family import Family
from linnet.protocol import Load
from linnet.requests import Capabilities, Count, Event, Generate, Prompt, Request, Segment
from linnet.runtime.renderer import Renderer
from linnet.runtime.supervisor import Supervisor


class LocalModel:
    """A model file served by processes of its own.

    `load` says what the worker is given, `model_fd` is the open, verified file (it stays the caller's to
    close), and `family` how the model likes to be spoken to.
    """

    def __init__(self, name: str, load: Load, model_fd: int, family: Family, sandbox: Sandbox) -> None:
        self._name = name
        self._context = load.context
        self._family = family
        self.supervisor = Supervisor(load, model_fd)
        self._renderer = Renderer(family.template, family.bos, family.eos, sandbox)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self._name, self._context)

    def warm(self) -> None:
        """Start both children side by side, without waiting for either."""
        self.supervisor.warm()
        self._renderer.warm()

    def stream(self, request: Request) -> Iterator[Event]:
        """Events of one request. Raises what `linnet.errors` has for each way to fail."""
        self._check(request)
        self.supervisor.warm()
        return self.supervisor.stream(self._rendered(request))

    def close(self) -> None:
        self.supervisor.close()
        self._renderer.close()

    def _check(self, request: Request) -> None:
        texts = [part.content if isinstance(part, Message) else part.text for part in request.prompt]
        size = sum(len(text.encode(errors="surrogatepass")) for text in texts)
        if not size:
            raise EmptyRequest("the prompt holds no text")
        if size > LIMITS.request_bytes:
            raise RequestTooLarge(
                f"the request is {size} bytes; the limit is {LIMITS.request_bytes}", size=size, limit=LIMITS.request_bytes
            )

    def _rendered(self, request: Request) -> Request:
        start = "" if isinstance(request, Count) else request.answer_start
        stops = (*request.stop, *self._family.stops) if isinstance(request, Generate) else ()
        messages = tuple(part for part in request.prompt if isinstance(part, Message))
        prompt: Prompt
        if messages:
            prompt = self._renderer.render(self._family.adapt(messages), start)
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
