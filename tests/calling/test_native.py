"""Calls in a model's own notation. No model that has one can be had here, so a double of the Model protocol speaks
Hermes, Llama 3's JSON and Python; the grammars, the template and the reading are tried on the real engine as well."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest

from linnet import Tool
from linnet.calling import native
from linnet.calling.dialects.families import FAMILIES, parse
from linnet.calling.native import Native, Speech, speech_of, told_of, why_not
from linnet.calling.profile import JSON, Way
from linnet.errors import ConstraintInvalid, SettingsInvalid
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall
from linnet.models.families import Advice
from linnet.models.family import Family
from linnet.models.template import Thinking
from linnet.requests import Capabilities, Done, Event, Generate, Request, Schema, Score, Usage, complete
from linnet.runtime.local import LocalModel, open_local
from linnet.settings import ModelSettings

CITY = {"type": "string", "description": "Name of the city."}
UNIT = {"type": "string", "enum": ["celsius", "kelvin"]}
WEATHER = Tool.from_schema(
    "get_weather",
    "Get the weather of a city.",
    {"properties": {"city": CITY, "days": {"type": "integer"}, "unit": UNIT}, "required": ["city"]},
)
TIMER = Tool.from_schema(
    "set_timer", "Start a timer.", {"properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]}
)
ROME, OSLO = ToolCall("get_weather", {"city": "Rome"}), ToolCall("get_weather", {"city": "Oslo", "days": 2})
HERMES, LLAMA, PYTHON = Way("native", "hermes"), Way("native", "llama3"), Way("native", "pythonic")


def family(dialect: str = "hermes", tools: str = "tools", thinking: Thinking | None = None) -> Family:
    texts: dict[str, Any] = dict.fromkeys(("name", "title", "template", "bos", "eos", "joint"), "")
    rest: dict[str, Any] = {"advice": Advice(), "thoughtful": None, "origins": {}, "context": 4096}
    return Family(
        **texts, **rest, detected=(), stops=(), takes_system=True, thinking=thinking, tools=tools, dialect=dialect
    )


class Speaker:
    """Says the given texts one after the other, and keeps what it was asked. An error among them is raised.
    Nothing is likelier to it than anything else."""

    capabilities = Capabilities("speaker", 4096)

    def __init__(self, *texts: str | Exception, finish: Literal["stop", "length"] = "stop", **of: Any) -> None:
        self.family = family(**of)
        self.heard: list[Generate] = []
        self._texts, self._finish = list(texts), finish

    def stream(self, request: Request) -> Iterator[Event]:
        if isinstance(request, Score):
            return iter([Done(scores=tuple((0.0, 1) for _ in request.continuations))])
        assert isinstance(request, Generate)
        self.heard.append(request)
        text = self._texts.pop(0)
        if isinstance(text, Exception):
            raise text
        return iter([Done(text, self._finish, Usage(10, 0, 5))])


def written(notation: str, *calls: ToolCall) -> str:
    return FAMILIES[notation].dialect.render(calls)


@pytest.mark.parametrize("notation", ["hermes", "llama3", "pythonic", "phi4_mini", "mistral", "qwen3_coder"])
def test_calls_are_read_in_the_models_notation(notation: str) -> None:
    model = Speaker(written(notation, ROME, OSLO), dialect=notation)
    found = Native(model, [WEATHER, TIMER], Way("native", notation)).call("weather in Rome, and 2 days in Oslo")
    assert [(c.name, c.arguments, c.how) for c in found.calls] == [
        ("get_weather", ROME.arguments, "native"),
        ("get_weather", OSLO.arguments, "native"),
    ]
    (heard,) = model.heard
    assert {spec.name for spec in heard.tools} == {"get_weather", "set_timer"} and heard.constraint is None
    assert [message.role for message in heard.prompt if isinstance(message, Message)] == ["user"]
    assert found.usage == Usage(10, 0, 5) and (found.wanted, found.problem) == (None, None)
    (step,) = found.steps
    assert step.kind == "native" and step.detail == f"2 calls in {notation}"
    assert step.data["way"].startswith(f"native: {notation}") and step.data["written"] == "free"


def test_names_and_types_are_repaired_and_told() -> None:
    text = written("hermes", ToolCall("getWeather", {"City": "Rome", "days": "3", "unit": "Kelvin"}))
    (call,) = Native(Speaker(text), [WEATHER], HERMES).call("weather in Rome").calls
    assert (call.name, call.arguments) == ("get_weather", {"city": "Rome", "days": 3, "unit": "kelvin"})
    assert len(call.repairs) == 4


def test_no_call_is_no_call() -> None:
    for text in ("Rome is the capital of Italy.", "", "I would use get_weather for that."):
        found = Native(Speaker(text), [WEATHER], HERMES).call("hello")
        assert found.calls == () and found.wanted is None and [step.kind for step in found.steps] == ["native"]


def test_one_bad_call_spoils_no_other_and_is_told() -> None:
    text = written("hermes", ToolCall("launch", {}), ToolCall("get_weather", {"days": 2}), ROME)
    found = Native(Speaker(text), [WEATHER], HERMES).call("weather")
    assert [call.arguments for call in found.calls] == [{"city": "Rome"}] and found.wanted is None
    assert [step.detail for step in found.steps[1:]] == [
        "the model called 'launch', which it was not told of",
        "get_weather: city is missing",
    ]


def test_a_call_without_its_arguments_says_what_is_wanted() -> None:
    found = Native(Speaker(written("hermes", ToolCall("set_timer", {}))), [TIMER], HERMES).call("set a timer")
    assert found.calls == () and found.wanted is TIMER and found.problem is not None
    assert "minutes" in found.problem.message


def test_no_more_calls_than_the_limit() -> None:
    calls = [ToolCall("set_timer", {"minutes": n}) for n in range(LIMITS.calls_per_request + 1)]
    found = Native(Speaker(written("hermes", *calls)), [TIMER], HERMES).call("timers")
    assert len(found.calls) == LIMITS.calls_per_request
    assert found.steps[-1].detail == f"left out, for the limit is {LIMITS.calls_per_request} calls: 1"


def test_the_model_is_told_of_no_more_tools_than_its_way_says() -> None:
    many = [Tool.from_schema(f"tool_{n}", f"Does number {n}.", {}) for n in range(9)]
    model = Speaker("nothing", "nothing")
    Native(model, [*many, WEATHER], Way("native", "hermes", tools=2)).call("what is the weather of Rome?")
    assert len(model.heard[0].tools) == 2 and model.heard[0].tools[0].name == "get_weather"
    assert Native(model, [], HERMES).call("hello").calls == () and len(model.heard) == 1


def test_a_cut_answer_is_told() -> None:
    text = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ro'
    found = Native(Speaker(text, finish="length"), [WEATHER], HERMES).call("weather")
    assert found.calls == () and found.steps[0].data["cut"] is True and found.steps[1].kind == "refuse"


def test_another_model_takes_its_place() -> None:
    first, second = Speaker(), Speaker(written("hermes", ROME))
    assert Native(first, [WEATHER], HERMES).over(second).call("weather in Rome").calls and not first.heard


# --- under a grammar -----------------------------------------------------------------------------


def test_what_is_right_already_is_not_written_again() -> None:
    model = Speaker(written("hermes", ROME))
    found = Native(model, [WEATHER], Way("native", "hermes", constrained=True)).call("weather in Rome")
    assert len(model.heard) == 1 and found.steps[0].data["written"] == "free" and len(found.calls) == 1
    model = Speaker("Rome is a city.")
    Native(model, [WEATHER], Way("native", "hermes", constrained=True)).call("what is Rome?")
    assert len(model.heard) == 1


@pytest.mark.parametrize("notation", ["hermes", "llama3", "granite", "mistral"])
def test_wrong_calls_are_written_again_as_many_as_were_begun(notation: str) -> None:
    wrong = written(notation, ToolCall("get_weather", {"town": 5, "x": 1}), ToolCall("fly", {}))
    start = native._frames(notation, 2, {"get_weather": WEATHER.parameters})
    assert start is not None
    model = Speaker(wrong, written(notation, ROME, OSLO).removeprefix(start[0]), dialect=notation)
    found = Native(model, [WEATHER], Way("native", notation, constrained=True)).call("weather in Rome and Oslo")
    assert [call.arguments for call in found.calls] == [ROME.arguments, OSLO.arguments]
    free, held = model.heard
    assert free.constraint is None and held.constraint is not None and held.answer_start == start[0]
    assert found.steps[0].data["written"] == "constrained" and found.usage == Usage(20, 0, 10)


def test_what_is_written_again_and_got_worse_is_not_taken() -> None:
    model = Speaker(written("hermes", ROME, ToolCall("fly", {})), '{"name": "get_wea')
    found = Native(model, [WEATHER], Way("native", "hermes", constrained=True)).call("weather in Rome")
    assert len(model.heard) == 2 and [call.arguments for call in found.calls] == [ROME.arguments]
    assert found.steps[0].data["written"] == "free" and found.usage == Usage(20, 0, 10)


def test_schemas_without_a_grammar_leave_the_names() -> None:
    model = Speaker(written("hermes", ToolCall("fly", {})), ConstraintInvalid("no"), '{"name": "get_weather"}')
    found = Native(model, [WEATHER], Way("native", "hermes", constrained=True)).call("weather")
    assert len(model.heard) == 3 and "but for the arguments" in found.steps[0].data["written"]
    model = Speaker(written("hermes", ToolCall("fly", {})), ConstraintInvalid("no"), ConstraintInvalid("no"))
    data = Native(model, [WEATHER], Way("native", "hermes", constrained=True)).call("w").steps[0].data
    assert data.pop("usage")["prompt_tokens"] > 0
    assert data == {
        "way": "native: hermes, constrained, at most 4 tools",
        "told": ["get_weather"],
        "written": "free",
        "cut": False,
    }


def test_which_notations_have_a_grammar() -> None:
    """Those in which a call is one JSON object: the rest is markup or Python, of which there is none."""
    have = {name for name in FAMILIES if native._frames(name, 2, {})}
    assert {"hermes", "qwen3", "llama3", "granite", "phi4_mini", "xlam", "hammer", "mistral", "json"} <= have
    assert not have & {
        "pythonic",
        "lfm2",
        "qwen3_coder",
        "gemma3",
        "gemma4",
        "gpt_oss",
        "deepseek",
        "ministral",
        "xml",
    }


# --- JSON for those without a notation, and thinking ---------------------------------------------


@pytest.mark.parametrize("fence", ["{}", "```json\n{}\n```"])
def test_json_is_asked_for_in_words(fence: str) -> None:
    model = Speaker(fence.replace("{}", written("json", ROME)), tools="")
    found = Native(model, [WEATHER], Way("native", JSON)).call("weather in Rome")
    assert [call.arguments for call in found.calls] == [ROME.arguments]
    (heard,) = model.heard
    system, user = (message for message in heard.prompt if isinstance(message, Message))
    assert heard.tools == () and user.content == "weather in Rome" and not system.trusted
    assert "get_weather(city, days, unit): Get the weather of a city." in system.content
    assert '- unit: string, optional, one of ["celsius", "kelvin"]' in told_of([WEATHER])


def test_json_under_a_grammar_is_held_from_the_first_token() -> None:
    model = Speaker("[]")
    found = Native(model, [WEATHER], Way("native", JSON, constrained=True)).call("hello")
    assert found.calls == () and isinstance(model.heard[0].constraint, Schema) and len(model.heard) == 1


SWITCHED = Thinking("<think>", "</think>", "enable_thinking", "on")


def test_thinking_is_switched_and_its_calls_are_none() -> None:
    thought = f"<think>{written('hermes', OSLO)}</think>{written('hermes', ROME)}"
    model = Speaker(thought, written("hermes", ROME), thinking=SWITCHED)
    found = Native(model, [WEATHER], Way("native", "hermes", thinking=True)).call("weather in Rome")
    assert [call.arguments for call in found.calls] == [ROME.arguments]
    Native(model, [WEATHER], HERMES).call("weather in Rome")
    assert [heard.template_options for heard in model.heard] == [
        {"enable_thinking": True},
        {"enable_thinking": False},
    ]
    assert model.heard[0].max_tokens > model.heard[1].max_tokens


@pytest.mark.parametrize(
    ("way", "speech", "reason"),
    [
        (Way("native", "hermes"), Speech("llama3"), "no tools in the notation 'hermes'"),
        (Way("native", "hermes"), Speech(), "no tools in the notation"),
        (Way("native", "hermes", thinking=True), Speech("hermes"), "no switch for thinking"),
        (Way("native", "pythonic", constrained=True), Speech("pythonic"), "are not JSON"),
        (Way("native", "hermes", constrained=True), Speech("hermes", thinks="on"), "always thinks"),
    ],
)
def test_ways_that_are_closed(way: Way, speech: Speech, reason: str) -> None:
    assert reason in why_not(way, speech)
    assert why_not(Way(), speech) == "" and why_not(Way("native", JSON), speech) == ""


def test_a_closed_way_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="not open to this model"):
        Native(Speaker(dialect="llama3"), [WEATHER], HERMES)


def test_what_a_model_speaks() -> None:
    assert speech_of(Speaker(thinking=SWITCHED)) == Speech("hermes", "enable_thinking", "on")
    assert speech_of(Speaker(tools="")) == Speech() == speech_of(Speaker(dialect="unheard of"))
    assert speech_of(object()) == Speech()  # type: ignore[arg-type]


# --- the real engine -----------------------------------------------------------------------------

TEMPLATE = """{% if tools %}<|im_start|>system
Tools:{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
Call one as <tool_call>
{"name": ..., "arguments": ...}
</tool_call><|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    """SmolLM2 under a template that takes tools, in a notation that it was not trained for."""
    path = tmp_path_factory.mktemp("own") / "tools.jinja"
    path.write_text(TEMPLATE)
    model = open_local(
        "default", context=512, threads=2, models={"default": ModelSettings(template=path, dialect="hermes")}
    )
    yield model
    model.close()


def test_the_real_model_is_told_through_its_template(told: LocalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_TOKENS", 40)  # what it writes is of no use, and slow
    assert speech_of(told).notation == "hermes"
    found = Native(told, [WEATHER, TIMER], HERMES).call("What is the weather in Rome?")
    assert found.usage.prompt_tokens > 100 and found.steps[0].kind == "native"
    for call in found.calls:
        WEATHER.validate(call.arguments) if call.name == "get_weather" else TIMER.validate(call.arguments)


@pytest.mark.parametrize("notation", ["hermes", "llama3", "phi4_mini", "mistral"])
def test_a_grammar_of_frames_gives_valid_calls(told: LocalModel, notation: str) -> None:
    schemas = {"get_weather": WEATHER.parameters, "set_timer": TIMER.parameters}
    start, holes = native._frames(notation, 2, schemas) or ("", None)
    prompt = (Message("user", "What is the weather in Rome and in Oslo?"),)
    done = complete(told, Generate(prompt, answer_start=start, constraint=holes, max_tokens=200))
    assert done.finish != "length"
    calls = parse(start + done.text, notation, [WEATHER, TIMER]).calls
    assert len(calls) == 2
    for call in calls:
        (WEATHER if call.name == "get_weather" else TIMER).validate(call.arguments)


def test_the_real_model_writes_json_under_a_grammar(told: LocalModel) -> None:
    found = Native(told, [TIMER], Way("native", JSON, constrained=True)).call("Set a timer for 12 minutes.")
    assert [call.arguments for call in found.calls] == [{"minutes": 12}]
    assert found.steps[0].data["written"] == "constrained"
