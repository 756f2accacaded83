"""The model-less child: `python -P -m linnet.worker.render SOCKET_FD PARENT_PID`.

Chat templates -> segments of prompt. A template is a program out of a model file: Jinja's sandbox keeps it
from Python, this process keeps it from the rest. No files, no network, bounded memory, and a parent that
kills it when its time is up.

How trust survives the template: it is rendered once plainly, and once with a secret mark in the place of
every text that is not trusted. What stands around the marks is then the template's own, whatever the
texts say, and it alone is trusted. What stands between:

1. The texts themselves, if that gives the plain rendering: nearly always. White space at the edges of a
   text stays outside its mark, so that a template that trims finds it there, and the two agree all the same.
2. If it does not, the template rewrote a text (it dropped old thoughts, it escaped something). Rendered
   once more for each text, with that one alone unmarked, it shows what it makes of each.
3. If that does not give the plain rendering either, a text has steered the markup, as one that claims to be
   a tool's answer may. That is not for untrusted text to do: the markup around the marks stands.

A mark that is lost, broken or doubled, or markup that changes with the marks, leaves nothing that is known
to be the template's own. The plain rendering is then one untrusted segment: no control token is in it.
The child does not say so otherwise; whoever asked sees that no segment of a template is trusted.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
import sys
import time
from collections.abc import Iterable
from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from jinja2 import Environment, Template, TemplateError, TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from linnet.errors import LinnetError, ProtocolBroken, TemplateFailed
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.protocol import Channel, Load, Ready, Render, Rendered, Stop, failed
from linnet.requests import Segment
from linnet.worker import lockdown

# --- trust ---------------------------------------------------------------------------------------


def render(record: Render) -> tuple[Segment, ...]:
    """The prompt, in whose trusted segments alone control tokens may be recognised.

    Neighbours differ in trust and none is empty. Raises TemplateFailed, with the template's own message.
    """
    contents = [message.content for message in record.messages]
    plain = _text(record, contents)
    texts = {i: m.content.strip() for i, m in enumerate(record.messages) if not m.trusted}
    hidden = {i: text for i, text in texts.items() if text}
    try:
        segments = _told_apart(record, contents, plain, hidden) if hidden else [Segment(plain, True)]
    except TemplateFailed:  # it bears these texts and no marks
        segments = [Segment(plain, False)]
    return _merged([*segments, Segment(record.answer_start, True)])


def _told_apart(record: Render, contents: list[str], plain: str, hidden: dict[int, str]) -> list[Segment]:
    """The prompt, cut into markup and texts. `hidden` are the texts, by the numbers of their messages."""
    secret = _secret([record.template, plain, *contents])
    opaque = _opaque(record, contents, hidden, secret)
    if sorted(opaque.found) != sorted(hidden):
        return [Segment(plain, False)]
    segments = _woven(opaque.markup, [hidden[i] for i in opaque.found])
    if _joined(segments) == plain:
        return segments
    segments = _woven(opaque.markup, [_rewritten(record, opaque, i, contents[i]) for i in opaque.found])
    if _joined(segments) == plain:
        return segments
    other = secret.translate(_NEXT_DIGIT) * 2  # differs in length and in every place
    if _opaque(record, contents, hidden, other).markup == opaque.markup:
        return segments
    return [Segment(plain, False)]


_NEXT_DIGIT = str.maketrans("0123456789", "1234567890")


def _secret(texts: list[str]) -> str:
    """Digits that stand in none of the texts: no filter trims, escapes or changes the case of a digit."""
    while True:
        secret = f"{secrets.randbelow(10**32):032}"
        if not any(secret in text for text in texts):
            return secret


class _Opaque(NamedTuple):
    """A rendering that saw marks in the place of texts."""

    contents: list[str]
    text: str
    markup: list[str]  # what stands around the marks in it
    found: list[int]  # the numbers of the marks, in order


def _opaque(record: Render, contents: list[str], hidden: dict[int, str], secret: str) -> _Opaque:
    marked = list(contents)
    for i, text in hidden.items():
        marked[i] = contents[i].replace(text, f"{secret}{i:06}{secret}", 1)
    whole = _text(record, marked)
    parts = re.split(f"{secret}([0-9]{{6}}){secret}", whole)
    return _Opaque(marked, whole, parts[::2], [int(number) for number in parts[1::2]])


def _rewritten(record: Render, opaque: _Opaque, i: int, content: str) -> str:
    """What the template makes of one text, seen between marks; the text itself if it moves the markup."""
    before, _, after = opaque.text.partition(opaque.contents[i].strip())
    text = _text(record, [*opaque.contents[:i], content, *opaque.contents[i + 1 :]])
    fits = len(before) + len(after) <= len(text) and text.startswith(before) and text.endswith(after)
    return text[len(before) : len(text) - len(after)] if fits else content.strip()


def _woven(markup: list[str], texts: list[str]) -> list[Segment]:
    """Markup and texts in turn; there is one more piece of markup."""
    pieces = [piece for pair in zip_longest(markup, texts, fillvalue="") for piece in pair]
    return [Segment(piece, i % 2 == 0) for i, piece in enumerate(pieces)]


def _joined(segments: Iterable[Segment]) -> str:
    return "".join(segment.text for segment in segments)


def _merged(segments: list[Segment]) -> tuple[Segment, ...]:
    groups = groupby((s for s in segments if s.text), key=lambda segment: segment.trusted)
    return tuple(Segment(_joined(group), trusted) for trusted, group in groups)


# --- templates -----------------------------------------------------------------------------------


def _text(record: Render, contents: list[str]) -> str:
    """One rendering, with these contents in the place of the messages' own."""
    budget = LIMITS.template_output + sum(len(content.encode()) for content in contents)
    pieces = []
    try:
        for piece in _compiled(record.template).generate(_variables(record, contents)):
            budget -= len(piece.encode())
            if budget < 0:
                raise TemplateError(f"it writes over {LIMITS.template_output} bytes beyond the messages")
            pieces.append(piece)
    except Exception as error:  # a foreign program ran: whatever it raises is its failure, not ours
        raise TemplateFailed(f"the model's chat template failed: {_told(error)}") from None
    return "".join(pieces)


def _variables(record: Render, contents: list[str]) -> dict[str, Any]:
    """What templates find. As in llama.cpp `tools` and `documents` are undefined where there are none, which
    more templates bear than None; and without a date there is no `strftime_now`."""
    pairs = zip(record.messages, contents, strict=True)
    variables = {
        "messages": [{"role": message.role, "content": content} for message, content in pairs],
        "add_generation_prompt": True,
        "bos_token": record.bos,
        "eos_token": record.eos,
    }
    if record.today:
        variables["strftime_now"] = datetime.fromisoformat(record.today).strftime
    return variables


@lru_cache(maxsize=1)
def _compiled(template: str) -> Template:
    return _environment().from_string(template)


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    del environment.globals["lipsum"]
    environment.globals["raise_exception"] = _raise_exception
    environment.filters["tojson"] = _tojson
    return environment


class _Generation(Extension):
    """`{% generation %}` marks answers for training; here what it encloses is rendered as it is."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.tags = {"generation"}

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    """As on the hub: unlike Jinja's own filter, it does not escape for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _told(error: Exception) -> str:
    """What the template says is wrong, or what Python says is wrong with it."""
    if not isinstance(error, TemplateError):
        return f"{type(error).__name__}: {error}"[:1_000].removesuffix(": ")
    line = f" (line {error.lineno})" if isinstance(error, TemplateSyntaxError) else ""
    return f"{error.message}"[:1_000] + line


# --- the child -----------------------------------------------------------------------------------


def main() -> int:
    lockdown.die_with_parent(int(sys.argv[2]))
    channel = Channel(socket.socket(fileno=int(sys.argv[1])), child=True)
    load = channel.receive()
    if not isinstance(load, Load):
        return 0 if load is None else 2
    try:
        _start(channel, load)
        _serve(channel)
    except (BrokenPipeError, ConnectionResetError):
        return 0
    except LinnetError as error:
        channel.send(failed(0, error))
        return 1
    return 0


def _start(channel: Channel, load: Load) -> None:
    began = time.monotonic()
    _warm_up()
    bounded = ("template_memory",) if _bound_memory() else ()
    enforced, missing = lockdown.apply(load.sandbox)
    unbounded = () if bounded else ("template_memory",)
    seconds = time.monotonic() - began
    channel.send(Ready("render", 0, 0, seconds, (*enforced, *bounded), (*missing, *unbounded)))


def _serve(channel: Channel) -> None:
    """Until a Stop or the end of the pipe."""
    while (record := channel.receive()) is not None and not isinstance(record, Stop):
        if not isinstance(record, Render):
            raise ProtocolBroken(f"the rendering child cannot take a {record.record} record")
        try:
            channel.send(Rendered(record.id, render(record)))
        except LinnetError as error:
            channel.send(failed(record.id, error))


def _warm_up() -> None:
    """Have Jinja import what it imports late, before there are no files any more: also for its errors."""
    everything = "{% generation %}{{ messages | tojson }}{{ strftime_now('%A') }}{% endgeneration %}"
    for template in (everything, "{{ raise_exception('warm') }}", "{% if %}"):
        try:
            render(Render(0, template, (Message("user", "warm"),), today="2000-01-01"))
        except TemplateFailed:
            continue


def _bound_memory() -> bool:
    """Limit the address space to what is in use and what one rendering may take. False if it cannot be."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return False
    limit = pages * resource.getpagesize() + LIMITS.template_memory
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return True


if __name__ == "__main__":
    sys.exit(main())
