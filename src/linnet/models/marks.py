"""What is in a header that tells families apart, and which family has such marks.

Looked at are the architecture, the tokenizer and the chat template; names, of the file or in it, are anybody's
choice and decide nothing.
"""

from __future__ import annotations

import difflib
from functools import cache
from typing import NamedTuple

from linnet.errors import SettingsInvalid
from linnet.models import infill
from linnet.models.families import Mark, Row, Turns, table
from linnet.models.gguf import Header
from linnet.models.texts import Texts

TEMPLATE, TOKENS, PRE = "tokenizer.chat_template", "tokenizer.ggml.tokens", "tokenizer.ggml.pre"

UNKNOWN = Row("a family that Linnet does not know")

_TEXT_ENDS = ("<|end|>", "<|endoftext|>", "<|end_of_text|>", "</s>")
"""Tokens that end a text, in every vocabulary that has them as control tokens."""


class Evidence(NamedTuple):
    """The marks of one header. `template` is its own, "" if it has none; `special` are those of the known tokens
    that are control tokens of its vocabulary; `turns` is how turns are marked, by the template, or else by the
    vocabulary."""

    header: Header
    template: str
    special: frozenset[str]
    turns: str

    @property
    def source(self) -> str:
        """The field that decided on the turns."""
        return TEMPLATE if self.template else TOKENS

    @property
    def ends(self) -> tuple[str, ...]:
        """The tokens of the vocabulary that end a turn or a text."""
        return tuple(end for end in _ends() if end in self.special)


def evidence(header: Header) -> Evidence:
    own = header.text(TEMPLATE)
    template = own if own and own.strip() else ""
    special = _special(header)
    return Evidence(header, template, special, _turns(template, special))


def recognise(found: Evidence) -> tuple[str, Row, tuple[str, ...]]:
    """The name and the row of the family, and the fields that decided with what is in them."""
    absent = () if found.template else (f"{TEMPLATE}: absent",)
    for name, row in table().families.items():
        for mark in row.marks:
            fields = _fits(mark, found)
            if fields is not None:
                return name, row, (*absent, *dict.fromkeys(fields))
    turns = f"turns open with {table().turns[found.turns].opening}" if found.turns else "no known mark of a turn"
    return "unknown", UNKNOWN, (*absent, f"{found.source}: {turns}")


def named(name: str) -> Row:
    """The row of that name. Raises SettingsInvalid with the nearest one."""
    rows = table().families
    if name in rows:
        return rows[name]
    near = difflib.get_close_matches(name[:100].lower(), rows, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(rows)}"
    raise SettingsInvalid(f"`family` is {name[:100]!r}, which is none; {guess}", near=near)


# --- what is looked for --------------------------------------------------------------------------


@cache
def _ends() -> tuple[str, ...]:
    data = table()
    turns = (end for turns in data.turns.values() for end in turns.ends)
    rows = (stop for row in data.families.values() for stop in row.stops)
    return tuple(dict.fromkeys((*turns, *_TEXT_ENDS, *rows)))


@cache
def _wanted() -> frozenset[bytes]:
    data = table()
    marks = (token for row in data.families.values() for mark in row.marks for token in mark.tokens)
    openings = (turns.opening for turns in data.turns.values())
    gaps = (token for known in infill.KNOWN for token in (known.prefix, known.suffix, known.middle))
    return frozenset(token.encode() for token in (*_ends(), *openings, *marks, *gaps))


def _special(header: Header) -> frozenset[str]:
    """Those of the wanted tokens that the vocabulary has, as control tokens where it tells kinds apart."""
    wanted = _wanted()
    tokens, kinds = header.texts(TOKENS), header.metadata.get("tokenizer.ggml.token_type")
    special = (3, 4)  # CONTROL and USER_DEFINED of llama.cpp
    known = kinds if not isinstance(kinds, int | float | str | None) and len(kinds) == len(tokens) else None
    raws = tokens.raws() if isinstance(tokens, Texts) else (token.encode(errors="replace") for token in tokens)
    return frozenset(
        raw.decode() for i, raw in enumerate(raws) if raw in wanted and (known is None or known[i] in special)
    )


def _turns(template: str, special: frozenset[str]) -> str:
    """The name of the way in which turns are marked; "" for none that is known."""
    known = table().turns.items()
    if template:
        return next((name for name, turns in known if turns.opening in template), "")
    return next((name for name, turns in known if _spoken(turns, special)), "")


def _spoken(turns: Turns, special: frozenset[str]) -> bool:
    return turns.opening in special and (not turns.ends or not special.isdisjoint(turns.ends))


# --- whether it is there -------------------------------------------------------------------------


def _fits(mark: Mark, found: Evidence) -> list[str] | None:
    """The fields that bear a mark out, with what is in them; None if they do not."""
    header, fields = found.header, []
    if mark.turns:
        if found.turns != mark.turns:
            return None
        fields.append(f"{found.source}: {table().turns[mark.turns].opening}")
    if not _has(mark.template, found.template) or any(sign in found.template for sign in mark.lacks):
        return None
    fields += [f"{TEMPLATE}: {sign}" for sign in mark.template]
    for key, options in (("general.architecture", mark.architecture), (PRE, mark.pre)):
        value = header.text(key)
        if options and value not in options:
            return None
        fields += [f"{key}: {value}"] if options else []
    if not found.special.issuperset(mark.tokens):
        return None
    fields += [f"{TOKENS}: {token}" for token in mark.tokens]
    for name, number in mark.numbers.items():
        key = f"{header.architecture}.{name}"
        if header.integer(key) != number:
            return None
        fields.append(f"{key}: {number}")
    return fields


def _has(signs: tuple[str, ...], template: str) -> bool:
    return all(sign in template for sign in signs)
