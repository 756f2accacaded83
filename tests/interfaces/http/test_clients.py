"""The clients that people have, as they are: OpenAI's, Anthropic's, pydantic-ai, LangChain, curl."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel

from linnet.interfaces.http.auth import Keys
from linnet.interfaces.http.guard import Door
from linnet.script import Die, Say

Says = Callable[[str], Say]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "name of the city"}},
    "required": ["city"],
}
ABOUT = "Get the current weather in a city."
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "description": ABOUT, "parameters": PARAMETERS}}]
FLAT: Any = [{"type": "function", "name": "weather", "description": ABOUT, "parameters": PARAMETERS, "strict": True}]
QUESTION = "What's the weather like in Paris today?"
RESULT = json.dumps({"city": "Paris", "degrees": 21})

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
"""Clients that leave it to the interpreter to close their connections."""


@pytest.fixture(autouse=True)
def nothing_is_left_to_later_tests() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def client(server: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server}/v1", api_key="unused", max_retries=0)


@pytest.fixture(scope="module")
def claude(server: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server, api_key="unused", max_retries=0)


# --- OpenAI's ------------------------------------------------------------------------------------


def test_openai_goes_round_a_tool(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = client.chat.completions.create(model="default", messages=messages, tools=TOOLS).choices[0]
    assert first.finish_reason == "tool_calls" and first.message.tool_calls
    call: Any = first.message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    messages += [first.message, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]
    last = client.chat.completions.create(model="default", messages=messages, tools=TOOLS).choices[0]
    assert last.finish_reason == "stop" and "21" in (last.message.content or "")


def test_openai_streams_calls_and_words(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="default", messages=[{"role": "user", "content": QUESTION}], tools=TOOLS
    ) as stream:
        kinds = [event.type for event in stream]
        final: Any = stream.get_final_completion().choices[0]
    assert "tool_calls.function.arguments.done" in kinds
    assert json.loads(final.message.tool_calls[0].function.arguments) == {"city": "Paris"}
    text = ""
    for chunk in client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    assert "Paris" in text and chunk.usage is not None and chunk.usage.completion_tokens > 3


def test_openai_parses_a_form(client: openai.OpenAI) -> None:
    class City(BaseModel):
        name: str
        large: bool

    done = client.chat.completions.parse(
        model="default",
        messages=[{"role": "user", "content": "Name a city."}],
        response_format=City,
        max_completion_tokens=60,
    )
    assert isinstance(done.choices[0].message.parsed, City)


def test_openai_raises_its_own_errors(client: openai.OpenAI, serving: Any, says: Says) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("gpt-4")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as odd:
        client.completions.create(model="default", prompt="x", best_of=2)
    assert odd.value.code == "not_offered"
    running = serving(says("One"), Die(signal=11), door=Door(keys=Keys(["a-key-of-the-tests"])))
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="another", max_retries=0).models.list()
    own = openai.OpenAI(base_url=f"{running.url}/v1", api_key="a-key-of-the-tests", max_retries=0)
    with pytest.raises(openai.APIError, match="SIGSEGV"):
        for _ in own.chat.completions.create(
            model="default", messages=[{"role": "user", "content": "Hi"}], stream=True
        ):
            pass


def test_openai_embeds(client: openai.OpenAI) -> None:
    one, two = client.embeddings.create(model="default", input=["a cat", "a dog"]).data
    assert len(one.embedding) == len(two.embedding) > 100 and sum(x * x for x in one.embedding) == pytest.approx(
        1, abs=1e-3
    )


def test_openai_lists_models_and_completes(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["default", "smollm2-135m"]
    done = client.completions.create(model="default", prompt="One, two, three, four,", max_tokens=6)
    assert done.choices[0].text.startswith(" five")


def test_openai_responses(client: openai.OpenAI) -> None:
    first = client.responses.create(model="default", input=QUESTION, tools=FLAT)
    (call,) = first.output
    assert (
        call.type == "function_call"
        and json.loads(call.arguments) == {"city": "Paris"}
        and first.status == "completed"
    )
    items: Any = [
        {"role": "user", "content": QUESTION},
        call.model_dump(),
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULT},
    ]
    assert "21" in client.responses.create(model="default", input=items, tools=FLAT).output_text
    with pytest.raises(openai.BadRequestError) as stored:
        client.responses.create(model="default", input="Hi", previous_response_id=first.id)
    assert stored.value.code == "not_offered"


def test_openai_responses_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="default", input="What is the capital of France?") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-4:] == [
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert "Paris" in final.output_text and final.usage is not None and final.usage.output_tokens > 3
    cut = client.responses.create(model="default", input="Tell a long story.", max_output_tokens=4)
    assert (
        cut.status == "incomplete" and cut.incomplete_details and cut.incomplete_details.reason == "max_output_tokens"
    )


# --- Anthropic's ---------------------------------------------------------------------------------

CLAUDE_TOOL: Any = {"name": "weather", "description": ABOUT, "input_schema": PARAMETERS}


def test_anthropic_goes_round_a_tool(claude: anthropic.Anthropic) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    first = claude.messages.create(model="default", max_tokens=64, messages=messages, tools=[CLAUDE_TOOL])
    (block,) = first.content
    assert block.type == "tool_use" and (block.name, block.input) == ("weather", {"city": "Paris"})
    assert first.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": RESULT}]}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = claude.messages.create(model="default", max_tokens=64, messages=messages, tools=[CLAUDE_TOOL])
    assert last.stop_reason == "end_turn" and last.content[0].type == "text" and "21" in last.content[0].text


def test_anthropic_streams(claude: anthropic.Anthropic) -> None:
    said: Any = [{"role": "user", "content": "What is the capital of France?"}]
    with claude.messages.stream(model="default", max_tokens=64, system="Be brief.", messages=said) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert "Paris" in text and final.content[0].type == "text" and final.content[0].text == text
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 3
    asked: Any = [{"role": "user", "content": QUESTION}]
    choice: Any = {"type": "tool", "name": "weather"}
    with claude.messages.stream(
        model="default", max_tokens=64, messages=asked, tools=[CLAUDE_TOOL], tool_choice=choice
    ) as stream:
        block = stream.get_final_message().content[0]
    assert block.type == "tool_use" and block.input == {"city": "Paris"}


def test_anthropic_counts_and_raises_its_own_errors(claude: anthropic.Anthropic, serving: Any, says: Says) -> None:
    said: Any = [{"role": "user", "content": "What is the capital of France?"}]
    counted = claude.messages.count_tokens(model="default", messages=said).input_tokens
    done = claude.messages.create(model="default", max_tokens=1, messages=said)
    used = done.usage
    assert counted == used.input_tokens + (used.cache_read_input_tokens or 0) and done.stop_reason == "max_tokens"
    with pytest.raises(anthropic.NotFoundError) as missing:
        claude.messages.create(model="claude", max_tokens=8, messages=said)
    assert missing.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]
    own = anthropic.Anthropic(base_url=serving(says("One"), Die(signal=11)).url, api_key="x", max_retries=0)
    with (
        pytest.raises(anthropic.APIStatusError),
        own.messages.stream(model="default", max_tokens=8, messages=said) as stream,
    ):
        stream.get_final_message()


# --- frameworks ----------------------------------------------------------------------------------


def test_pydantic_ai_runs_a_tool(server: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    asked: list[str] = []
    model = OpenAIChatModel("default", provider=OpenAIProvider(base_url=f"{server}/v1", api_key="unused"))
    agent = Agent(model)

    @agent.tool_plain
    def weather(city: str) -> dict[str, Any]:
        """Get the current weather in a city.

        Args:
            city: name of the city
        """
        asked.append(city)
        return {"city": city, "degrees": 21}

    assert "21" in asyncio.run(agent.run(QUESTION)).output and asked == ["Paris"]


def test_pydantic_ai_gets_a_value(server: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    class Booking(BaseModel):
        city: str
        nights: int

    model = OpenAIChatModel("default", provider=OpenAIProvider(base_url=f"{server}/v1", api_key="unused"))
    booked = asyncio.run(Agent(model, output_type=Booking).run("Book a hotel in Oslo for 3 nights")).output
    assert isinstance(booked, Booking) and (booked.city, booked.nights) == ("Oslo", 3)


def test_pydantic_ai_gets_a_value_out_of_what_a_tool_has_returned(server: str) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    class Weather(BaseModel):
        city: str
        degrees: int

    model = OpenAIChatModel("default", provider=OpenAIProvider(base_url=f"{server}/v1", api_key="unused"))
    agent = Agent(model, output_type=Weather)
    asked: list[str] = []

    @agent.tool_plain
    def get_weather(city: str) -> dict[str, Any]:
        """Get the current weather in a city."""
        asked.append(city)
        return {"city": city, "degrees": 21}

    found = asyncio.run(agent.run(QUESTION)).output
    assert asked == ["Paris"] and (found.city, found.degrees) == ("Paris", 21)


def test_langchain_binds_tools_and_streams(server: str) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    @tool
    def weather(city: str) -> str:
        """Get the current weather in a city."""
        return RESULT

    model = ChatOpenAI(model="default", base_url=f"{server}/v1", api_key=SecretStr("unused"), max_retries=0)
    bound = model.bind_tools([weather])
    first: Any = bound.invoke([HumanMessage(QUESTION)])
    assert [(call["name"], call["args"]) for call in first.tool_calls] == [("weather", {"city": "Paris"})]
    last = bound.invoke([HumanMessage(QUESTION), first, ToolMessage(RESULT, tool_call_id=first.tool_calls[0]["id"])])
    assert "21" in str(last.content)
    assert "Paris" in "".join(str(chunk.content) for chunk in model.stream("What is the capital of France?"))


def test_curl(server: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "What is the capital of France?"}]})
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", f"{server}/v1/chat/completions", "-d", body],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Paris" in json.loads(done.stdout)["choices"][0]["message"]["content"]
