"""Agent: tools and a model, wired so that a request becomes an answer that says how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from linnet.agent.execute import Approve
from linnet.agent.result import Result
from linnet.agent.turn import Turn
from linnet.errors import EmptyRequest, RequestTooLarge, ToolInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Model
from linnet.runtime.local import LocalModel, open_local
from linnet.tools import Permission, Tool


class Agent:
    """Answers requests with tools, on a small model in a process of its own.

    `tools` are offered beside the calculator and, with a `root` folder, the file tools, which may read
    below it and nowhere else. `model` is a name, the path of a .gguf file, or any Model. `allow` are
    permissions given beforehand; `approve(tool, call)` is asked for others, and without it they are denied.
    Processes start with the first request that needs the model, and end with `close` or the `with` block.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        model: str | Model = "default",
        *,
        root: str | Path | None = None,
        allow: Iterable[Permission | str] = (),
        approve: Approve | None = None,
        builtin: bool = True,
        margin: float | None = None,
        **options: Any,
    ) -> None:
        self._tools = (*tools, *(_builtin(root) if builtin else ()))
        _check_names(self._tools)
        self._granted = frozenset({Permission.READ_FILES} if root else ()) | {Permission(p) for p in allow}
        self._approve = approve
        self._margin = margin
        self._own: LocalModel | None = open_local(model, **options) if isinstance(model, str) else None
        self._model: Model = model if not isinstance(model, str) else self._own  # type: ignore[assignment]

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    @property
    def model(self) -> Model:
        return self._model

    def run(self, text: str, history: Sequence[Message] = ()) -> Result:
        """Answer one request. Raises a LinnetError for a request, model or engine at fault; what a tool does
        wrong is in the result."""
        _check_text(text)
        turn = Turn(self._model, self._tools, self._granted, self._approve, self._margin)
        return turn.run(text.strip(), history)

    def close(self) -> None:
        """End the processes. Closing again does nothing."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def __enter__(self) -> Agent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _builtin(root: str | Path | None) -> tuple[Tool, ...]:
    from linnet.agent.tools.calculator import calculator
    from linnet.agent.tools.files import files

    return (calculator, *(files(Path(root)) if root else ()))


def _check_names(tools: Sequence[Tool]) -> None:
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ToolInvalid(f"two tools are named {twice[0]!r}", hint="Give one of them another name.")


def _check_text(text: str) -> None:
    size = len(text.encode(errors="surrogatepass"))
    if not text.strip():
        raise EmptyRequest("the request is empty")
    if size > LIMITS.request_bytes:
        raise RequestTooLarge(
            f"the request is {size:,} bytes; the limit is {LIMITS.request_bytes:,}",
            size=size,
            limit=LIMITS.request_bytes,
        )
