"""The table of families: which shape a model's calls have, its markers, and how it thinks. And `parse`.

A family is a row, never a class. `auto` looks for the first marker in the text that only one row has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from linnet.calling.dialects.array import Array
from linnet.calling.dialects.bare import Bare
from linnet.calling.dialects.deepseek import Deepseek
from linnet.calling.dialects.dialect import Dialect, Offer
from linnet.calling.dialects.gemma import Gemma
from linnet.calling.dialects.glm import Glm
from linnet.calling.dialects.harmony import Harmony
from linnet.calling.dialects.hermes import Hermes
from linnet.calling.dialects.mistral import Mistral
from linnet.calling.dialects.parsed import Parsed, gathered
from linnet.calling.dialects.parser import Reader, Thinking
from linnet.calling.dialects.pythonic import Pythonic
from linnet.calling.dialects.tags import Tags
from linnet.calling.dialects.xml import Xml
from linnet.errors import InputInvalid, RequestTooLarge
from linnet.limits import LIMITS
from linnet.tools import Tool

THINK = Thinking()
NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Family:
    """A row: the shape with its markers, and what Reader wants to know beside it."""

    dialect: Dialect
    thinking: Thinking = THINK
    starts_in_reasoning: bool = False
    always_splits: bool = False
    """Thinking is split off even where the caller asked to leave it in: it has no mark that would show it."""
    strict: str = ""
    sentencepiece: bool = False


_GEMMA_THINKS = Thinking("<|channel>", "<channel|>", "thought\n")
_FENCES = (("```json", "```"), ("```", "```"))
_XLAM = (("[TOOL_CALLS]", ""), ("<tool_call>", "</tool_call>"), *_FENCES)
_MINICPM = Tags(
    ("", ""), ('<function name="', '">'), ('<param name="', '">'), ("</function>", "</param>"), exact=True
)
_INVOKE = Tags(
    ("<function_calls>", "</function_calls>"),
    ('<invoke name="', '">'),
    ('<parameter name="', '">'),
    ("</invoke>", "</parameter>"),
    exact=True,
    shared=True,
)
_PYTHONIC = Pythonic(also=("<|python_start|>",), after="<|python_end|>")
_TOOL_CODE = Pythonic("```tool_code", "```", listed=False, also=("```tool_call",))

FAMILIES: dict[str, Family] = {
    # <tool_call>{"name": ..., "arguments": ...}</tool_call>
    **dict.fromkeys(("hermes", "qwen", "qwen25", "qwen2.5", "qwen3", "smollm3", "granite4"), Family(Hermes())),
    **dict.fromkeys(("smollm2", "reka", "hunyuan"), Family(Hermes())),
    "reasoning_think": Family(Hermes(), starts_in_reasoning=True),
    "granite_20b_fc": Family(Hermes("<function_call>", "")),
    # <tool_call><function=f><parameter=k>v</parameter></function></tool_call>
    **dict.fromkeys(("qwen3_coder", "qwen3_5", "qwen3.5", "minicpmv"), Family(Tags())),
    "granite_thinking": Family(Tags(), starts_in_reasoning=False),
    "nemotron3": Family(Tags(), starts_in_reasoning=True, always_splits=True),
    "minicpm5": Family(_MINICPM, strict="schema", sentencepiece=True),
    "invoke": Family(_INVOKE),
    # JSON with no marker
    "llama3": Family(Bare((("<|python_tag|>", ""),), key="parameters")),
    "json": Family(Bare(listed=True)),
    "hammer": Family(Bare(_FENCES, listed=True)),
    "forced_json": Family(Bare(key="parameters", listed=True)),
    "xlam": Family(Bare(_XLAM, listed=True)),
    # [f(a=1), g()]
    **dict.fromkeys(("pythonic", "toolace", "llama3_pythonic", "llama4_pythonic"), Family(_PYTHONIC)),
    "lfm2": Family(Pythonic("<|tool_call_start|>", "<|tool_call_end|>")),
    "olmo3": Family(Pythonic("<function_calls>", "</function_calls>", listed=False)),
    "gemma3": Family(_TOOL_CODE),
    # a marker and a JSON array
    "phi4_mini": Family(Array(("functools",))),
    "granite": Family(Array(("<|tool_call|>", "<tool_call>"))),
    # their own
    "mistral": Family(Mistral(), Thinking("[THINK]", "[/THINK]")),
    "ministral": Family(Mistral(listed=False), Thinking("[THINK]", "[/THINK]")),
    "gemma4": Family(Gemma(), _GEMMA_THINKS),
    "functiongemma": Family(Gemma("<start_function_call>", "<end_function_call>", "<escape>")),
    **dict.fromkeys(("glm4", "glm", "glm45", "glm47"), Family(Glm(), strict="name")),
    **dict.fromkeys(("deepseek_v3", "deepseek_r1", "deepseek"), Family(Deepseek())),
    "deepseek_v31": Family(Deepseek(fenced=False)),
    "gpt_oss": Family(Harmony()),
    "xml": Family(Xml(), strict="schema"),
}

_NAME = r"[A-Za-z_][\w.\-]{0,127}"
_SIGNS: tuple[tuple[str, str], ...] = (
    (r"<\|tool_call>|<\|channel>", "gemma4"),
    (r"<start_function_call>", "functiongemma"),
    (r"<\|tool_call\|>", "granite"),
    (r"<\|tool_call_start\|>", "lfm2"),
    (r"<function_calls>\s{0,8}<|<invoke name=", "invoke"),
    (r"<function_calls>", "olmo3"),
    (r"\[TOOL_CALLS\]", "mistral"),
    (r"functools\s{0,4}\[", "phi4_mini"),
    (r"<\|python_tag\|>", "llama3"),
    (r"<｜tool▁call", "deepseek"),
    (r"<\|channel\|>|<\|start\|>|<\|message\|>", "gpt_oss"),
    (r'<function name="', "minicpm5"),
    (r"<tool_call>\s{0,8}(?:</?function=|</tool_call>)|<function=", "qwen3_coder"),
    (r"<tool_call>\s{0,8}\[", "xlam"),
    (r"<tool_call>\s{0,8}[\w.:/\-]{1,128}\s{0,8}<arg_key>", "glm4"),
    (r"<tool_call>\s{0,8}<?\Z", "qwen3_coder"),
    (r"<tool_call>", "hermes"),
    (r"<function_call>", "granite_20b_fc"),
    (r"```tool_code", "gemma3"),
    (rf"\[\s{{0,8}}{_NAME}\(|<\|python_start\|>", "pythonic"),
    (r"<tool>", "xml"),
)
_BEGINS = re.compile(r"\s*+(?:<think>.*?</think>\s*+)?[\[{]", re.DOTALL)


@cache
def _signs() -> re.Pattern[str]:
    forms = "|".join(f"(?P<f{place}>{sign})" for place, (sign, _) in enumerate(_SIGNS))
    return re.compile(rf"(?=[<\[f`])(?:{forms})")


def detect(text: str) -> str:
    """The family whose marker comes first in the text; `json` where no other does, bare JSON included."""
    found = _signs().search(text)
    begins = _BEGINS.match(text)
    if begins and not (found and found.start() <= begins.end()):
        return "json"
    return _SIGNS[int((found.lastgroup or "f0")[1:])][1] if found else "json"


def known(name: str) -> str:
    """The name of a row as the table has it, or `auto`; "" when there is none."""
    key = name.strip().lower().replace("-", "_")
    return key if key in FAMILIES or key == "auto" else ""


def family(name: str) -> Family:
    """The row of that name; raises InputInvalid with the names that there are."""
    key = known(name)
    if key in FAMILIES:
        return FAMILIES[key]
    raise InputInvalid(f"there is no dialect {name!r}", hint=f"Known are auto, {', '.join(FAMILIES)}.", dialect=name)


def reader(
    name: str,
    tools: Iterable[Tool | Mapping[str, Any]] | Offer = (),
    *,
    full: bool = True,
    options: Mapping[str, Any] = NONE,
) -> Reader:
    """How the texts of a family are read. `options`: `starts_in_reasoning`, `tool_choice` (`{"function":
    {"name": f}}` where the text may be the arguments of `f` and nothing else)."""
    row = family(name)
    starts = options.get("starts_in_reasoning")
    return Reader(
        _forced(row.dialect, options.get("tool_choice")),
        tools if isinstance(tools, Offer) else Offer.of(tools),
        row.thinking,
        row.starts_in_reasoning if starts is None else bool(starts),
        full or row.always_splits,
        row.strict,
        row.sentencepiece,
    )


def _forced(dialect: Dialect, choice: Any) -> Dialect:
    inner = choice.get("function") if isinstance(choice, Mapping) else None
    name = inner.get("name") if isinstance(inner, Mapping) else None
    return replace(dialect, forced=name) if isinstance(dialect, Bare) and isinstance(name, str) else dialect


def parse(
    text: str,
    name: str = "auto",
    tools: Sequence[Tool | Mapping[str, Any]] = (),
    *,
    full: bool = True,
    options: Mapping[str, Any] = NONE,
) -> Parsed:
    """A whole text of a model: its content, reasoning and calls. `name` is a family's, or `auto`; `options` as
    for `reader`.

    A lone end of thinking, in a whole text, means that the prompt began it. Raises RequestTooLarge over
    `LIMITS.parse_chars`, InputInvalid for an unknown family; the text itself cannot be wrong.
    """
    if len(text) > LIMITS.parse_chars:
        raise RequestTooLarge(f"the text has {len(text):,} characters, over {LIMITS.parse_chars:,}")
    name = detect(text) if name == "auto" else name
    offer = Offer.of(tools)
    how = reader(name, offer, full=full, options=options)
    if options.get("starts_in_reasoning") is None and _ends_thinking(text, how.thinking):
        how = replace(how, starts_in_reasoning=True)
    parsed = gathered(how.events(text), f"native:{name}", offer.schemas if offer.known else None)
    return _never_empty(parsed) if _wants_content(options) else parsed


def _ends_thinking(text: str, thinking: Thinking) -> bool:
    """Whether the first mark of thinking in the text is one that ends it."""
    end = text.find(thinking.end)
    return end >= 0 and thinking.begin not in text[:end]


def _wants_content(options: Mapping[str, Any]) -> bool:
    wanted = options.get("chat_template_kwargs")
    return isinstance(wanted, Mapping) and bool(wanted.get("force_nonempty_content"))


def _never_empty(parsed: Parsed) -> Parsed:
    """For a caller who cannot do with an answer that is all thinking: then the thinking is the answer."""
    if parsed.content or parsed.calls:
        return parsed
    return replace(parsed, content=parsed.reasoning, reasoning="")
