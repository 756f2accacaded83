"""Agent: tools and a model, wired so that a request becomes an answer that says how it came about."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from linnet.agent.cascade import Cascade
from linnet.agent.context.fit import SYSTEM, Fitted, Fitter
from linnet.agent.context.window import Window
from linnet.agent.conversation import Conversation
from linnet.agent.events import TurnEvent, Watch
from linnet.agent.execute import Approve
from linnet.agent.many import WatchMany, run_many
from linnet.agent.permit import Permit, permit
from linnet.agent.result import Result
from linnet.agent.router import Router
from linnet.agent.turn import Turn
from linnet.agent.underway import Prepared, Streaming
from linnet.agent.within import Within
from linnet.calling.way import guide_for, stored_profile
from linnet.errors import EmptyRequest, RequestError, SettingsInvalid, ToolInvalid
from linnet.limits import LIMITS
from linnet.messages import Message
from linnet.requests import Model, check_size
from linnet.runtime.cancelling import Cancelling
from linnet.runtime.local import open_local
from linnet.tools import Permission, Tool

if TYPE_CHECKING:
    from linnet.agent.asynchronous import AsyncStreaming, Loops
    from linnet.agent.cache import Cache
    from linnet.agent.journal import Journal, Run
    from linnet.agent.memory import Memory
    from linnet.agent.telemetry import Telemetry


class Agent:
    """Answers requests with tools, on a small model in a process of its own.

    `tools` are offered beside the calculator and, with a `root` folder, the file tools, which may read below it and
    nowhere else, and take the place of their definitions without a function (linnet.agent.tools.standard); `only`, if
    given, names those to offer. `model` is a name, the path of a .gguf file, or any Model, which stays the caller's
    to close. `allow` are permissions given beforehand, or names of tools that have all of theirs; `approve(tool,
    call)` is asked for others, and without it they are denied, as is whatever `deny` names. `margin` is the log-odds
    over which a tool is called, `router` holds intents that are known without a model, `seconds` the deadline of one
    turn's model work, `answer_tokens` the longest answer in the model's own words; `window` says how conversations
    are fitted to the context, `closing` is called at the end, and `options` go to `open_local`. Processes start with
    the first request that needs the model, and end with `close` or the `with` block.

    `memory` and `cache` are off. True is the file in the user's folders, a path another one; one that is open already
    stays the caller's to close, and `cache_bytes` bounds the others. A memory is asked for what goes with a request
    and keeps a journal of each turn; from a cache comes what the model has been asked before. `telemetry` is told of
    each turn, as OpenTelemetry spans.

    `runs` is the journal in which requests with a `run_id` are kept, so that a program that was ended goes on where
    it was: None is the file in the user's folders, opened with the first such request.
    """

    def __init__(
        self,
        tools: Iterable[Tool] = (),
        model: str | Path | Model = "default",
        *,
        root: str | Path | None = None,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        approve: Approve | None = None,
        only: str | Sequence[str] = (),
        margin: float | None = None,
        router: Router | None = None,
        seconds: float = LIMITS.request_seconds,
        answer_tokens: int = LIMITS.answer_tokens,
        backup: Model | None = None,
        window: Window | None = None,
        closing: Callable[[], None] | None = None,
        memory: Memory | str | Path | bool = False,
        cache: Cache | str | Path | bool = False,
        cache_bytes: int = LIMITS.cache_bytes,
        telemetry: Telemetry | None = None,
        runs: Journal | str | Path | None = None,
        **options: Any,
    ) -> None:
        self._approve, self._router, self._telemetry = approve, router, telemetry
        self._seconds, self._answer_tokens = seconds, answer_tokens
        _check_numbers(seconds, answer_tokens)
        _check_kinds(router=(router, Router), window=(window, Window))
        self._closed = False
        self._runs = runs
        self._lock = threading.Lock()
        self._under_way: WeakSet[Cancelling] = WeakSet()
        self._loops: Loops | None = None
        with ExitStack() as held:
            if closing is not None:
                held.callback(closing)
            self._memory = _remembering(memory, held)
            by_rule = _by_rule(self._memory)
            self._tools = _offered(_merged(_bound(tuple(tools), root, runs), (*_builtin(root), *by_rule)), only)
            names = [tool.name for tool in self._tools]
            self._granted = permit(allow, deny, names, always=[Permission.READ_FILES] if root else [])
            bare = _opened(model, options, held)
            self._bare = bare = bare if backup is None else Cascade(bare, backup)
            asked = tuple(tool for tool in self._tools if tool not in by_rule)
            self._guide = guide_for(bare, asked, *stored_profile(bare), margin=margin) if asked else None
            self._model = _caching(bare, cache, cache_bytes, held)
            self._fitter = Fitter(self._model, window, asking=self._guide is not None)
            self._held = held.pop_all()

    @property
    def tools(self) -> tuple[Tool, ...]:
        return self._tools

    @property
    def permit(self) -> Permit:
        """What may be done unasked, and what may not be done at all."""
        return self._granted

    @property
    def model(self) -> Model:
        """The one that was given or opened, without the cache around it."""
        return self._bare

    def run(self, text: str, history: Sequence[Message] = (), *, run_id: str = "") -> Result:
        """Answer one request. Raises a LinnetError for a request, model or engine at fault; what a tool does
        wrong is in the result, and so is whatever fails once a tool has run.

        With a `run_id` each call is on the disk before it is made and after: asked again under the same id, whatever
        ended the program, no tool runs a second time, and one of which it is not known whether it ran is told of.
        """
        return self._prepared(text, history, run_id=run_id).begin()

    def stream(self, text: str, history: Sequence[Message] = (), *, run_id: str = "") -> Streaming:
        """Answer one request, and tell of it as it happens: `Said` pieces of the answer, Steps, ToolCalls before they
        are made and ToolResults after, at last the Result. Closing or dropping it ends the turn, and frees the engine
        at once. Raises as `run` does, here for a request at fault."""
        return Streaming(lambda watch: self._prepared(text, history, watch, run_id))

    def run_many(
        self,
        texts: Iterable[str],
        *,
        at_once: int = LIMITS.turns_at_once,
        tools_in_order: bool = False,
        watch: WatchMany | None = None,
    ) -> Iterator[Result]:
        """A Result for each request, in their order. `at_once` turns run together, so that the model computes for all
        of them in one go; what raises an error in `run` is a Result here, with `how: failed` and that error.

        Tools have the permissions that they have in `run`, and `approve` is asked from several threads. Those of one
        request run in order; across requests they do not, unless `tools_in_order` has each request's wait until all
        requests before are answered. `watch(number, event)` is told what `stream` yields, before the turn goes on;
        what it raises ends the batch. Closing the iterator ends all turns.
        """
        return run_many(lambda text, seen: self._prepared(text, (), seen), texts, at_once, tools_in_order, watch)

    async def arun(self, text: str, history: Sequence[Message] = ()) -> Result:
        """`run`, while the event loop goes on. Cancelling the task ends the turn and frees the engine at once."""
        return await self.astream(text, history).result()

    def astream(self, text: str, history: Sequence[Message] = ()) -> AsyncStreaming:
        """`stream` for `async for`; within a running event loop. At most `LIMITS.turns_at_once` turns run in a loop,
        the others wait. Raises QueueFull at once where `LIMITS.turns_waiting` are under way."""
        from linnet.agent.asynchronous import Loops  # asyncio takes 30 ms, for those who need it

        self._loops = self._loops or Loops()
        return self._loops.stream(lambda watch: self._prepared(text, history, watch))

    def _prepared(
        self, text: str, history: Sequence[Message], watch: Watch | None = None, run_id: str = ""
    ) -> Prepared:
        """Its time begins when it does."""
        _check_text(text)
        if self._closed:
            raise RequestError("the agent is closed", hint="Make another Agent.")
        noted = self._journalled(run_id, text.strip(), history) if run_id else None
        model = Cancelling(self._model)
        with self._lock:
            self._under_way.add(model)
        if self._closed:  # since the look before
            model.cancel()

        def seen(event: TurnEvent) -> None:
            model.check()  # above all before a tool runs
            if watch is not None:
                watch(event)

        def begin() -> Result:
            model.check()
            within = Within(model, self._seconds)

            def run(watch: Watch) -> Result:
                return self._turn(within, watch, noted).run(text.strip(), history)

            return self._telemetry.record(text, within, seen, run) if self._telemetry else run(seen)

        # a turn in another thread still belongs to the span in which it was asked for
        return Prepared(partial(copy_context().run, begin) if self._telemetry else begin, model.cancel)

    def _turn(self, within: Within, watch: Watch, run: Run | None) -> Turn:
        return Turn(
            within,
            self._guide and self._guide.over(within),
            self._tools,
            self._granted,
            self._approve,
            self._answer_tokens,
            router=self._router,
            fitter=self._fitter,
            memory=self._memory,
            run=run,
            watch=watch,
        )

    def fitted(self, history: Sequence[Message] = (), about: str = "") -> Fitted:
        """What of a history the model would hear with the next request, and how its context is shared out, in tokens
        by section; `about` is what memory is asked for. Starts the processes, to count."""
        known = None if self._memory is None else [fact.text for fact in self._memory.recall(about)]
        return self._fitter.fit(history or (SYSTEM,), Message("user", "?"), self._answer_tokens, known=known)

    def _journalled(self, run_id: str, text: str, history: Sequence[Message]) -> Run:
        from linnet.agent.journal import Journal
        from linnet.agent.runs import Runs

        with self._lock:
            if not isinstance(self._runs, Journal):
                self._runs = Runs(None if self._runs is None else Path(self._runs))
                self._held.callback(self._runs.close)
            runs = self._runs
        return runs.run(run_id, text, history)

    def conversation(self, history: Sequence[Message] = ()) -> Conversation:
        """Requests that hear what was said before them, `history` first."""
        return Conversation(self, history)

    def close(self) -> None:
        """End the processes, and the turns that are under way. Closing again does nothing."""
        self._closed = True
        with self._lock:
            under_way = list(self._under_way)
        for model in under_way:
            model.cancel()
        self._held.close()

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


def _bound(tools: Sequence[Tool], root: str | Path | None, runs: Journal | str | Path | None) -> Sequence[Tool]:
    """With a root, what is defined to change files can do it there; that it may is another matter. The journal is not
    changed, also before it is opened."""
    unbound = {tool.name for tool in tools if isinstance(tool, Tool) and tool.function is None}
    if root is None or not unbound & {"write_file", "delete_file"}:
        return tools
    from linnet.agent.database import beside
    from linnet.agent.tools.own import places
    from linnet.agent.tools.writing import writing

    journal = beside(Path(runs).absolute()) if isinstance(runs, str | Path) else ()
    doing = {tool.name: tool for tool in writing(Path(root), (*places(tools), *journal))}
    defined = {tool.name: tool.parameters for tool in doing.values()}
    return [doing[t.name] if t.name in unbound and defined.get(t.name) == t.parameters else t for t in tools]


def _merged(tools: Sequence[Tool], builtin: Sequence[Tool]) -> tuple[Tool, ...]:
    """Built-in tools once; a tool without a function gives way to the built-in one that it defines."""
    for other in tools:
        if not isinstance(other, Tool):
            raise ToolInvalid(f"{other!r} is no tool", hint="Write @tool above the function.")
    doing = {tool.name: tool.parameters for tool in builtin}
    own = (tool for tool in tools if tool not in builtin)
    return (*(t for t in own if t.function is not None or doing.get(t.name) != t.parameters), *builtin)


def _opened(model: str | Path | Model, options: dict[str, Any], held: ExitStack) -> Model:
    """The model, which `held` is to close if it is opened here; a Model that was given stays the caller's."""
    if isinstance(model, Path):
        model = str(model.absolute())  # a path even where it has the name of a known model
    if not isinstance(model, str) and not hasattr(model, "stream"):
        raise SettingsInvalid(f"`model` is {model!r}: it should be a name, a path or a Model")
    if isinstance(model, str):
        opened = open_local(model, **{"snapshots": True, **options})
        held.callback(opened.close)
        return opened
    if options:
        raise SettingsInvalid(f"{', '.join(options)}: only a model that the agent opens itself has such options")
    return model


def _remembering(memory: Memory | str | Path | bool, held: ExitStack) -> Memory | None:
    if memory is False:
        return None
    from linnet.agent.memory import Memory

    if isinstance(memory, Memory):
        return memory
    opened = Memory(_place("memory", memory))
    held.callback(opened.close)
    return opened


def _by_rule(memory: Memory | None) -> tuple[Tool, ...]:
    """Tools that the model is not asked about."""
    if memory is None:
        return ()
    from linnet.agent.tools.remember import remember

    return (remember(memory),)


def _place(name: str, where: Any) -> Path | None:
    """The file that is meant; None is the one in the user's folders."""
    if where is True:
        return None
    if not isinstance(where, str | Path) or not str(where):
        raise SettingsInvalid(f"`{name}` is {where!r}: it should be true, false, a path, or an open one")
    return Path(where)


def _caching(model: Model, cache: Cache | str | Path | bool, most_bytes: int, held: ExitStack) -> Model:
    if cache is False:
        return model
    from linnet.agent.cache import Cache
    from linnet.agent.cached import Cached

    if isinstance(cache, Cache):
        return Cached(model, cache)
    opened = Cache(_place("cache", cache), most_bytes=most_bytes)
    held.callback(opened.close)
    return Cached(model, opened)


def _check_numbers(seconds: float, answer_tokens: int) -> None:
    if not isinstance(seconds, int | float) or not isinstance(answer_tokens, int):
        raise SettingsInvalid(f"`seconds` {seconds!r} and `answer_tokens` {answer_tokens!r} should be numbers")
    if not seconds > 0:
        raise SettingsInvalid(f"`seconds` is {seconds}: it should be over 0")
    if answer_tokens < 1:
        raise SettingsInvalid(f"`answer_tokens` is {answer_tokens}: it should be at least 1")


def _check_kinds(**given: tuple[Any, type]) -> None:
    for name, (value, kind) in given.items():
        if value is not None and not isinstance(value, kind):
            raise SettingsInvalid(f"`{name}` is {value!r}: it should be a {kind.__name__}")


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
    if not isinstance(text, str):
        raise RequestError(f"a request is a text, not {type(text).__name__}")
    if not text.strip():
        raise EmptyRequest("the request is empty")
    check_size((text,))
