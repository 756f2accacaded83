"""A server on 127.0.0.1 that speaks OpenAI's streamed chat completions, for tests: it can stall, cut, drip and lie.

Replies are queued; a request without one gets the words of `text`. Everything that was asked is kept. Paths that tell
likelihoods are not there unless `scoring` answers them.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def event(data: dict[str, Any] | str) -> bytes:
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def delta(finish: str | None = None, **said: Any) -> bytes:
    return event({"model": "told", "choices": [{"index": 0, "delta": said, "finish_reason": finish}]})


def usage(prompt: int, completion: int, cached: int = 0) -> bytes:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": counts | {"prompt_tokens_details": {"cached_tokens": cached}}})


DONE = event("[DONE]")
SCORING = ("/v1/completions", "/tokenize", "/completion")


def words(text: str, finish: str = "stop") -> list[bytes]:
    """A good answer, an event for each word."""
    pieces = [word if n == 0 else f" {word}" for n, word in enumerate(text.split(" "))]
    said = [delta(role="assistant", content=""), *(delta(content=piece) for piece in pieces)]
    return [*said, delta(finish), usage(7, len(pieces), 2), DONE]


@dataclass
class Reply:
    """`blocks` go out one after the other, with `pause` seconds between; then the body ends, or with `cut` the
    connection does, or with `hold` nothing more happens until the client goes away. `silent` says nothing at all."""

    blocks: list[bytes] = field(default_factory=list)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "text/event-stream"
    pause: float = 0.0
    cut: bool = False
    hold: bool = False
    silent: bool = False
    raw: bytes = b""


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class ChatServer:
    def __init__(self, text: str = "Hello there") -> None:
        self.text = text
        self.replies: list[Reply] = []
        self.asked: list[Asked] = []
        self.looked: list[str] = []
        self.scoring: Callable[[str, dict[str, Any]], tuple[int, Any]] = lambda path, body: (404, {})
        self.scored: list[tuple[str, dict[str, Any]]] = []
        self.health = 200
        self.gone = threading.Event()  # a client hung up
        self.release = threading.Event()

        class Handler(_Handler):
            server_of = self

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if self.replies else Reply(words(self.text))


class _Handler(BaseHTTPRequestHandler):
    server_of: ChatServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        """A look at its health: `/health` has the status `health`, and a list of models is always there."""
        server = self.server_of
        server.looked.append(self.path)
        self.close_connection = True
        self.send_response(200 if self.path.endswith("/models") else server.health)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        server = self.server_of
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path in SCORING:
            server.scored.append((self.path, json.loads(body)))
            status, told = server.scoring(*server.scored[-1])
            self.close_connection = True
            with contextlib.suppress(ConnectionError):
                self._send(Reply([json.dumps(told).encode()], status, kind="application/json"))
            return
        server.asked.append(Asked(self.path, dict(self.headers), json.loads(body)))
        reply = server.next_reply()
        self.close_connection = True
        try:
            if reply.silent:
                self._until_gone()
            elif reply.raw:
                self.wfile.write(reply.raw)
            else:
                self._send(reply)
        except (ConnectionError, TimeoutError):
            server.gone.set()

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.kind, "Transfer-Encoding": "chunked", **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for block in reply.blocks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
            self.wfile.flush()
            if reply.pause and self.server_of.release.wait(reply.pause):
                return
        if reply.hold:
            self._until_gone()
        elif not reply.cut:
            self.wfile.write(b"0\r\n\r\n")

    def _until_gone(self) -> None:
        """A client that hangs up is noticed by the end of what it sends."""
        self.connection.settimeout(20)
        if self.rfile.read(1) == b"":
            self.server_of.gone.set()


@contextmanager
def chatting(text: str = "Hello there") -> Iterator[ChatServer]:
    server = ChatServer(text)
    try:
        yield server
    finally:
        server.close()
