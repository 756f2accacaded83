"""Tools of MCP servers, by stdio and by HTTP, through the official SDK: few, short, and with names of their own.

Hides the event loop in which the SDK lives (a thread for each server), how a server is started, and how what it says
of its tools is cut down: a small model reads every word, and a server is a stranger. A server's program finds an
empty environment but for what it is given and a plain PATH, and is ended with the agent; of a web address nothing is
followed elsewhere, and no proxy is used.

Covered: servers that do not start, hang, die or send nonsense, each a typed error in time; floods of tools; tools
whose schema cannot be used, and names that repeat; control characters. Nothing that a server asks for is granted: no
sampling, no roots, no questions to the user. Not covered: a server runs with the rights of who started Linnet, unless
it is given a sandbox of its own; how much memory one message of it takes; what its tools do.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from linnet.agent.tools.define import note
from linnet.agent.tools.root import printable
from linnet.errors import LinnetError, SettingsInvalid, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.schema import plain
from linnet.tools import Permission, Tool

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")

_PATH = "/usr/local/bin:/usr/bin:/bin"
_GRACE = 3.0
"""Seconds for a server to end when it is asked to, before it is killed."""


@dataclass(frozen=True)
class Server:
    """One server: a `command` with its words, or the `url` of one that runs. `environment` is all that its program
    finds beside a PATH; `headers` go with every request to its address. `only` are patterns of names of its tools."""

    name: str
    command: Sequence[str] = ()
    url: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    only: Sequence[str] = ("*",)
    seconds: float = LIMITS.tool_seconds

    def __post_init__(self) -> None:
        if bool(self.command) == bool(self.url):
            hint = "Give `command` for a program, or `url` for a server that runs."
            raise SettingsInvalid(f"the MCP server {self.name!r} has to have a command or an address", hint=hint)


class Connection:
    """A server in use. It is connected to when it is first asked for something, and again when it has gone away."""

    def __init__(self, server: Server) -> None:
        try:
            import mcp  # noqa: F401
        except ImportError as error:
            hint = "Install it: pip install 'linnet[mcp]'"
            raise SettingsInvalid("servers of tools need the package mcp", hint=hint) from error
        self.server = server
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self.notes: tuple[str, ...] = ()

    def tools(self) -> tuple[Tool, ...]:
        """The tools that it offers and that are wanted, cut to what a small model can read; `notes` then tells what
        was left out. Raises a ToolError where it does not answer."""
        listed = self._do(_listed)
        wanted = [each for each in listed if any(fnmatchcase(each.name, pattern) for pattern in self.server.only)]
        notes = [f"{len(listed) - len(wanted)} tools that are not wanted"] if len(wanted) < len(listed) else []
        most = LIMITS.mcp_tools
        notes += [f"all but the first {most} of {len(wanted)} tools"] if len(wanted) > most else []
        made: dict[str, Tool] = {}
        for each in wanted[:most]:
            name = _unique(f"{_name(self.server.name)}.{_name(each.name)}", made)
            try:
                made[name] = self._tool(name, each)
            except LinnetError as error:
                notes.append(f"{printable(each.name)[:60]}: {error.message[:100]}")
        self.notes = tuple(f"{self.server.name}: left out {told}" for told in notes)
        return tuple(made.values())

    def call(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """What a tool of it says. Raises a ToolError."""
        answer = self._do(lambda client: client.call_tool(name, arguments))
        kept, told = _content(answer)
        if getattr(answer, "is_error", False):
            raise ToolFailed(f"{name}: {kept[:500] or 'it failed and said nothing'}", tool=name)
        return {"result": kept, "truncated": bool(told), "note": note(told)}

    def close(self) -> None:
        """End the connection, and the program behind it. Closing again does nothing."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            line.close()

    def _tool(self, name: str, told: Any) -> Tool:
        return Tool.from_schema(
            name,
            _first(told.description or told.title or told.name, LIMITS.mcp_description_chars),
            _short(plain(told.input_schema or {}, name)),
            partial(self.call, told.name),
            permissions=frozenset({Permission.MCP}),
            deadline=self.server.seconds,
            answer="{result}{note}",
        )

    def _do(self, work: Any) -> Any:
        """What a coroutine over the client gives. A server that cannot be reached any more is tried anew."""
        with self._lock:
            if self._line is None or self._line.ended:
                self._line = _Line(self.server)
            line = self._line
        try:
            return line.do(work, self.server.seconds)
        except LinnetError:
            if line.ended or line.broken:
                self.close()
            raise


class _Line:
    """A thread with an event loop, in which one task holds the client from its beginning to its end."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.new_event_loop()
        self._ready: Future[Client] = Future()
        self._stop = asyncio.Event()
        self._task = self._loop.create_task(self._hold())
        self._nowhere = Path(os.devnull).open("w")  # noqa: SIM115  closed at the end of `_run`
        self.broken = False
        self._thread = threading.Thread(target=self._run, name=f"linnet-mcp-{server.name}", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def do(self, work: Any, seconds: float) -> Any:
        name = self._server.name
        try:
            client = self._ready.result(timeout=seconds)
            return self._await(work(client), seconds)
        except Late:
            self.broken = True
            raise ToolTimeout(f"the server {name!r} did not answer within {seconds:g} s", seconds=seconds) from None
        except LinnetError:
            raise
        except BaseException as error:
            self.broken = True
            if isinstance(error, KeyboardInterrupt):
                raise
            raise ToolFailed(f"the server {name!r} failed: {_reason(error)}", error=type(error).__name__) from error

    def _await(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Raises ToolFailed as soon as the connection has ended, whatever the work waits for."""
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        waited = 0.0
        while True:
            try:
                return running.result(timeout=min(0.2, max(0.01, seconds - waited)))
            except Late:
                waited += 0.2
                if running.done():
                    raise
                if self.ended:
                    raise ToolFailed(f"the server {self._server.name!r} has ended") from None
                if waited >= seconds:
                    running.cancel()
                    raise

    def close(self) -> None:
        """Ask the task to end, and make it end if it has not connected, or does not in a while."""
        wants = (self._stop.set,) if self._ready.done() else ()
        for end in (*wants, self._task.cancel):
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(end)
            self._thread.join(timeout=_GRACE)
            if self.ended:
                return

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._task)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
        finally:
            with suppress(Exception):
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._nowhere.close()

    async def _hold(self) -> None:
        from mcp import Client

        async with AsyncExitStack() as held:
            transport = await _transport(self._server, self._nowhere, held)
            client = Client(transport, read_timeout_seconds=self._server.seconds)
            self._ready.set_result(await held.enter_async_context(client))
            await self._stop.wait()


async def _transport(server: Server, nowhere: TextIO, held: AsyncExitStack) -> Any:
    if server.url:
        import httpx2
        from mcp.client.streamable_http import streamable_http_client

        timeout = httpx2.Timeout(server.seconds, connect=LIMITS.fetch_connect_seconds)
        client = httpx2.AsyncClient(
            headers=dict(server.headers), timeout=timeout, follow_redirects=False, trust_env=False
        )
        return streamable_http_client(server.url, http_client=await held.enter_async_context(client))
    from mcp import StdioServerParameters
    from mcp.client.stdio import get_default_environment, stdio_client

    given = {"PATH": os.environ.get("PATH", _PATH), **server.environment}
    command, *words = _started(server, set(get_default_environment()) - set(given))
    parameters = StdioServerParameters(command=command, args=words, env=given, encoding_error_handler="replace")
    return stdio_client(parameters, errlog=nowhere)


def _started(server: Server, unwanted: Iterable[str]) -> list[str]:
    """The words that start it without the variables that the SDK hands on, and end it with us where there is
    `setpriv`. What it is given is in no word, for all users see those."""
    words = ["env", *(part for name in sorted(unwanted) for part in ("-u", name)), *server.command]
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", *words] if setpriv else words


async def _listed(client: Client) -> list[Any]:
    """All pages of its list of tools, as far as we look."""
    found: list[Any] = []
    cursor = None
    for _ in range(LIMITS.mcp_pages):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None or len(found) > 2 * LIMITS.mcp_tools:
            break
    return found


# --- what is told of a tool, and what a tool tells -----------------------------------------------


def _short(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Required parameters, and the first optional ones; every description cut."""
    required = list(schema.get("required", ()))
    properties = schema.get("properties", {})
    optional = [name for name in properties if name not in required]
    kept = {*required, *optional[: max(0, LIMITS.mcp_parameters - len(required))]}
    shown = {name: _described(value) for name, value in properties.items() if name in kept}
    return {**schema, "properties": shown, "required": required}


def _described(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    told = schema.get("description")
    short = {"description": _first(told, LIMITS.mcp_description_chars // 2)} if isinstance(told, str) else {}
    return {**{key: value for key, value in schema.items() if key not in ("title", "examples")}, **short}


def _first(words: str, most: int) -> str:
    """The first sentence or paragraph, without what cannot be seen, cut at a word."""
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in words[: 4 * most]).split())
    sentence = re.split(r"(?<=[.!?]) (?=[A-Z])", clean, maxsplit=1)[0]
    return sentence if len(sentence) <= most else sentence[:most].rpartition(" ")[0] or sentence[:most]


def _name(name: str) -> str:
    return re.sub(r"[^\w-]+", "_", name, flags=re.ASCII)[:60] or "tool"


def _unique(name: str, taken: Mapping[str, Any]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _content(answer: Any) -> tuple[str, list[str]]:
    """The texts of an answer, and in words what of it is not shown."""
    texts: list[str] = []
    others: list[str] = []
    for part in getattr(answer, "content", None) or ():
        text = getattr(part, "text", None)
        (texts if isinstance(text, str) else others).append(text if isinstance(text, str) else str(part.type))
    whole = "\n".join(texts).replace("\0", "").encode(errors="replace").decode()
    kept = whole[: LIMITS.page_chars]
    told = [f"the first {len(kept):,} of {len(whole):,} characters"] if len(kept) < len(whole) else []
    told += [f"{len(others)} parts that are no text ({', '.join(sorted(set(others)))})"] if others else []
    return kept, told


def _reason(error: BaseException) -> str:
    """The first plain error of a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {printable(str(error))[:300]}".removesuffix(": ")
