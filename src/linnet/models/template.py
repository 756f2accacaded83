"""What the text of a chat template tells, without rendering it: that is done in the model-less child.

A template is hostile: each search takes time linear in its length, and finds no more than words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic.dataclasses import dataclass

from linnet.messages import STRICT
from linnet.models.families import State


@dataclass(frozen=True, config=STRICT)
class Thinking:
    """The marks around a model's own reasoning. `switch` is the template's variable that turns it on and off, ""
    if it has none; `state` is what holds where nobody sets it."""

    begin: str
    end: str
    switch: str
    state: State


def thinking(text: str) -> Thinking | None:
    """How the template knows its model to think; None if it does not."""
    pair = next((pair for sign, pair in _MARKS.items() if sign in text), None)
    if pair is None:
        return None
    code = _code(text)
    if "enable_thinking" in code:
        return Thinking(*pair, "enable_thinking", _unset(code))
    if _ASKS_THINKING.search(code):
        return Thinking(*pair, "thinking", "off")
    return Thinking(*pair, "", "on" if _BEGINS_THINKING.search(text) else "free")


def tools(text: str) -> str:
    """The variable in which the template takes tools: `tools`, `xml_tools`, `message.tools` where they are to be a
    field of the system message; "" if it takes none."""
    code = _code(text)
    if _ASKS_TOOLS.search(code):
        return "tools"
    if "xml_tools" in code:
        return "xml_tools"
    return "message.tools" if _ASKS_MESSAGE_TOOLS.search(code) else ""


def takes_system(text: str) -> bool:
    """Whether a system message has a place: by name, because any role is printed as it comes, or because a
    template that tells only one other role apart leaves all the rest to the same branch."""
    if _REFUSES_SYSTEM.search(text):
        return False
    roles = set(_MENTIONED.findall(text))
    return "system" in roles or roles != {"user", "assistant"} or bool(_PRINTS_ROLE.search(text))


# --- thinking ------------------------------------------------------------------------------------

_MARKS = {
    "</think>": ("<think>", "</think>"),
    "[/THINK]": ("[THINK]", "[/THINK]"),
    "<|END_THINKING|>": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "<channel|>": ("<|channel>thought", "<channel|>"),
    "<|channel|>analysis": ("<|channel|>analysis<|message|>", "<|end|>"),
}
"""What a template says if its model thinks -> the marks around the thoughts."""

_ASKS_THINKING = re.compile(r"\b(?:if|elif|and|or|not) {1,9}thinking(?: {1,9}(?:is|and|or)\b| {0,9}$)", re.MULTILINE)
_BEGINS_THINKING = re.compile(r"(?:assistant(?:\\n|\n)|Assistant｜>)<think>")
_DENIED = re.compile(
    r"enable_thinking {0,9}(?:is|==) {0,9}false\b|enable_thinking is defined and not enable_thinking", re.IGNORECASE
)
_AFFIRMED = re.compile(
    r"enable_thinking {0,9}(?:is|==) {0,9}true\b|enable_thinking is defined and enable_thinking(?! is)", re.IGNORECASE
)
_PRESET = re.compile(
    r"enable_thinking {0,9}(?:= {0,9}true\b|\| {0,9}default\( {0,9}true\b|if enable_thinking is defined else true\b)",
    re.IGNORECASE,
)


def _unset(code: str) -> State:
    """What holds where `enable_thinking` is not defined, which in Jinja is neither false nor true."""
    if _PRESET.search(code):
        return "on"
    if _DENIED.search(code):
        return "free" if _AFFIRMED.search(code) else "on"
    return "off"  # what is only asked for, or `not enable_thinking`, holds for nothing at all too


# --- tools ---------------------------------------------------------------------------------------

_BEHIND = r"(?: {1,9}(?:is|and|or|not|if)\b| {0,9}(?:[|),]|$))"
_ASKS_TOOLS = re.compile(rf"(?:\b(?:if|elif|in|and|or|not) {{1,9}}|[=(] {{0,9}}|^)tools{_BEHIND}", re.MULTILINE)
_ASKS_MESSAGE_TOOLS = re.compile(r"message(?:\.tools\b|\[['\"]tools['\"]\])")

# --- roles ---------------------------------------------------------------------------------------

_REFUSES_SYSTEM = re.compile(
    r"raise_exception\(\s{0,9}['\"][^'\"\n]{0,20}system[^'\"\n]{0,40}not supported", re.IGNORECASE
)
_MENTIONED = re.compile(r"['\"](system|user|assistant)['\"]")
_PRINTS_ROLE = re.compile(r"(?:[+~]|\{\{-?)\s{0,9}\w{1,40}(?:\[\w{1,40}\])?(?:\.role\b|\[['\"]role['\"]\])")

# --- the program in a template -------------------------------------------------------------------


def _code(text: str) -> str:
    """What stands in tags, a tag to a line and any white space as one space."""
    return "\n".join(" ".join(tag.split()) for tag in _tags(text))


def _tags(text: str) -> Iterator[str]:
    """The insides of `{% %}` and `{{ }}`. Every character is looked at a bounded number of times: the search for
    an end goes on where the last one ended, and stops for good where there is none."""
    place = 0
    while begin := _BEGIN.search(text, place):
        end = text.find("%}" if begin[0] == "{%" else "}}", begin.end())
        if end < 0:
            return
        yield text[begin.end() : end].strip("-+ \n\t")
        place = end + 2


_BEGIN = re.compile(r"\{[%{]")
