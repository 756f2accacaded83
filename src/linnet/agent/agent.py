"""Agent: tools and a model, wired so that a request becomes an answer that says how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from linnet.agent.cascade import Cascade
from linnet.agent.execute import Approve
from linnet.agent.result import Result
from linnet.agent.turn import Turn
from linnet.agent.within import Within
from linnet.calling.way import guide_for, stored_profile
from linnet.errors import EmptyRequest, RequestError, SettingsInvalid, ToolInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Model, check_size
from linnet.runtime.local import LocalModel, open_local
from linnet.tools import Permission, Tool


class Agent:
    """Answers requests with tools, on a small model in a process of its own.

    `tools` are offered beside the calculator and, with a `root` folder, the file tools, which may read below
    it and nowhere else, and take the place of their definitions without a function (linnet.agent.tools.standard);
    `only`, if given, names those to offer. `model` is a name, the path of a .gguf file,
    or any Model, which stays the caller's to close. `allow` are permissions given beforehand; `approve(tool,
    call)` is asked for others, and without it they are denied. `margin` is the log-odds over which a tool is
    called, `seconds` the deadline of one turn's model work, `answer_tokens` the longest answer in the model's
    own words; `options` go to `open_local`. Processes start with the first request that needs the model, and
    end with `close` or the `with` block.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        model: str | Path | Model = "default",
        *,
        root: str | Path | None = None,
        allow: Iterable[Permission | str] = (),
        approve: Approve | None = None,
        only: str | Sequence[str] = (),
        margin: float | None = None,
        seconds: float = LIMITS.request_seconds,
        answer_tokens: int = LIMITS.answer_tokens,
        backup: Model | None = None,
        **options: Any,
    ) -> None:
        self._tools = _offered(_merged(tuple(tools), _builtin(root)), only)
        self._granted = frozenset({Permission.READ_FILES} if root else ()) | _permissions(allow)
        self._approve = approve
        self._seconds, self._answer_tokens = seconds, answer_tokens
        _check_numbers(seconds, answer_tokens)
        self._closed = False
        self._own = _opened(model, options)
        self._model: Model = self._own or cast(Model, model)
        if backup is not None:
            self._model = Cascade(self._model, backup)
        self._guide = guide_for(self._model, self._tools, *stored_profile(self._model), margin=margin)

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    @property
    def model(self) -> Model:
        return self._model

    def run(self, text: str, history: Sequence[Message] = ()) -> Result:
        """Answer one request. Raises a LinnetError for a request, model or engine at fault; what a tool does
        wrong is in the result, and so is whatever fails once a tool has run."""
        _check_text(text)
        if self._closed:
            raise RequestError("the agent is closed", hint="Make another Agent.")
        within = Within(self._model, self._seconds)
        turn = Turn(within, self._guide.over(within), self._tools, self._granted, self._approve, self._answer_tokens)
        return turn.run(text.strip(), history)

    def close(self) -> None:
        """End the processes. Closing again does nothing."""
        self._closed = True
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


def _merged(tools: Sequence[Tool], builtin: Sequence[Tool]) -> tuple[Tool, ...]:
    """Built-in tools once; a tool without a function gives way to the built-in one that it defines."""
    doing = {tool.name: tool.parameters for tool in builtin}
    own = (tool for tool in tools if tool not in builtin)
    return (*(t for t in own if t.function is not None or doing.get(t.name) != t.parameters), *builtin)


def _opened(model: str | Path | Model, options: dict[str, Any]) -> LocalModel | None:
    """What this agent is to close; None for a Model that it was given."""
    if isinstance(model, Path):
        model = str(model.absolute())  # a path even where it has the name of a known model
    if isinstance(model, str):
        return open_local(model, **{"snapshots": True, **options})
    if options:
        raise SettingsInvalid(f"{', '.join(options)}: only a model that the agent opens itself has such options")
    return None


def _permissions(allow: Iterable[Permission | str]) -> frozenset[Permission]:
    try:
        return frozenset(Permission(name) for name in allow)
    except ValueError as error:
        raise SettingsInvalid(f"`allow`: {error}", hint=f"Known are {', '.join(Permission)}.") from error


def _check_numbers(seconds: float, answer_tokens: int) -> None:
    if not isinstance(seconds, int | float) or not isinstance(answer_tokens, int):
        raise SettingsInvalid(f"`seconds` {seconds!r} and `answer_tokens` {answer_tokens!r} should be numbers")
    if not seconds > 0:
        raise SettingsInvalid(f"`seconds` is {seconds}: it should be over 0")
    if answer_tokens < 1:
        raise SettingsInvalid(f"`answer_tokens` is {answer_tokens}: it should be at least 1")


def _offered(tools: Sequence[Tool], only: str | Sequence[str]) -> tuple[Tool, ...]:
    only = (only,) if isinstance(only, str) else only
    names = [tool.name for tool in tools]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise ToolInvalid(f"there is no tool {unknown[0]!r}", hint=f"There are {', '.join(names)}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ToolInvalid(f"two tools are named {twice[0]!r}", hint="Give one of them another name.")
    return tuple(tool for tool in tools if not only or tool.name in only)


def _check_text(text: str) -> None:
    if not text.strip():
        raise EmptyRequest("the request is empty")
    check_size((text,))
