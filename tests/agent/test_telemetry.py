"""Spans of a turn as an exporter gets them: names, parents, times, tokens, and no word of anybody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from linnet import Agent, Rule, tool
from linnet.agent.telemetry import Telemetry
from linnet.errors import LinnetError, SettingsInvalid, WorkerCrashed
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Count, Done, Event, Generate, Piece, Request, Score, Usage

SECRET = "Kirkenes"
"""A word that only the user, the model and the tool say."""


class Canned:
    """A Model that says the secret, or dies with it."""

    capabilities = Capabilities("canned", 1_000)

    def __init__(self, dies: bool = False) -> None:
        self._dies = dies

    def stream(self, request: Request) -> Iterator[Event]:
        match request:
            case Score():
                yield Done(scores=tuple((-1.0, 1) for _ in request.continuations), usage=Usage(10, 4))
            case Count():
                yield Done(count=7)
            case Generate():
                if self._dies:
                    raise WorkerCrashed(f"died of {SECRET}")
                yield Piece(SECRET, (1, 2))
                yield Done(SECRET, usage=Usage(20, 5, 2), captures={"value": "7"})


@tool(rules=[Rule(prefix="look at", to="what")])
def look(what: str) -> str:
    """Looks at something."""
    with api.get_tracer("theirs").start_as_current_span("inner"):
        if what == "nothing":
            raise ValueError(f"no {SECRET}")
        return f"{what} seen"


@tool
def get_weather(city: str, days: int) -> str:
    """Gets the weather of a city for some days."""
    return f"sun in {city} for {days} days"


@pytest.fixture(scope="module")
def memory() -> InMemorySpanExporter:
    """The global provider's, which there can be only one of: tools of others write there."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    api.set_tracer_provider(provider)
    return exporter


def spans(memory: InMemorySpanExporter, *texts: str, texts_too: bool = False, **options: Any) -> list[ReadableSpan]:
    """Those of some requests, in the order of their beginnings."""
    memory.clear()
    options.setdefault("model", Canned())
    with Agent([look, get_weather], telemetry=Telemetry(texts=texts_too, name="tester"), **options) as agent:
        for text in texts:
            try:
                agent.run(text)
            except LinnetError:
                continue
    return sorted(memory.get_finished_spans(), key=lambda span: span.start_time or 0)


def named(found: list[ReadableSpan], name: str) -> ReadableSpan:
    (span,) = [span for span in found if span.name == name]
    return span


def parent_of(found: list[ReadableSpan], span: ReadableSpan) -> str:
    return next((s.name for s in found if span.parent and s.context.span_id == span.parent.span_id), "")


def test_a_call_that_the_model_decided_on(memory: InMemorySpanExporter) -> None:
    found = spans(memory, f"weather in {SECRET}", margin=-99.0)
    whole = named(found, "invoke_agent tester")
    assert whole.parent is None and whole.kind is SpanKind.INTERNAL
    assert whole.attributes is not None
    told = dict(whole.attributes)
    assert (told["gen_ai.operation.name"], told["gen_ai.provider.name"]) == ("invoke_agent", "linnet")
    assert (told["gen_ai.agent.name"], told["gen_ai.request.model"]) == ("tester", "canned")
    assert told["gen_ai.usage.input_tokens"] == 20 and told["gen_ai.usage.cache_read.input_tokens"] == 5
    assert told["gen_ai.usage.output_tokens"] == 2
    for name in ("route", "choose", "fill", "execute_tool get_weather"):
        assert parent_of(found, named(found, name)) == "invoke_agent tester"
    asked = named(found, "text_completion canned")
    assert parent_of(found, asked) == "fill" and asked.kind is SpanKind.CLIENT
    assert asked.attributes is not None and asked.attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert {span.context.trace_id for span in found} == {whole.context.trace_id}
    for span in found:
        assert (whole.start_time or 0) - 1_000_000 <= (span.start_time or 0) <= (span.end_time or 0)
        assert (span.end_time or 0) <= (whole.end_time or 0) + 1_000_000


def test_a_tool_is_open_while_it_runs(memory: InMemorySpanExporter) -> None:
    found = spans(memory, "look at stars")
    ran = named(found, "execute_tool look")
    assert ran.attributes is not None
    assert ran.attributes["gen_ai.operation.name"] == "execute_tool"
    assert (ran.attributes["gen_ai.tool.name"], ran.attributes["gen_ai.tool.type"]) == ("look", "function")
    assert ran.attributes["gen_ai.tool.call.id"] == "call-1"
    assert parent_of(found, named(found, "inner")) == "execute_tool look", "in the tool's thread too"
    assert not [span for span in found if "canned" in span.name], "nothing was asked"


def test_the_model_answers_itself(memory: InMemorySpanExporter) -> None:
    found = spans(memory, "hello", margin=99.0)
    asked = named(found, "chat canned")
    assert parent_of(found, asked) == "answer" and asked.attributes is not None
    assert asked.attributes["gen_ai.request.max_tokens"] == LIMITS.answer_tokens
    assert asked.attributes["gen_ai.response.time_to_first_chunk"] >= 0


def test_errors_by_code(memory: InMemorySpanExporter) -> None:
    found = spans(memory, "look at nothing", "hello", model=Canned(dies=True), margin=99.0)
    ran = named(found, "execute_tool look")
    assert ran.status.status_code is StatusCode.ERROR
    assert ran.attributes is not None and ran.attributes["error.type"] == "tool_failed"
    failed = named(found, "chat canned")
    assert failed.attributes is not None and failed.attributes["error.type"] == "worker_crashed"
    wholes = [span for span in found if span.name == "invoke_agent tester"]
    codes = [span.attributes["error.type"] for span in wholes if span.attributes]
    assert codes == ["tool_failed", "worker_crashed"]
    assert SECRET not in "".join(span.to_json() for span in found if span.name != "inner")


def test_no_word_unless_asked_for(memory: InMemorySpanExporter) -> None:
    requests = (f"look at {SECRET}", f"weather in {SECRET}", f"{SECRET}?")
    silent = spans(memory, *requests, margin=99.0)
    assert SECRET not in "".join(span.to_json() for span in silent)
    told = spans(memory, *requests, margin=99.0, texts_too=True)
    ran = named(told, "execute_tool look").attributes
    assert ran is not None
    assert json.loads(str(ran["gen_ai.tool.call.arguments"])) == {"what": SECRET}
    assert json.loads(str(ran["gen_ai.tool.call.result"])) == f"{SECRET} seen"
    whole = next(span for span in told if span.name == "invoke_agent tester").attributes
    assert whole is not None
    (message,) = json.loads(str(whole["gen_ai.input.messages"]))
    assert message == {"role": "user", "parts": [{"type": "text", "content": f"look at {SECRET}"}]}
    (message,) = json.loads(str(whole["gen_ai.output.messages"]))
    assert (message["role"], message["finish_reason"]) == ("assistant", "stop")


def test_a_streamed_turn_belongs_to_the_span_it_was_asked_in(memory: InMemorySpanExporter) -> None:
    memory.clear()
    with (
        Agent([look], Canned(), telemetry=Telemetry()) as agent,
        api.get_tracer("theirs").start_as_current_span("outer"),
    ):
        list(agent.stream("look at stars"))
    found = list(memory.get_finished_spans())
    assert parent_of(found, named(found, "invoke_agent linnet")) == "outer"


def test_off_imports_nothing() -> None:
    """Neither the public face nor a turn of an agent that was not asked for spans."""
    code = """
import sys
from linnet.app import open_agent
with open_agent() as agent:
    assert agent.run("What is 2 + 2?").answer
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
assert "linnet.agent.telemetry" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_opentelemetry_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsInvalid, match="not installed") as caught:
        Telemetry()
    assert "linnet[otel]" in caught.value.hint
