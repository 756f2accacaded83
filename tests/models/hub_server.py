"""A model hub on 127.0.0.1 for tests, with a second server beside it that stands for its content network.

Speaks what huggingface_hub 2.4 asks for: model info, tree, resolve by HEAD and GET, ETag, X-Repo-Commit,
X-Linked-Etag and -Size, Range, and a redirect to the other server. Faults are queued for the next answers that bring
bytes of a file; everything that was asked is kept, with its headers.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass
class Fault:
    """What goes wrong with one answer. `cut`, `stall` and `flip` are offsets in the body of that answer.

    `drip` are seconds before each byte of a list.
    """

    cut: int | None = None
    stall: int | None = None
    flip: int | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    whole: bool = False
    redirect: str | None = None
    extra: bytes = b""
    drip: float = 0.0
    other_range: bool = False


@dataclass
class Asked:
    """`server` is hub or cdn."""

    server: str
    method: str
    path: str
    headers: dict[str, str]


class HubServer:
    """`files` by repository and path; `commit` is what every branch means; `redirecting` sends files to the CDN."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.commit = "1" * 40
        self.redirecting = True
        self.token: str | None = None
        self.lists: list[Fault] = []
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.served = 0
        self.sends = 0
        self.release = threading.Event()
        self.stalled = threading.Event()
        self.digests: dict[tuple[str, str], str] = {}
        self.info: dict[str, Any] = {}
        self.linked: dict[str, str] = {}
        self._lock = threading.Lock()
        self._hub = _Server(self, "hub")
        self._cdn = _Server(self, "cdn")

    @property
    def url(self) -> str:
        return self._hub.url

    @property
    def cdn_url(self) -> str:
        return self._cdn.url

    def add(self, repo: str, path: str, body: bytes) -> str:
        """Returns its SHA-256."""
        self.files.setdefault(repo, {})[path] = body
        return hashlib.sha256(body).hexdigest()

    def close(self) -> None:
        self.release.set()
        self._hub.close()
        self._cdn.close()

    def note(self, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)

    def fault(self, queue: list[Fault]) -> Fault:
        with self._lock:
            return queue.pop(0) if queue else Fault()

    def gets(self) -> list[Asked]:
        """Requests that bring bytes of a file, where they end up."""
        wanted = "/blob/" if self.redirecting else "/resolve/"
        return [asked for asked in self.asked if asked.method == "GET" and wanted in asked.path]


class _Server:
    def __init__(self, owner: HubServer, kind: str) -> None:
        class Handler(_Handler):
            hub, server_kind = owner, kind

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    server_kind: str
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.hub.note(Asked(self.server_kind, self.command, self.path, dict(self.headers)))
        path = unquote(urlsplit(self.path).path)
        try:
            if self.server_kind == "cdn":
                self._blob(path.removeprefix("/blob/"))
            elif self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
                self._plain(401, {"X-Error-Code": "GatedRepo"})
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/(.+))?", path):
                self._api(found[1], found[2] == "tree", found[3])
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(found[1], found[2], found[3])
            else:
                self._plain(404)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    # --- what is there ---------------------------------------------------------------------------

    def _api(self, repo: str, tree: bool, revision: str | None) -> None:
        fault = self.hub.fault(self.hub.lists)
        if fault.redirect:
            self._plain(307, {"Location": fault.redirect})
            return
        if fault.status:
            self._plain(fault.status, fault.headers)
            return
        if not self._known(repo, revision):
            return
        files = self.hub.files[repo]
        body: Any
        if tree:
            body = [self._entry(repo, path, "path", "oid") for path in files]
        else:
            siblings = [self._entry(repo, path, "rfilename", "blobId") for path in files]
            body = {"id": repo, "sha": self.hub.commit, "siblings": siblings, **self.hub.info}
        self._plain(200, {"Content-Type": "application/json"}, json.dumps(body).encode(), fault.drip)

    def _entry(self, repo: str, path: str, name: str, oid: str) -> dict[str, Any]:
        size, blob = len(self.hub.files[repo][path]), "b" * 40
        entry = {name: path, "size": size, oid: blob}
        if name == "path":
            entry["type"] = "file"
        if path.endswith(".gguf"):
            key = "sha256" if name == "rfilename" else "oid"
            entry["lfs"] = {key: self._digest(repo, path), "size": size, "pointerSize": 134}
        return entry

    def _digest(self, repo: str, path: str) -> str:
        """As the hub tells it; a test may have it tell another."""
        return self.hub.digests.get((repo, path)) or hashlib.sha256(self.hub.files[repo][path]).hexdigest()

    def _known(self, repo: str, revision: str | None) -> bool:
        if repo not in self.hub.files:
            self._plain(404, {"X-Error-Code": "RepoNotFound"})
        elif revision not in (None, "main", "v1", self.hub.commit):
            self._plain(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return True
        return False

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        if not self._known(repo, revision):
            return
        body = self.hub.files[repo].get(path)
        if body is None:
            self._plain(404, {"X-Error-Code": "EntryNotFound"})
            return
        digest = self._digest(repo, path)
        headers = {
            "X-Repo-Commit": self.hub.commit,
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(body)),
            "ETag": f'"{digest}"',
            **self.hub.linked,
        }
        if self.hub.redirecting:
            self._plain(302, {**headers, "Location": f"{self.hub.cdn_url}/blob/{repo}/{path}?sig=secret"})
        else:
            self._bytes(body, headers)

    def _blob(self, path: str) -> None:
        owner, repo, file = path.split("/", 2)
        self._bytes(self.hub.files[f"{owner}/{repo}"][file], {"ETag": '"cdn"'})

    # --- how it goes out -------------------------------------------------------------------------

    def _plain(
        self, status: int, headers: dict[str, str] | None = None, body: bytes = b"", drip: float = 0.0
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        for byte in body if drip else b"":
            self.hub.release.wait(drip)
            self.wfile.write(bytes([byte]))
        self.wfile.write(b"" if drip else body)

    def _bytes(self, body: bytes, headers: dict[str, str]) -> None:
        fault = self.hub.fault(self.hub.faults) if self.command == "GET" else Fault()
        if fault.redirect:
            self._plain(302, {**headers, "Location": fault.redirect})
            return
        if fault.status:
            self._plain(fault.status, fault.headers)
            return
        found = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        start = int(found[1]) if found and not fault.whole else 0
        if start >= len(body) and found:
            self._plain(416, {"Content-Range": f"bytes */{len(body)}"})
            return
        told = start + 1 if fault.other_range else start
        self.send_response(206 if found and not fault.whole else 200)
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) - start + len(fault.extra)))
        if found and not fault.whole:
            self.send_header("Content-Range", f"bytes {told}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.command != "HEAD":
            self._send(body[start:] + fault.extra, fault)

    def _send(self, rest: bytes, fault: Fault) -> None:
        self.hub.sends += 1
        if fault.flip is not None:
            rest = rest[: fault.flip] + bytes([rest[fault.flip] ^ 1]) + rest[fault.flip + 1 :]
        for start, end in _pieces(len(rest), fault):
            self.hub.served += end - start  # before: whoever has read the last piece may ask at once
            self.wfile.write(rest[start:end])
            self.wfile.flush()
            if end == fault.stall:
                self.hub.stalled.set()
                self.hub.release.wait(60)
            if end == fault.cut:
                self.close_connection = True
                return


def _pieces(size: int, fault: Fault) -> Iterator[tuple[int, int]]:
    """Consecutive pieces of at most 16 KiB, with an end at every place where something happens."""
    places = {size, *(place for place in (fault.cut, fault.stall) if place is not None and place <= size)}
    ends = sorted({*range(1 << 14, size, 1 << 14), *places})
    start = 0
    for end in ends:
        yield start, end
        start = end


@contextmanager
def serving() -> Iterator[HubServer]:
    """A hub that ends with the block."""
    server = HubServer()
    try:
        yield server
    finally:
        server.close()
