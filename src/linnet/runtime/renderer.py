"""The caller's side of the rendering child: messages in, segments out, and a template that misbehaves dies there."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Mapping
from itertools import count
from typing import Any

from linnet.errors import ProtocolBroken, RequestError, TemplateFailed
from linnet.limits import LIMITS, MIB, Sandbox
from linnet.messages import Message, ToolSpec
from linnet.protocol import Failed, Load, Ready, Render, Rendered, Stop
from linnet.runtime import child, postmortem
from linnet.runtime.silence import LOOK_SECONDS, Silence

RENDERER_BYTES = 40 * MIB
"""What the child holds between renderings: 36 MiB were measured. A template may take more while it runs."""


class Renderer:
    """Renders conversations with one model's chat template, one at a time.

    The child starts with the first rendering, or with `warm`; one that takes too long, or dies, is replaced
    by the next rendering.
    """

    def __init__(self, template: str, bos: str, eos: str, sandbox: Sandbox) -> None:
        self._template, self._bos, self._eos = template, bos, eos
        self._sandbox = sandbox
        self.missing: tuple[str, ...] = ()
        """What of the sandbox the last child could not enforce."""
        self._child: child.Child | None = None
        self._ready = False
        self._ids = count(1)
        self._lock = threading.Lock()

    def warm(self) -> None:
        """Start the child now, without waiting until it is ready."""
        with self._lock:
            self._ensure()

    @property
    def pid(self) -> int | None:
        running = self._child
        return running.pid if running else None

    def render(
        self,
        messages: tuple[Message, ...],
        answer_start: str = "",
        *,
        tools: tuple[ToolSpec, ...] = (),
        options: Mapping[str, Any] | None = None,
        continues: bool = False,
    ) -> Rendered:
        """The prompt, trusted markup apart from untrusted text, and notes on what the template could not say.

        With `continues` the last message is the beginning of the answer. Raises TemplateFailed;
        ToolsUnsupported if the template has no place for tools; RequestError for options or a beginning that
        cannot be.
        """
        options = dict(options or {})
        _check(messages, tools, options)
        with self._lock:
            request = Render(
                id=next(self._ids),
                template=self._template,
                messages=messages,
                bos=self._bos,
                eos=self._eos,
                answer_start=answer_start,
                today=datetime.date.today().isoformat(),
                tools=tools,
                options=options,
                continues=continues,
            )
            for last in (False, True):
                running = self._ensure()
                try:
                    running.post(request)
                    return self._await(running, request.id)
                except ValueError as error:  # nothing of it has left
                    raise RequestError(f"the conversation cannot be written as JSON: {str(error)[:300]}") from error
                except (OSError, EOFError, ProtocolBroken) as error:
                    code, words = self._forget(running)
                    if postmortem.from_outside(code) and not last:
                        continue  # killed by somebody, perhaps long ago: that is not the template's fault
                    broken = error if isinstance(error, ProtocolBroken) else None
                    cause = postmortem.explain(code, "render", words, broken=broken)
                    raise TemplateFailed(f"the chat template ended its process: {cause.message}") from error
        raise AssertionError("the loop returns or raises")

    def close(self) -> None:
        with self._lock:
            if self._child is not None:
                self._child.post(Stop())
                self._child.reap()
                self._child = None

    def _ensure(self) -> child.Child:
        if self._child is None:
            self._ready = False
            self._child = child.start("linnet.worker.render")
            self._child.post(Load(sandbox=self._sandbox))
        return self._child

    def _await(self, running: child.Child, id: int) -> Rendered:
        silence = Silence()
        while True:
            arrived = running.channel.wait(LOOK_SECONDS)
            match running.channel.pending() if arrived else None:
                case Ready(missing=missing) if not self._ready:
                    self.missing = missing
                    self._ready = True  # only from now on does the template itself run
                    silence.broken()
                case Rendered(id=answered) as rendered if answered == id:
                    return rendered
                case Failed() as failure:
                    if not failure.id:  # it could not start, and has left
                        self._forget(running)
                    raise failure.error()
            self._check_time(running, silence.look(running.pid, running.hands))

    def _check_time(self, running: child.Child, silence: Silence) -> None:
        """End a child that takes too long: the template's fault only where it could have run, and did render."""
        limit = LIMITS.template_seconds if self._ready else LIMITS.start_seconds
        stopped = silence.verdict(limit, LIMITS.starved_seconds)
        if not stopped:
            return
        code, words = self._forget(running)
        if stopped == "hung" and self._ready:
            raise TemplateFailed(f"the chat template took longer than {LIMITS.template_seconds:g} s")
        raise postmortem.explain(code, "render" if self._ready else "load", words, stopped=stopped)

    def _forget(self, running: child.Child) -> tuple[int, str]:
        running.kill()
        self._child = None
        return running.reap()


_OURS = frozenset({"messages", "tools", "add_generation_prompt", "bos_token", "eos_token", "strftime_now"})
"""Variables of templates that are no option: the rest of the request says them."""


def _check(messages: tuple[Message, ...], tools: tuple[ToolSpec, ...], options: dict[str, Any]) -> None:
    """Refuse here what the child could only refuse by giving up. Raises RequestError."""
    taken = sorted(_OURS.intersection(options))
    if taken:
        raise RequestError(f"{taken[0]!r} is no option of a chat template; the request itself says it")
    parts = [*(tool.parameters for tool in tools), options]
    parts += [call.arguments for message in messages for call in message.calls]
    if not all(_shallow(part, LIMITS.schema_depth) for part in parts):
        raise RequestError(f"a tool, a call or an option nests deeper than {LIMITS.schema_depth} levels")


def _shallow(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels >= 0 and all(_shallow(part, levels - 1) for part in inner)
