"""Each family is known by the marks of its files, in small files that have them, whatever they are called."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from linnet.calling.dialects.families import FAMILIES
from linnet.errors import SettingsInvalid
from linnet.models import family, gguf
from linnet.models.families import table
from linnet.models.marks import named

HERE = Path(__file__).parent


def writer() -> Any:
    if "gguf_writer" not in sys.modules:
        spec = importlib.util.spec_from_file_location("gguf_writer", HERE / "gguf_writer.py")
        assert spec and spec.loader
        sys.modules["gguf_writer"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["gguf_writer"]


CONTROL = 3


@dataclass(frozen=True)
class Case:
    """What a file of a family has: `special` are control tokens, the first two are those of beginning and end."""

    name: str
    architecture: str
    pre: str
    special: tuple[str, ...]
    template: str | None
    stops: tuple[str, ...]
    dialect: str = ""
    takes_system: bool = True
    tools: str = ""
    thinking: tuple[str, str] | None = None  # switch and state
    numbers: tuple[tuple[str, int], ...] = ()

    @property
    def id(self) -> str:
        return f"{self.name}-{self.architecture}-{'template' if self.template else 'bare'}"


ROLES = "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}"
CHATML = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}"
HERMES = TOOLS + "<tool_call>\n{}\n</tool_call>"
TAGS = TOOLS + "<tool_call>\n<function=f>\n<parameter=k>\nv\n</parameter>"
ON = "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>{% endif %}"
LLAMA3 = "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>"
PARTED = (
    "{% if m.role == 'system' %}<<SYS>>{% endif %}{% if m.role == 'user' %}[INST]{% elif m.role == 'assistant' %}"
)
REFUSING = "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
GEMMA = "<start_of_turn>{{ 'model' if m.role == 'assistant' else 'user' }}<end_of_turn>"
ROLE_TAGS = "<|start_of_role|>{{ m.role }}<|end_of_role|>{{ m.content }}<|end_of_text|>"
BOTH = (
    "{% if m['role'] == 'user' %}{% elif m['role'] == 'assistant' %}{% else %}{{ raise_exception('!') }}{% endif %}"
)

IM = ("<|endoftext|>", "<|im_end|>", "<|im_start|>")
HEADERS = ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_of_text|>")
EOM = (*HEADERS, "<|eom_id|>")
GEMMA_TOKENS = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
S = ("<s>", "</s>")
ENDED = ("<|im_end|>", "<|endoftext|>")

CASES = [
    Case("llama2", "llama", "default", S, PARTED, ("</s>",)),
    Case("llama3", "llama", "llama-bpe", HEADERS, LLAMA3, ("<|eot_id|>", "<|end_of_text|>")),
    Case("llama3", "llama", "llama-bpe", HEADERS, None, ("<|eot_id|>", "<|end_of_text|>")),
    Case(
        "llama3.1",
        "llama",
        "llama-bpe",
        EOM,
        LLAMA3 + TOOLS + "{% if builtin_tools is defined %}<|python_tag|>{% endif %}",
        ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
        "llama3",
        tools="tools",
    ),
    Case(
        "llama3.2",
        "llama",
        "llama-bpe",
        EOM,
        LLAMA3
        + '{% if not tools_in_user_message is defined %}{% endif %}26 Jul 2024{"name": n, "parameters": p}'
        + TOOLS,
        ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
        "llama3",
        tools="tools",
    ),
    Case(
        "tinyllama",
        "llama",
        "default",
        S,
        "{{ '<|user|>\n' + m.content + eos_token }}{{ '<|system|>' }}<|assistant|>",
        ("</s>",),
        numbers=(("block_count", 22), ("embedding_length", 2048)),
    ),
    Case("qwen2.5", "qwen2", "qwen2", IM, CHATML + HERMES, ENDED, "hermes", tools="tools"),
    Case("qwen2.5", "qwen2", "qwen2", (*IM, "<tool_call>"), None, ENDED, "hermes"),
    Case("qwen2", "qwen2", "qwen2", IM, CHATML, ENDED),
    Case(
        "qwq",
        "qwen2",
        "qwen2",
        IM,
        CHATML + HERMES + "assistant\n<think>\n</think>",
        ENDED,
        "hermes",
        True,
        "tools",
        ("", "on"),
    ),
    Case(
        "qwen3", "qwen3", "qwen2", IM, CHATML + HERMES + ON, ENDED, "hermes", True, "tools", ("enable_thinking", "on")
    ),
    Case("qwen3", "qwen3", "qwen2", IM, None, ENDED, "hermes"),
    Case("qwen3-coder", "qwen3moe", "qwen2", IM, CHATML + TAGS, ENDED, "qwen3_coder", tools="tools"),
    Case(
        "qwen3.5",
        "qwen35",
        "qwen35",
        IM,
        CHATML + TAGS + ON,
        ENDED,
        "qwen3_coder",
        True,
        "tools",
        ("enable_thinking", "on"),
    ),
    Case("qwen3.5", "qwen35moe", "qwen35", IM, None, ENDED, "qwen3_coder"),
    Case("gemma", "gemma", "default", GEMMA_TOKENS, GEMMA + REFUSING, ("<eos>", "<end_of_turn>"), takes_system=False),
    Case(
        "gemma2", "gemma2", "default", GEMMA_TOKENS, GEMMA + REFUSING, ("<eos>", "<end_of_turn>"), takes_system=False
    ),
    Case("gemma3", "gemma3", "default", GEMMA_TOKENS, GEMMA + ROLES, ("<eos>", "<end_of_turn>"), "gemma3"),
    Case("gemma3", "gemma3", "default", GEMMA_TOKENS, None, ("<eos>", "<end_of_turn>"), "gemma3", False),
    Case(
        "functiongemma",
        "gemma3",
        "default",
        (*GEMMA_TOKENS, "<start_function_call>", "<start_function_response>"),
        GEMMA + ROLES + TOOLS + "<start_function_declaration><start_function_call>",
        ("<eos>", "<end_of_turn>", "<start_function_response>"),
        "functiongemma",
        tools="tools",
    ),
    Case(
        "functiongemma",
        "gemma3",
        "default",
        (*GEMMA_TOKENS, "<start_function_call>"),
        None,
        ("<eos>", "<end_of_turn>"),
        "functiongemma",
        False,
    ),
    Case(
        "gemma4",
        "gemma4",
        "gemma4",
        ("<bos>", "<eos>", "<|turn>", "<turn|>", "<|tool_response>"),
        "<|turn>{{ m.role }}<turn|>{% if enable_thinking is defined and enable_thinking %}<|think|>{% endif %}"
        + "<channel|><|tool_call>"
        + TOOLS,
        ("<eos>", "<turn|>", "<|tool_response>"),
        "gemma4",
        True,
        "tools",
        ("enable_thinking", "off"),
    ),
    Case(
        "phi3",
        "phi3",
        "default",
        ("<s>", "<|endoftext|>", "<|assistant|>", "<|user|>", "<|end|>"),
        None,
        ("<|endoftext|>", "<|end|>"),
    ),
    Case(
        "phi3",
        "phi3",
        "default",
        ("<s>", "<|endoftext|>", "<|end|>"),
        "<|system|><|user|>\n<|end|><|assistant|>",
        ("<|endoftext|>", "<|end|>"),
    ),
    Case(
        "phi4-mini",
        "phi3",
        "gpt-4o",
        ("<|endoftext|>", "<|endoftext|>", "<|end|>", "<|assistant|>", "<|tool|>"),
        "{% if m['role'] == 'system' and 'tools' in message and message['tools'] is not none %}"
        "<|tool|>{{ message['tools'] }}<|/tool|>{% endif %}{{ '<|' + m['role'] + '|>' }}<|end|><|assistant|>",
        ("<|endoftext|>", "<|end|>"),
        "phi4_mini",
        tools="message.tools",
    ),
    Case("phi4", "phi3", "dbrx", IM, "<|im_start|>system<|im_sep|>", ENDED),
    Case("smollm2", "llama", "smollm", IM, CHATML, ENDED, "smollm2"),
    Case("smollm2", "llama", "smollm", IM, None, ENDED, "smollm2"),
    Case(
        "smollm3",
        "smollm3",
        "smaug-bpe",
        ("<|begin_of_text|>", "<|im_end|>", "<|im_start|>", "<|end_of_text|>"),
        CHATML + "{% if xml_tools %}<tool_call>{% endif %}{% set enable_thinking = true %}<think></think>",
        ("<|im_end|>", "<|end_of_text|>"),
        "hermes",
        True,
        "xml_tools",
        ("enable_thinking", "on"),
    ),
    Case(
        "granite3",
        "granite",
        "refact",
        ("<|end_of_text|>", "<|end_of_text|>", "<|start_of_role|>", "<|tool_call|>"),
        ROLE_TAGS + TOOLS + "<|tool_call|>{% if tools %}{% elif thinking %}<think></think>{% endif %}",
        ("<|end_of_text|>",),
        "granite",
        True,
        "tools",
        ("thinking", "off"),
    ),
    Case(
        "granite4",
        "granitehybrid",
        "dbrx",
        ("<|end_of_text|>", "<|end_of_text|>", "<|start_of_role|>"),
        None,
        ("<|end_of_text|>",),
        "hermes",
    ),
    Case(
        "granite4",
        "granite",
        "dbrx",
        ("<|end_of_text|>",) * 2,
        ROLE_TAGS + HERMES,
        ("<|end_of_text|>",),
        "hermes",
        tools="tools",
    ),
    Case(
        "lfm2",
        "lfm2",
        "lfm2",
        ("<|startoftext|>", *IM[1:]),
        CHATML + TOOLS + "<|tool_list_start|>",
        ("<|im_end|>",),
        "lfm2",
        tools="tools",
    ),
    Case(
        "lfm2.5",
        "lfm2",
        "lfm2",
        ("<|startoftext|>", *IM[1:]),
        CHATML
        + TOOLS
        + "{% set keep_past_thinking = keep_past_thinking | default(false) %}{{ c.split('</think>') }}",
        ("<|im_end|>",),
        "lfm2",
        True,
        "tools",
        ("", "free"),
    ),
    Case("mistral", "llama", "default", (*S, "[INST]"), "[INST]" + BOTH, ("</s>",), takes_system=False),
    Case(
        "mistral",
        "llama",
        "tekken",
        (*S, "[INST]"),
        "[INST]" + ROLES + TOOLS + "[TOOL_CALLS]",
        ("</s>",),
        "mistral",
        tools="tools",
    ),
    Case(
        "mistral-small",
        "llama",
        "tekken",
        S,
        "[INST][SYSTEM_PROMPT]" + ROLES + TOOLS + "[TOOL_CALLS]f[ARGS]",
        ("</s>",),
        "ministral",
        tools="tools",
    ),
    Case(
        "ministral",
        "mistral3",
        "tekken",
        S,
        "[INST]" + ROLES + TOOLS + "[TOOL_CALLS]f[ARGS]",
        ("</s>",),
        "ministral",
        tools="tools",
    ),
    Case("ministral", "mistral3", "tekken", (*S, "[INST]"), None, ("</s>",), "ministral", False),
    Case(
        "ministral-reasoning",
        "mistral3",
        "tekken",
        S,
        "[INST][SYSTEM_PROMPT]" + ROLES + "[THINK][/THINK][TOOL_CALLS]f[ARGS]" + TOOLS,
        ("</s>",),
        "ministral",
        True,
        "tools",
        ("", "on"),
    ),
    *(
        Case(
            "deepseek-r1-distill",
            architecture,
            pre,
            ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>"),
            "<｜User｜>{{ 'system' }}<｜tool▁call▁begin｜>\n```json<｜Assistant｜><think>\n{{ c.split('</think>') }}",
            ("<｜end▁of▁sentence｜>",),
            "deepseek",
            thinking=("", "on"),
        )
        for architecture, pre in (("llama", "llama-bpe"), ("qwen2", "deepseek-r1-qwen"), ("qwen3", "qwen2"))
    ),
    Case("minicpm", "minicpm3", "default", (*S, *IM[1:]), CHATML, ("</s>", "<|im_end|>")),
    Case("minicpm", "minicpm", "default", S, "<用户>{{ m.content }}<AI>" + BOTH, ("</s>",), takes_system=False),
    Case(
        "minicpm5",
        "llama",
        "minicpm5",
        (*S, *IM[1:]),
        CHATML
        + TOOLS
        + '<function name="f"><param name="k">'
        + "{% if enable_thinking is false %}{% elif enable_thinking is true %}<think></think>{% endif %}",
        ("</s>", "<|im_end|>"),
        "minicpm5",
        True,
        "tools",
        ("enable_thinking", "free"),
    ),
    Case(
        "gpt-oss",
        "gpt-oss",
        "gpt-4o",
        ("<|startoftext|>", "<|return|>", "<|start|>", "<|channel|>", "<|end|>", "<|call|>"),
        "<|start|>{{ m.role }}<|message|><|channel|>analysis" + TOOLS,
        ("<|return|>", "<|call|>"),
        "gpt_oss",
        True,
        "tools",
        ("", "on"),
    ),
    Case(
        "gpt-oss",
        "gpt-oss",
        "gpt-4o",
        ("<|startoftext|>", "<|return|>", "<|start|>", "<|channel|>", "<|end|>", "<|call|>"),
        None,
        ("<|return|>", "<|call|>"),
        "gpt_oss",
        thinking=("", "on"),
    ),
    Case("chatml", "stablelm", "stablelm2", IM, CHATML, ENDED),
]


def written(case: Case, folder: Path, name: str = "model.gguf", **more: Any) -> gguf.Header:
    """The header of a file with these marks, read from the disk."""
    w = writer()
    tokens = ["a", "b", *case.special]
    begin = tokens.index(case.special[0])
    fields: dict[str, Any] = {
        "general.architecture": (w.STRING, case.architecture),
        f"{case.architecture}.context_length": (w.U32, 32_768),
        **{f"{case.architecture}.{key}": (w.U32, number) for key, number in case.numbers},
        "tokenizer.ggml.pre": (w.STRING, case.pre),
        "tokenizer.ggml.tokens": (w.STRING, tokens),
        "tokenizer.ggml.token_type": (w.I32, [1, 1] + [CONTROL] * len(case.special)),
        "tokenizer.ggml.bos_token_id": (w.U32, begin),
        "tokenizer.ggml.eos_token_id": (w.U32, begin + tokens[begin:].index(case.special[1])),
        **({"tokenizer.chat_template": (w.STRING, case.template)} if case.template else {}),
        **{key: (w.STRING, value) for key, value in more.items()},
    }
    path = folder / name
    path.write_bytes(w.Small(fields, {}).header())
    with gguf.open_model(path) as file:
        return gguf.read_header(file.fileno())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_is_known_by_its_marks(case: Case, tmp_path: Path) -> None:
    found = family.detect(written(case, tmp_path))
    assert found.name == case.name
    assert (found.stops, found.dialect, found.takes_system, found.tools) == (
        case.stops,
        case.dialect,
        case.takes_system,
        case.tools,
    )
    assert (found.thinking and (found.thinking.switch, found.thinking.state)) == case.thinking
    assert (found.bos, found.eos, found.context) == (case.special[0], case.special[1], 32_768)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_name_changes_it(case: Case, tmp_path: Path) -> None:
    """Neither that of the file nor those in it."""
    plain = family.detect(written(case, tmp_path))
    for name in ("Qwen3-0.6B-Q8_0.gguf", "gemma-3-1b-it.gguf", "gpt-oss-20b.gguf"):
        stem = Path(name).stem
        assert (
            family.detect(written(case, tmp_path, name, **{"general.name": stem, "general.basename": stem})) == plain
        )


def test_there_is_a_case_for_every_family() -> None:
    assert {case.name for case in CASES} == set(table().families)


def test_a_mark_less_is_another_family(tmp_path: Path) -> None:
    tiny = next(case for case in CASES if case.name == "tinyllama")
    assert family.detect(written(replace(tiny, numbers=()), tmp_path)).name == "unknown"
    qwen = next(case for case in CASES if case.name == "qwen3")
    assert family.detect(written(replace(qwen, architecture="stablelm"), tmp_path)).name == "chatml"


def test_tokens_that_are_not_control_tokens_are_no_marks(tmp_path: Path) -> None:
    header = written(next(case for case in CASES if case.id == "qwen3-qwen3-bare"), tmp_path)
    kinds = header.metadata["tokenizer.ggml.token_type"]
    header.metadata["tokenizer.ggml.token_type"] = type(kinds)("i", [1] * len(kinds))  # type: ignore[call-arg,arg-type]
    assert family.detect(header).name == "unknown"


# --- the data ------------------------------------------------------------------------------------


def test_every_dialect_is_one_that_linnet_reads() -> None:
    data = table()
    named = {row.dialect for row in data.families.values()} | {one.dialect for one in data.notations}
    assert named - {""} <= set(FAMILIES)


def test_every_advice_has_its_source() -> None:
    for name, row in table().families.items():
        for advice in filter(None, (row.advice, row.thoughtful)):
            assert (advice.source == "unknown") == (advice == type(advice)()), name


def test_marks_speak_of_turns_that_there_are() -> None:
    data = table()
    assert {mark.turns for row in data.families.values() for mark in row.marks} - {""} <= set(data.turns)
    assert all(row.marks and row.title for row in data.families.values())


def test_a_family_can_be_named(tmp_path: Path) -> None:
    header = written(next(case for case in CASES if case.name == "qwen3"), tmp_path)
    found = family.detect(header, name="smollm3")
    assert (found.name, found.detected) == ("smollm3", ("settings: smollm3",))
    assert found.template == header.text("tokenizer.chat_template")
    with pytest.raises(SettingsInvalid, match=r"`family` is 'qwen-3', which is none; did you mean 'qwen3'\?"):
        named("qwen-3")
    with pytest.raises(SettingsInvalid, match="there are: gpt-oss, functiongemma"):
        named("x" * 100_000)


# --- real vocabularies ---------------------------------------------------------------------------

VOCABULARIES = {
    "gemma-4": "gemma4",
    "llama-bpe": "llama3",
    "llama-spm": "unknown",
    "phi-3": "phi3",
    "qwen2": "qwen2",
    "gpt-2": "unknown",
    "command-r": "unknown",
}


@pytest.mark.parametrize(("name", "expected"), VOCABULARIES.items())
def test_real_vocabularies(name: str, expected: str) -> None:
    """Those that the source package of llama-cpp-python carries, below vendor/llama.cpp/models."""
    folder = os.environ.get("GGML_VOCABULARIES")
    if not folder:
        pytest.skip("GGML_VOCABULARIES does not name a folder with the ggml-vocab-*.gguf of llama.cpp")
    with gguf.open_model(Path(folder) / f"ggml-vocab-{name}.gguf") as file:
        found = family.detect(gguf.read_header(file.fileno()))
    assert found.name == expected
    assert found.eos in found.stops and re.fullmatch(r"file: [\w.-]+\.context_length", found.origins["context"])
