"""How a model likes to be spoken to: header and chat template -> Family.

Hides the marks by which families are told apart. They are looked for in the architecture, the tokenizer
and the template, never in the name of the file, which is anybody's choice. Templates are only searched
here, in time linear in their length; they are rendered in the model-less child.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from pydantic.dataclasses import dataclass

from linnet.messages import STRICT, Message
from linnet.models.gguf import Header
from linnet.requests import Sampling

Name = Literal["smollm2", "chatml", "llama3", "gemma", "qwen", "unknown"]


@dataclass(frozen=True, config=STRICT)
class Family:
    """`detected` names the fields of the header that decided, and what was found in them.

    `bos` and `eos` are token texts, empty if the file names none; `stops` are the token texts or strings
    that end a turn. `system_fallback` is the text that joins a system message to the first user message
    where the template takes none, and None where it takes one. `thinking` are the markers around a model's
    own reasoning, None if its template knows of none. `context` is what it was trained for, in tokens.
    """

    name: Name
    detected: tuple[str, ...]
    template: str
    bos: str
    eos: str
    stops: tuple[str, ...]
    system_fallback: str | None
    thinking: tuple[str, str] | None
    context: int
    sampling: Sampling

    @property
    def takes_system(self) -> bool:
        return self.system_fallback is None

    def adapt(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """The messages as the template takes them: it may want system text inside the first user message.

        What they become together is trusted only if all of its parts are.
        """
        if self.system_fallback is None:
            return messages
        count = next((i for i, m in enumerate(messages) if m.role != "system"), len(messages))
        return _folded(messages[:count], messages[count:], self.system_fallback)


def detect(header: Header) -> Family:
    """The family of a model, or `unknown` with the template that it carries, or the plainest one."""
    vocabulary = _marks_in(header)
    template, sources = _template(header, vocabulary)
    name, detected = _name(header, template, sources)
    bos, eos = (_token(header, f"tokenizer.ggml.{kind}_token_id") for kind in ("bos", "eos"))
    thinking = next((pair for sign, pair in _THINKING.items() if sign in template), None)
    ends = vocabulary.difference(thinking or ())
    return Family(
        name=name,
        detected=detected,
        template=template,
        bos=bos,
        eos=eos,
        stops=_stops(header, template, eos, ends),
        system_fallback=None if _takes_system(template) else _JOINTS.get(name, "\n"),
        thinking=thinking,
        context=_context(header),
        sampling=_THOUGHTFUL if name == "qwen" and thinking else _SAMPLING.get(name, Sampling()),
    )


# --- what families are known by ------------------------------------------------------------------


class _Dialect(NamedTuple):
    """A way to mark turns, known by the text that opens one."""

    opening: str
    name: Name
    ends: tuple[str, ...]
    fallback: str


_DIALECTS = (
    _Dialect(
        "<|im_start|>",
        "chatml",
        ("<|im_end|>",),
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}{{ '<|im_start|>assistant\n' }}",
    ),
    _Dialect(
        "<|start_header_id|>",
        "llama3",
        ("<|eot_id|>", "<|eom_id|>"),
        "{{ bos_token }}{% for message in messages %}"
        "<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n{{ message.content | trim }}<|eot_id|>"
        "{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}",
    ),
    _Dialect(
        "<start_of_turn>",
        "gemma",
        ("<end_of_turn>",),
        "{{ bos_token }}{% for message in messages %}"
        "<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n"
        "{{ message.content | trim }}<end_of_turn>\n{% endfor %}{{ '<start_of_turn>model\n' }}",
    ),
    _Dialect("<|turn>", "gemma", ("<turn|>",), ""),  # Gemma 4, whose files all bring their template
)

_PLAIN = (
    "{% for message in messages %}{{ message.role | capitalize }}: {{ message.content | trim }}\n"
    "{% endfor %}Assistant:"
)
_PLAIN_STOP = "\nUser:"

_ENDS = (*(end for d in _DIALECTS for end in d.ends), "<|end|>", "<|endoftext|>", "<|end_of_text|>", "</s>")
"""Tokens that end a turn or a text in every vocabulary that has them as control tokens."""

_THINKING = {
    "</think>": ("<think>", "</think>"),
    "[/THINK]": ("[THINK]", "[/THINK]"),
    "<|END_THINKING|>": ("<|START_THINKING|>", "<|END_THINKING|>"),
    "<channel|>": ("<|channel>thought", "<channel|>"),
    "<|channel|>analysis": ("<|channel|>analysis<|message|>", "<|end|>"),
}
"""What a template says if its model thinks -> the markers around the thoughts."""

_SAMPLING: dict[str, Sampling] = {
    # model card of HuggingFaceTB/SmolLM2-135M-Instruct
    "smollm2": Sampling(temperature=0.2, top_p=0.9),
    # generation_config.json of meta-llama/Llama-3.1-8B-Instruct and Llama-3.2-3B-Instruct
    "llama3": Sampling(temperature=0.6, top_p=0.9),
    # generation_config.json of google/gemma-3-4b-it (it leaves the temperature at 1)
    "gemma": Sampling(temperature=1.0, top_p=0.95, top_k=64),
    # generation_config.json of Qwen/Qwen2.5-7B-Instruct; the model card of Qwen3 says so without thinking
    "qwen": Sampling(temperature=0.7, top_p=0.8, top_k=20),
}
_THOUGHTFUL = Sampling(temperature=0.6, top_p=0.95, top_k=20)
"""Model card of Qwen/Qwen3-0.6B, with thinking."""

_DEFAULT_CONTEXT = 2_048
"""For a file that does not say: the least of any model of these families."""


# --- how they are told apart ---------------------------------------------------------------------


def _marks_in(header: Header) -> frozenset[str]:
    """Those of the marks above that are whole tokens, and control tokens where the file tells kinds apart."""
    wanted = {*_ENDS, *(d.opening for d in _DIALECTS)}
    kinds = header.metadata.get("tokenizer.ggml.token_type")
    tokens = header.texts("tokenizer.ggml.tokens")
    special = (3, 4)  # CONTROL and USER_DEFINED of llama.cpp
    known = kinds if not isinstance(kinds, int | float | str | None) and len(kinds) == len(tokens) else None
    return frozenset(t for i, t in enumerate(tokens) if t in wanted and (known is None or known[i] in special))


def _template(header: Header, vocabulary: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """The chat template, and the fields it comes from: its own, or the turn marks in the vocabulary."""
    own = header.text("tokenizer.chat_template")
    if own and own.strip():
        return own, ("tokenizer.chat_template",)
    absent = "tokenizer.chat_template: absent"
    for dialect in _DIALECTS:
        if dialect.fallback and dialect.opening in vocabulary:
            return dialect.fallback, (absent, "tokenizer.ggml.tokens")
    return _PLAIN, (absent, "tokenizer.ggml.tokens")


def _name(header: Header, template: str, sources: tuple[str, ...]) -> tuple[Name, tuple[str, ...]]:
    *before, source = sources
    dialect = next((d for d in _DIALECTS if d.opening in template), None)
    if dialect is None:
        return "unknown", (*before, f"{source}: no known mark of a turn")
    detected = (*before, f"{source}: {dialect.opening}")
    if dialect.name == "chatml":
        for key, prefix, name in _CHATML_KIN:
            if (value := header.text(key) or "").startswith(prefix):
                return name, (*detected, f"{key}: {value[:80]}")
    return dialect.name, detected


_CHATML_KIN: tuple[tuple[str, str, Name], ...] = (
    ("tokenizer.ggml.pre", "smollm", "smollm2"),
    ("tokenizer.ggml.pre", "qwen", "qwen"),
    ("general.architecture", "qwen", "qwen"),
)


def _token(header: Header, key: str) -> str:
    """The text of the token that a field names; empty when it names none."""
    index, tokens = header.integer(key), header.texts("tokenizer.ggml.tokens")
    return tokens[index] if index is not None and 0 <= index < len(tokens) else ""


def _stops(header: Header, template: str, eos: str, vocabulary: frozenset[str]) -> tuple[str, ...]:
    ids = (_token(header, f"tokenizer.ggml.{kind}_token_id") for kind in ("eot", "eom"))
    ends = (end for end in _ENDS if end in vocabulary)
    plain = (_PLAIN_STOP,) if template is _PLAIN else ()
    return tuple(dict.fromkeys(stop for stop in (eos, *ids, *ends, *plain) if stop))


def _context(header: Header) -> int:
    trained = header.integer(f"{header.architecture}.context_length")
    return trained if trained and trained > 0 else _DEFAULT_CONTEXT


# --- system messages -----------------------------------------------------------------------------

_REFUSES_SYSTEM = re.compile(
    r"raise_exception\(\s{0,9}['\"][^'\"\n]{0,20}system[^'\"\n]{0,40}not supported", re.IGNORECASE
)
_MENTIONED = re.compile(r"['\"](system|user|assistant)['\"]")
_PRINTS_ROLE = re.compile(r"(?:[+~]|\{\{-?)\s{0,9}\w{1,40}(?:\[\w{1,40}\])?(?:\.role\b|\[['\"]role['\"]\])")

_JOINTS = {"gemma": "\n\n"}
"""What joins a system message to a user message: an empty line for Gemma, whose later templates do so
themselves; else one newline, as llama.cpp does."""


def _takes_system(template: str) -> bool:
    """Whether a system message has a place: by name, because any role is printed as it comes, or because a
    template that tells only one other role apart leaves all the rest to the same branch."""
    if _REFUSES_SYSTEM.search(template):
        return False
    roles = set(_MENTIONED.findall(template))
    return "system" in roles or roles != {"user", "assistant"} or bool(_PRINTS_ROLE.search(template))


def _folded(system: tuple[Message, ...], rest: tuple[Message, ...], joint: str) -> tuple[Message, ...]:
    if not system:
        return rest
    user, rest = (rest[:1], rest[1:]) if rest and rest[0].role == "user" else ((), rest)
    parts = (*system, *user)
    content = joint.join(part.content for part in parts)
    return (Message("user", content, trusted=all(part.trusted for part in parts)), *rest)
