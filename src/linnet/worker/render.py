"""The model-less child: `python -P -m linnet.worker.render SOCKET_FD PARENT_PID`.

Chat templates -> segments of prompt. A template is a program out of a model file: Jinja's sandbox keeps it
from Python, this process keeps it from the rest. No files, no network, bounded memory, and a parent that
kills it when its time is up.
"""

from __future__ import annotations

import sys
import time
from itertools import groupby
from pathlib import Path

from linnet.channel import Channel
from linnet.errors import LinnetError, ProtocolBroken, TemplateFailed
from linnet.limits import LIMITS
from linnet.messages import Message, ToolCall, ToolSpec
from linnet.protocol import Load, Ready, Render, Rendered, Stop, failed
from linnet.requests import Segment
from linnet.worker import errand, lockdown
from linnet.worker.prompts import prompt


def render(record: Render) -> Rendered:
    """The prompt, in whose trusted segments alone control tokens may be recognised.

    Neighbours differ in trust and none is empty. Raises TemplateFailed, with the template's own message, and
    what linnet.worker.prompts says.
    """
    pieces, notes = prompt(record)
    segments = [*((piece.text, piece.trusted) for piece in pieces), (record.answer_start, True)]
    groups = groupby((s for s in segments if s[0]), key=lambda segment: segment[1])
    merged = tuple(Segment("".join(text for text, _ in group), trusted) for trusted, group in groups)
    return Rendered(record.id, merged, tuple(dict.fromkeys(notes)))


# --- the child -----------------------------------------------------------------------------------


def main() -> int:
    return errand.live(sys.argv, Load, _live)


def _live(load: Load, channel: Channel) -> None:
    _start(channel, load)
    _serve(channel)


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
            channel.send(render(record))
        except LinnetError as error:
            channel.send(failed(record.id, error))


def _warm_up() -> None:
    """Have Jinja import what it imports late, before there are no files any more: also for its errors."""
    everything = "{% generation %}{{ [messages, tools] | tojson }}{{ strftime_now('%A') }}{% endgeneration %}"
    said = (Message("user", "warm"), Message("assistant", "", calls=(ToolCall("warm", {"a": 1}),)))
    for template in (everything, "{{ raise_exception('warm') }}", "{% if %}"):
        try:
            render(Render(0, template, said, today="2000-01-01", tools=(ToolSpec("warm"),), options={"a": 1}))
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
