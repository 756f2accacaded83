"""The 54 cases of `../shared/data/tool_text/templates.jsonl`, each through the real rendering child.

21 say what prompt they expect. The other 33 come without (`expected_prompt: null`): they were taken from tests
of how a prompt ends, and only a note says what they are about. `ENDINGS` is our own reading of those notes,
checked against the templates by hand; it is no outside judgement.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from linnet.limits import Sandbox
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.models import family, gguf
from linnet.protocol import Load, Render, Rendered
from linnet.runtime import child

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FILE = DATA / "tool_text" / "templates.jsonl"
CASES = [json.loads(line) for line in FILE.read_text().splitlines()] if FILE.exists() else []

NOT_OURS = {
    "llamacpp/test-chat-template/ibm-granite/granite-4.0 (tool call)":
        "its roles are `assistant_tool_call` and `tool_response`: a call is no role here, its template writes it",
}  # fmt: skip

ENDINGS = {
    "generation-prompt/Qwen3.5-4B/basic": "<|im_start|>assistant\n<think>\n",
    "generation-prompt/Qwen3.5-4B/continuation_reasoning": "<|im_start|>assistant\n<think>\nI'm",
    "generation-prompt/openai-gpt-oss-120b/continuation_content":
        "<|start|>assistant<|channel|>analysis<|message|>I'm thinking<|end|>"
        "<|start|>assistant<|channel|>final<|message|>Hello, ",
    "generation-prompt/mistralai-Ministral-3-14B-Reasoning-2512/basic": "[INST]Hey there![/INST]",
    "generation-prompt/mistralai-Ministral-3-14B-Reasoning-2512/continuation_reasoning": "[/INST][THINK]I'm",
    "generation-prompt/google-gemma-4-31B-it/continuation_content":
        "<|turn>model\n<|channel>thought\nI'm thinking\n<channel|>Hello, ",
    "generation-prompt/google-gemma-4-31B-it/atc": "<tool_response|><|channel>thought\nI'm",
    # the thoughts are left out, which a note tells: these templates have no place for them
    "generation-prompt/meetkai-functionary-medium-v3.2/continuation_content":
        "<|start_header_id|>assistant<|end_header_id|>\n\n>>>all\nHello, ",
    "generation-prompt/moonshotai-Kimi-K2/continuation_content": "<|im_assistant|>assistant<|im_middle|>Hello, ",
    "generation-prompt/GigaChat3-10B-A1.8B/continuation_content": "assistant<|role_sep|>\nHello, ",
    "generation-prompt/LFM2-8B-A1B/continuation_reasoning": "<|im_start|>assistant\n",
    "generation-prompt/Reka-Edge/basic": "<sep>assistant:",
    "generation-prompt/Reka-Edge/continuation_reasoning": "<sep>assistant: <think>\nI'm",
    "generation-prompt/LFM2-8B-A1B/basic": "<|im_start|>assistant\n",
    "generation-prompt/LFM2.5-8B-A1B/basic": "<|im_start|>assistant\n",
    "generation-prompt/LFM2.5-Instruct/continuation_content":
        "<|im_start|>assistant\n<think>\nI'm thinking\n</think>\n\nHello, ",
    "generation-prompt/LFM2.5-8B-A1B/continuation_reasoning": "<|im_start|>assistant\n<think>I'm",
    "generation-prompt/deepseek-ai-DeepSeek-V3.2/basic": "<｜Assistant｜><think></think>",
    "generation-prompt/deepseek-ai-DeepSeek-V3.2/continuation_reasoning": "<｜Assistant｜><think>I'm",
    "generation-prompt/deepseek-ai-DeepSeek-V4/continuation_content":
        "<｜Assistant｜><think>I'm thinking</think>Hello, ",
    "generation-prompt/deepseek-ai-DeepSeek-V4/cnt": "<｜Assistant｜></think>Hello, ",
    "generation-prompt/deepseek-ai-DeepSeek-V4-Flash-0731/continuation_content":
        "<｜Assistant｜><think>I'm thinking</think>Hello, ",
    "generation-prompt/deepseek-ai-DeepSeek-V4-Flash-0731/cnt": "<｜Assistant｜></think>Hello, ",
    "generation-prompt/openbmb-MiniCPM5-1B/continuation_content":
        "<|im_start|>assistant\n<think>\nI'm thinking\n</think>\n\nHello, ",
    "gemma4/gen-prompt-after-tool": "Let me check.<turn|>\n<|turn>model\n<|channel>thought\n<channel|>",
    "stepfun/trim": "<|im_start|>assistant\nLet me check.<|im_end|>\n",
    "developer-to-system": "<|system|>You are a helpful developer assistant.<|end|>",
    # as the server does it, thinking is on unless it is turned off
    "server/reasoning-auto/deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": "<｜Assistant｜><think>\n",
    "server/reasoning-auto/Qwen-Qwen3-0.6B": "<|im_start|>assistant\n",
    "server/reasoning-auto/Qwen-QwQ-32B": "<|im_start|>assistant\n<think>\n",
    "server/reasoning-auto/CohereForAI-c4ai-command-r7b-12-2024-tool_use": "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
    "server/prefill-string": "<|start_header_id|>assistant<|end_header_id|>\n\nWhill",
    "server/llama3.3-add-generation-prompt": "<|start_header_id|>assistant<|end_header_id|>\n\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[child.Child]:
    started = child.start("linnet.worker.render")
    started.channel.send(Load(sandbox=Sandbox()))
    assert started.channel.wait(60)
    started.channel.receive()
    yield started
    started.kill()
    started.reap()


@pytest.mark.skipif(not CASES, reason=f"the shared data is not here: {FILE}")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"].removeprefix("llamacpp/"))
def test_the_prompt_is_the_expected_one(case: dict[str, Any], running: child.Child) -> None:
    if case["id"] in NOT_OURS:
        pytest.skip(NOT_OURS[case["id"]])
    made = prompt(case, running)
    expected = case["expected_prompt"] or ENDINGS[case["id"].removeprefix("llamacpp/")]
    if case["match"] == "exact":
        assert made == expected
    elif case["match"] == "endswith":
        assert made.endswith(expected)
    else:
        assert expected in made


@pytest.mark.skipif(not CASES, reason=f"the shared data is not here: {FILE}")
def test_every_case_is_one_of_the_three_kinds() -> None:
    unsaid = {case["id"].removeprefix("llamacpp/") for case in CASES if not case["expected_prompt"]}
    assert unsaid == set(ENDINGS) and len(CASES) == 54 and len(unsaid) == 33


def prompt(case: dict[str, Any], running: child.Child) -> str:
    """A system message where the template takes none joins the first user message, as our families do it (and
    llama.cpp: the cases that `plain_jinja2_equal: false` marks). `developer` is the HTTP edge's to translate."""
    file = case["template_file"] and DATA / "chat_templates" / case["template_file"]
    template = case.get("template") or (file.read_text() if file else None)
    speaker = family.detect(header(template))
    said = speaker.adapt(tuple(message(turn) for turn in case["messages"]))
    tools = [tool["function"] for tool in case["tools"] or ()]
    record = Render(
        7,
        speaker.template,
        said,
        bos=case.get("bos_token") or "",
        eos=case.get("eos_token") or "",
        today="2026-03-04",
        tools=tuple(ToolSpec(tool["name"], tool["description"], tool["parameters"]) for tool in tools),
        options={"enable_thinking": True} if "reasoning-auto" in case["id"] else {},
        continues=not case["add_generation_prompt"] and said[-1].role == "assistant",
    )
    running.channel.send(record)
    assert running.channel.wait(60)
    answer = running.channel.receive()
    assert isinstance(answer, Rendered), answer
    return "".join(segment.text for segment in answer.segments)


def header(template: str | None) -> gguf.Header:
    """A file of a model that has this template or, for the case that has none, the marks of Llama 3."""
    marks = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    fields: dict[str, Any] = {"tokenizer.ggml.tokens": marks, "tokenizer.ggml.token_type": [3, 3, 3]}
    fields |= {"general.architecture": "llama"} | ({"tokenizer.chat_template": template} if template else {})
    return gguf.Header(3, "llama", fields, (), 32, 0, 0)


def message(turn: dict[str, Any]) -> Message:
    calls = (call["function"] | {"id": call["id"]} for call in turn.get("tool_calls", ()))
    return Message(
        {"developer": "system"}.get(turn["role"], turn["role"]),
        turn["content"],
        calls=tuple(ToolCall(call["name"], json.loads(call["arguments"]), call["id"]) for call in calls),
        reasoning=turn.get("reasoning_content", ""),
        call_id=turn.get("tool_call_id", ""),
        name=turn.get("name", ""),
    )
