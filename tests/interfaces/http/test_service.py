"""Health: what tells of the default model, and what does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from linnet.agent.telemetry import Telemetry
from linnet.errors import DeadlineExceeded
from linnet.interfaces.http.service import Service
from linnet.requests import Capabilities, Count, Done, Embed, Event, Generate, Model, Piece, Request, Segment, Usage
from linnet.runtime.health import Health
from linnet.runtime.pool.resident import Resident
from linnet.vectors import Vectors


@dataclass
class Telling:
    """A Model that tells the same whatever it is asked."""

    events: tuple[Event | Exception, ...] = ()
    answers: bool = True
    asked: list[Request] = field(default_factory=list)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("telling", 100, answers=self.answers)

    def stream(self, request: Request) -> Iterator[Event]:
        self.asked.append(request)
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


SICK = Telling((DeadlineExceeded("no token came"),))


@pytest.mark.parametrize(
    ("event", "tells"),
    [
        (Piece("x", (1,)), True),
        (Piece("", ()), False),
        (Done(scores=((-1.0, 1),)), True),
        (Done(vectors=Vectors(1, b"\0\0\0\0")), True),
        (Done(scores=((-1.0, 1),), cached="exact"), False),
        (Done(count=7, usage=Usage(7)), False),
    ],
)
def test_what_was_computed_tells_of_the_default_model_alone(event: Event, tells: bool) -> None:
    for name in ("default", "other"):
        service = Service({"default": Telling((event,)), "other": Telling((event,))})
        assert list(service.owned(name, "").stream(Count(()))) == [event]
        assert service.health().ready is (tells and name == "default")


def test_a_model_is_told_of_as_far_as_it_is_known() -> None:
    model = Telling((Piece("x", (1,)), Done(usage=Usage(generated_tokens=100))))
    resident = Resident("telling", 7, (), 0, 0.0, 100, 100)
    unknown = Service({"default": model}).stands("default")
    assert unknown == {"loaded": None, "memory_bytes": None, "tokens_per_second": None}
    service = Service({"default": model}, residents=lambda: [resident])
    list(service.owned("default", "").stream(Count(())))
    told = service.stands("default")
    assert (told["loaded"], told["memory_bytes"]) == (True, 7) and told["tokens_per_second"] > 100
    assert Service({"default": model}, residents=list).stands("default")["loaded"] is False


def test_a_request_has_a_span_where_there_is_telemetry_and_none_where_there_is_not() -> None:
    """No word of it, and what the model was asked is below."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    model = Telling((Piece("Kirkenes", (1,)), Done("Kirkenes", usage=Usage(5, 2, 1))))

    async def told(service: Service, fails: bool = False) -> None:
        def work(given: Model, bare: Model) -> Iterator[Event]:
            yield from given.stream(Generate((Segment("Kirkenes", False),)))
            if fails:
                raise DeadlineExceeded("Kirkenes")

        with contextlib.suppress(DeadlineExceeded):
            _ = [event async for event in service.run("default", "", work)]

    asyncio.run(told(Service({"default": model})))
    assert not exporter.get_finished_spans()
    service = Service({"default": model}, telemetry=Telemetry(provider=provider))
    asyncio.run(told(service))
    asyncio.run(told(Service({"default": model}, telemetry=Telemetry(provider=provider)), fails=True))
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == ["text_completion telling", "serve telling"] * 2
    asked, whole, _, failed = spans
    assert asked.parent and asked.parent.span_id == whole.context.span_id
    assert whole.attributes and whole.attributes["gen_ai.usage.output_tokens"] == 1
    assert failed.attributes and failed.attributes["error.type"] == "deadline_exceeded"
    assert "Kirkenes" not in "".join(span.to_json() for span in spans)


def test_another_model_that_answers_does_not_make_a_sick_one_well() -> None:
    service = Service({"default": SICK, "other": Telling((Piece("x", (1,)),))})
    list(service.owned("other", "").stream(Count(())))
    assert isinstance(asyncio.run(service.ailment()), DeadlineExceeded)


def test_what_does_not_answer_is_asked_for_a_vector() -> None:
    model = Telling((Done(vectors=Vectors(1, b"\0\0\0\0")),), answers=False)
    assert asyncio.run(Service({"default": model}).ailment()) is None
    assert isinstance(model.asked[0], Embed)


def test_a_token_that_came_while_the_probe_waited_counts() -> None:
    async def told(service: Service) -> object:
        waiting = asyncio.create_task(service.ailment())
        await asyncio.sleep(0)
        service._watched.heard(Piece("x", (1,)))
        return await waiting

    assert asyncio.run(told(Service({"default": SICK}))) is None


def test_a_probe_that_ends_without_a_text_is_a_token() -> None:
    service = Service({"default": Telling((Done(),))})
    assert asyncio.run(service.ailment()) is None and service.health().ready


def test_a_model_that_tells_of_its_worker_is_believed_and_not_what_was_heard() -> None:
    """There is one health: a token that a cache sent, or that came before its worker died, is of no account."""

    class Dead(Telling):
        def health(self) -> Health:
            return Health("asleep")

    service = Service({"default": Dead((Piece("x", (1,)), DeadlineExceeded("no token came")))})
    with pytest.raises(DeadlineExceeded):
        list(service.owned("default", "").stream(Count(())))
    assert service.health().state == "asleep"
    assert isinstance(asyncio.run(service.ailment()), DeadlineExceeded)


def test_metrics_tell_of_the_servers_of_a_fleet() -> None:
    told = {"answered": 3, "overtaken": 1, "last_error": "", "retry_after": 0.0}
    servers = (
        {"server": "a:1", "state": "closed", "outstanding": 2, "failures": {}, **told},
        {"server": "b:1", "state": "open", "outstanding": 0, "failures": {"remote_cut": 4}, **told},
    )
    text = Service({"default": Telling(())}, servers=lambda: servers).metrics.text().decode()
    assert 'linnet_server_up{server="a:1"} 1.0' in text and 'linnet_server_up{server="b:1"} 0.0' in text
    assert 'linnet_server_outstanding{server="a:1"} 2.0' in text
    assert 'linnet_server_failed_total{code="remote_cut",server="b:1"} 4.0' in text
    assert "linnet_server" not in Service({"default": Telling(())}).metrics.text().decode()
