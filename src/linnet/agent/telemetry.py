"""Telemetry: a turn as OpenTelemetry spans, by the semantic conventions for generative AI (as of v0.1.0 of
open-telemetry/semantic-conventions-genai, status "development").

Hides OpenTelemetry's API: it is imported when an agent is asked for spans, and not before. `invoke_agent` is open
while the turn runs and `execute_tool` while a tool does, so that spans of others hang where they belong; all else
is written at the end, out of the turn's trace, with its own times. Without `texts` no span holds a word that a
user, a model or a tool said: tools and models are told by name, errors by code.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from linnet.agent.question import Question
from linnet.agent.result import Result
from linnet.agent.trace import Node, Trace, trace
from linnet.errors import LinnetError, SettingsInvalid
from linnet.messages import Step, ToolCall, ToolResult
from linnet.requests import Usage

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from linnet.agent.events import TurnEvent, Watch
    from linnet.agent.within import Within

E = TypeVar("E")

PROVIDER = "linnet"

_OPERATIONS = {"chat": "chat", "continue": "text_completion", "embed": "embeddings", "score": "score"}
"""`gen_ai.operation.name` by kind of question; the conventions have none for likelihoods of given texts."""

Attributes = dict[str, Any]


class Telemetry:
    """Where the spans of an agent go: to `provider`, or the global one that OpenTelemetry has.

    Raises SettingsInvalid where OpenTelemetry is not installed. `name` is that of the agent.
    """

    def __init__(self, *, texts: bool = False, name: str = "linnet", provider: TracerProvider | None = None) -> None:
        try:
            from opentelemetry import trace as api
        except ImportError as error:
            hint = "Install it: pip install 'linnet[otel]'."
            raise SettingsInvalid("spans need opentelemetry-api, which is not installed", hint=hint) from error
        from linnet import __version__

        self._tracer = api.get_tracer("linnet", __version__, tracer_provider=provider)
        self._texts, self._name = texts, name

    def record(self, text: str, within: Within, watch: Watch, run: Callable[[Watch], Result]) -> Result:
        """A turn, from before its first step: `run` is given a watch in place of `watch`, which is told all the same.
        What `run` raises is raised on."""
        from opentelemetry.trace import SpanKind

        asked = {"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": PROVIDER}
        asked |= {"gen_ai.agent.name": self._name, "gen_ai.request.model": within.capabilities.name}
        if self._texts:
            asked["gen_ai.input.messages"] = _message("user", text)
        with self._tracer.start_as_current_span(
            f"invoke_agent {self._name}",
            kind=SpanKind.INTERNAL,
            attributes=asked,
            record_exception=False,  # its text may be the user's
            set_status_on_exception=False,
        ) as span:
            recorder = Recorder(self._tracer, span, within, self._texts)

            def seen(event: TurnEvent) -> None:
                recorder.event(event)
                watch(event)

            try:
                result = run(seen)
            except BaseException as error:
                recorder.failed(error)
                raise
            recorder.result(result)
            return result

    def served(self, within: Within, events: Iterator[E]) -> Iterator[E]:
        """The events of one request to a server that is no turn of an agent, whose span has what the model was asked
        below it. Nothing is open while they are read, for whoever reads may do so in any context."""
        from opentelemetry.trace import SpanKind

        model = within.capabilities.name
        asked = {"gen_ai.provider.name": PROVIDER, "gen_ai.request.model": model}
        span = self._tracer.start_span(f"serve {model}", kind=SpanKind.SERVER, attributes=asked)
        recorder = Recorder(self._tracer, span, within, self._texts)
        try:
            yield from events
        except BaseException as error:
            recorder.failed(error)
            raise
        else:
            recorder.asked()
        finally:
            span.end()


class Recorder:
    """The spans of one turn, told of its events."""

    def __init__(self, tracer: Tracer, span: Span, within: Within, texts: bool) -> None:
        self._tracer, self._span, self._within, self._texts = tracer, span, within, texts
        self._began = time.time_ns() - _ns(within.now())
        self._model = within.capabilities.name
        self._steps: list[Step] = []
        self._tool: Any = None

    def event(self, event: TurnEvent) -> None:
        match event:
            case Step():
                self._steps.append(event)
            case ToolCall():
                self._call(event)
            case ToolResult():
                self._outcome(event)
            case _:
                pass

    def result(self, result: Result) -> None:
        """The end of a turn that has one."""
        self._span.set_attributes({**_tokens(result.usage), "linnet.how": result.how})
        if result.degraded or result.dropped:
            told = {"linnet.degraded": len(result.degraded), "linnet.dropped": len(result.dropped)}
            self._span.set_attributes(told)
        if self._texts:
            self._span.set_attribute("gen_ai.output.messages", _message("assistant", result.answer))
        if result.error is not None:
            self._fail(self._span, result.error["code"], result.error["message"])
        self._write(trace(result.steps, result.questions, result.seconds, result.usage))

    def failed(self, error: BaseException) -> None:
        """The end of one that has none: what was done until then is written all the same."""
        self._end_tool()
        code = error.code if isinstance(error, LinnetError) else type(error).__name__
        self._fail(self._span, code, str(error))
        self.asked()

    def asked(self) -> None:
        """What the model was asked until now, and the steps that were told, below the span."""
        from opentelemetry.trace import use_span

        questions = self._within.questions
        usage = sum((q.usage for q in questions), Usage())
        self._span.set_attributes(_tokens(usage))
        with use_span(self._span, record_exception=False, set_status_on_exception=False):
            self._write(trace(self._steps, questions, self._within.now(), usage))

    # --- tools: while they run ---------------------------------------------------------------------

    def _call(self, call: ToolCall) -> None:
        from opentelemetry.trace import SpanKind

        told = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": call.name}
        told |= {"gen_ai.tool.type": "function", "gen_ai.tool.call.id": call.id, "linnet.how": call.how}
        if self._texts:
            told["gen_ai.tool.call.arguments"] = _json(call.arguments)
        self._tool = self._tracer.start_as_current_span(
            f"execute_tool {call.name}", kind=SpanKind.INTERNAL, attributes=told
        )
        self._tool_span = self._tool.__enter__()

    def _outcome(self, done: ToolResult) -> None:
        if done.error is not None:
            self._fail(self._tool_span, done.error["code"], done.error["message"])
        elif self._texts:
            self._tool_span.set_attribute("gen_ai.tool.call.result", _json(done.value))
        self._end_tool()

    def _end_tool(self) -> None:
        if self._tool is not None:
            self._tool.__exit__(None, None, None)
            self._tool = None

    # --- all else: at the end ----------------------------------------------------------------------

    def _write(self, found: Trace) -> None:
        self._nodes(found.nodes)
        self._questions(found.questions)

    def _nodes(self, nodes: Sequence[Node]) -> None:
        """Tools have their spans by then."""
        from opentelemetry.trace import use_span

        for node in nodes:
            step = node.step
            if step.kind == "tool":
                continue
            span = self._tracer.start_span(step.kind, start_time=self._at(step.start), attributes=self._of(step))
            with use_span(span, record_exception=False, set_status_on_exception=False):
                self._nodes(node.parts)
                self._questions(node.questions)
            span.end(self._at(node.end))

    def _of(self, step: Step) -> Attributes:
        told: Attributes = {"linnet.step": step.kind}
        if isinstance(by := step.data.get("by"), str):
            told["linnet.by"] = by
        return told | ({"linnet.detail": step.detail} if self._texts else {})

    def _questions(self, questions: Sequence[Question]) -> None:
        from opentelemetry.trace import SpanKind

        for asked in questions:
            operation = _OPERATIONS[asked.kind]
            span = self._tracer.start_span(
                f"{operation} {self._model}",
                kind=SpanKind.CLIENT,
                start_time=self._at(asked.start),
                attributes=_of_question(asked, operation, self._model),
            )
            if asked.error:
                self._fail(span, asked.error, "")
            span.end(self._at(asked.end))

    def _fail(self, span: Span, code: str, message: str) -> None:
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", code)
        span.set_status(StatusCode.ERROR, message if self._texts else None)

    def _at(self, seconds: float) -> int:
        """Nanoseconds since the epoch, of a time in the turn."""
        return self._began + _ns(seconds)


def _of_question(asked: Question, operation: str, model: str) -> Attributes:
    told: Attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": PROVIDER}
    told |= {"gen_ai.request.model": model, **_tokens(asked.usage)}
    if asked.most_tokens is not None:
        told["gen_ai.request.max_tokens"] = asked.most_tokens
    if asked.finish:
        told["gen_ai.response.finish_reasons"] = [asked.finish]
    if asked.first is not None:
        told["gen_ai.response.time_to_first_chunk"] = asked.first
    return told | ({"linnet.cached": asked.cached} if asked.cached else {})


def _tokens(usage: Usage) -> Attributes:
    """Input tokens contain those that were read from a cache, as the conventions want it."""
    return {
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
        "gen_ai.usage.output_tokens": usage.generated_tokens,
        "linnet.usage.forced_tokens": usage.forced_tokens,
    }


def _message(role: str, text: str) -> str:
    told: dict[str, Any] = {"role": role, "parts": [{"type": "text", "content": text}]}
    return _json([told | ({"finish_reason": "stop"} if role == "assistant" else {})])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
