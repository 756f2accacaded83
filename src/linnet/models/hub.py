"""Asks a model hub what a repository holds, and fetches a file of it into something that takes bytes.

Hides HTTP: addresses, redirects, retries, resuming, and who may see the token. The client, the form of addresses
and the offline switch are those of huggingface_hub. Its downloads (2.4) are not used, for each keeps a promise from
being kept: `hf_hub_download` throws away what a cut download has brought, compares no SHA-256, and takes any number
of bytes; `hf_xet` brings a transport of its own, with its own cache; `get_token` and the usual headers may open
connections that nobody asked for. So nothing here does: no telemetry, no look for updates, no list of agents.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from linnet.errors import (
    HubDenied,
    HubOffline,
    LinnetError,
    ModelMismatch,
    ModelNotFound,
    PullFailed,
)
from linnet.limits import LIMITS
from linnet.models import addresses, naming
from linnet.models.choice import RemoteFile

if TYPE_CHECKING:
    import httpx2

# --- the face ------------------------------------------------------------------------------------


class Sink(Protocol):
    """What a file is fetched into. `have` bytes are there already; `write` says whether more are wanted."""

    have: int

    def write(self, block: bytes) -> bool: ...

    def restart(self) -> None: ...


@dataclass(frozen=True)
class Listing:
    """A repository at one commit. `odd` files are left out: their names could lead elsewhere."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]
    odd: int


class Hub:
    """One hub. `pause` is the first wait in seconds between attempts, which doubles; `patience` the longest silence.

    `retrying` is told why each further attempt is made.
    """

    def __init__(
        self,
        endpoint: str = addresses.PUBLIC,
        token: str | None = None,
        *,
        pause: float = 1.0,
        patience: float = LIMITS.hub_silence_seconds,
        retrying: Callable[[str], None] = lambda why: None,
    ) -> None:
        self.endpoint = addresses.checked(endpoint)
        self._token = token
        self._pause = pause
        self._patience = patience
        self._retrying = retrying

    def listing(self, repo: str, revision: str = "main") -> Listing:
        """What a repository holds at a branch, tag or commit.

        Raises ModelNotFound, HubDenied, HubOffline, PullFailed; ModelMismatch if a commit was asked for and
        another came.
        """
        url = f"{self.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"
        what = f"{repo} at {revision}"
        data = self._patiently(what, lambda: 0, lambda: self._json(url, what))
        return _listing(repo, revision, data)

    def fetch(self, listing: Listing, file: RemoteFile, sink: Sink) -> None:
        """The rest of a file, as far as the sink wants it; goes on where a cut connection ended.

        Raises PullFailed when the hub gives nothing more; what the sink has is then good to go on with.
        """
        path = f"{quote(listing.repo)}/resolve/{listing.commit}/{quote(file.path)}"
        url, what = f"{self.endpoint}/{path}", f"{file.path} of {listing.repo}"
        expected = {"x-linked-etag": file.sha256, "x-repo-commit": listing.commit, "x-linked-size": str(file.size)}
        self._patiently(what, lambda: sink.have, lambda: self._rest(url, what, file.size, sink, expected))

    # --- one request -----------------------------------------------------------------------------

    def _json(self, url: str, what: str) -> bytes:
        """The whole body, within the limits of size and time."""
        body, deadline = bytearray(), time.monotonic() + LIMITS.hub_wait_seconds
        with self._opened(url, {}, what, {}) as response:
            for block in response.iter_raw():
                body += block
                if len(body) > LIMITS.hub_reply_bytes:
                    raise PullFailed(f"the list of {what} is over {LIMITS.hub_reply_bytes} bytes, the limit")
                if time.monotonic() > deadline:
                    raise _Passing(f"the list of {what} took over {LIMITS.hub_wait_seconds:g} s")
        return bytes(body)

    def _rest(self, url: str, what: str, size: int, sink: Sink, expected: Mapping[str, str | None]) -> None:
        if sink.have >= size:
            return
        wanted = {"Range": f"bytes={sink.have}-"} if sink.have else {}
        with self._opened(url, wanted, what, expected) as response:
            if not _goes_on(response, sink.have, size):
                sink.restart()
                if response.status_code != 200:
                    raise _Passing("the hub does not go on where the file was cut")
            for block in response.iter_raw():
                if not sink.write(block):
                    return
        if sink.have < size:
            raise _Passing(f"the connection ended after {sink.have} of {size} bytes")

    @contextlib.contextmanager
    def _opened(
        self, url: str, headers: Mapping[str, str], what: str, expected: Mapping[str, str | None]
    ) -> Iterator[httpx2.Response]:
        """The answer to a GET, redirects followed by hand: the token goes to the hub's own origin and no other."""
        client, home = _client(), addresses.origin(self.endpoint)
        for _ in range(LIMITS.hub_redirects + 1):
            sent = {"User-Agent": _agent(), "Accept-Encoding": "identity", **headers}
            at_home = addresses.origin(url) == home
            if at_home and self._token:
                sent["Authorization"] = f"Bearer {self._token}"
            with client.stream("GET", url, headers=sent, timeout=self._patience, follow_redirects=False) as response:
                if at_home:
                    _compare(response.headers, expected, what)
                target = response.headers.get("Location") if response.status_code in _MOVED else None
                if target is None:
                    _check(response, what)
                    yield response
                    return
            url = addresses.following(url, target)
        raise PullFailed(f"the hub sends on {what} more than {LIMITS.hub_redirects} times")

    def _patiently(self, what: str, progress: Callable[[], int], ask: Callable[[], _Answer]) -> _Answer:
        """Ask again after what may pass, with growing pauses, until that many attempts have brought nothing new."""
        import httpx2
        from huggingface_hub.errors import OfflineModeIsEnabled

        failures, best = 0, progress()
        while True:
            try:
                return ask()
            except OfflineModeIsEnabled as error:
                raise HubOffline(f"offline mode is on: the hub is not asked for {what}") from error
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                raise PullFailed(f"the hub sends on {what} to no address: {error}") from error
            except (httpx2.HTTPError, _Passing) as error:
                reached = progress()
                failures = 1 if reached > best else failures + 1
                best = max(best, reached)
                told = str(error) or type(error).__name__
                if failures >= LIMITS.hub_attempts:
                    message = f"{what} could not be fetched from {self.endpoint}: {told} ({failures} attempts)"
                    raise PullFailed(message, kept=reached) from error
                wait = _wait(error, self._pause * 2 ** (failures - 1), what)
            self._retrying(f"tried again: {told}")
            time.sleep(wait)


# --- answers -------------------------------------------------------------------------------------

_Answer = TypeVar("_Answer")
_MOVED = (301, 302, 303, 307, 308)
_PASSING = (408, 429, 500, 502, 503, 504)


class _Passing(Exception):
    """Something that may be over at the next attempt; `after` seconds, if the hub says so."""

    def __init__(self, told: str, after: float | None = None) -> None:
        super().__init__(told)
        self.after = after


class _Lfs(BaseModel):
    sha256: str
    size: int = Field(ge=0)


class _Sibling(BaseModel):
    rfilename: str
    size: int | None = None
    lfs: _Lfs | None = None


class _Model(BaseModel):
    """What is read of `GET /api/models/REPO/revision/REVISION?blobs=true`."""

    sha: str
    siblings: list[_Sibling] = []


def _listing(repo: str, revision: str, body: bytes) -> Listing:
    try:
        model = _Model.model_validate(json.loads(body))
    except (ValueError, RecursionError, ValidationError) as error:
        raise PullFailed(f"what the hub says of {repo} is no list of files", hint=_NO_HUB) from error
    if not naming.is_commit(model.sha):
        raise PullFailed(f"the hub names no commit of {repo}", hint=_NO_HUB)
    if naming.is_commit(revision) and model.sha != revision:
        raise ModelMismatch(f"{repo}: commit {revision} was asked for, the hub gave {model.sha}")
    plain = [one for one in model.siblings if naming.is_plain_file(one.rfilename)]
    files = tuple(_remote(one) for one in plain)
    return Listing(repo, model.sha, files, len(model.siblings) - len(plain))


_NO_HUB = "Check the address of the hub (--endpoint, HF_ENDPOINT): is it one?"


def _remote(one: _Sibling) -> RemoteFile:
    if one.lfs is None:
        return RemoteFile(one.rfilename, one.size or 0, None)
    sha256 = one.lfs.sha256.lower()
    return RemoteFile(one.rfilename, one.lfs.size, sha256 if naming.is_digest(sha256) else None)


def _check(response: httpx2.Response, what: str) -> None:
    """Raises what the status means; returns for the ones that bring a file, or say where it ends (416)."""
    status, code = response.status_code, response.headers.get("X-Error-Code", "")[:40]
    if status in (200, 206, 416):
        if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise PullFailed(f"the hub packs {what} though asked not to")
        return
    if status in _PASSING:
        after = response.headers.get("Retry-After", "")
        raise _Passing(f"the hub answers {status}", float(after) if re.fullmatch("[0-9]{1,9}", after) else None)
    raise _refusal(status, code, what)


def _refusal(status: int, code: str, what: str) -> LinnetError:
    told = f"the hub answers {status}{f' ({code})' if code else ''}"
    if status == 404:
        hint = "Check the owner, the repository, the revision and the file; a private one needs HF_TOKEN."
        return ModelNotFound(f"{what} is not there: {told}", hint=hint, status=status, code=code)
    if status in (401, 403):
        reason = "is gated" if code == "GatedRepo" else "is private, or not there"
        return HubDenied(f"{what} {reason}: {told}", status=status, code=code)
    return PullFailed(f"{what} could not be fetched: {told}", hint=_NO_HUB, status=status, code=code)


def _compare(headers: Mapping[str, str], expected: Mapping[str, str | None], what: str) -> None:
    """Before gigabytes come: does the hub still mean the same file? Headers that are not there say nothing."""
    for name, value in expected.items():
        told = headers.get(name, "").removeprefix("W/").strip('"')
        if told and value and told != value:
            raise ModelMismatch(
                f"the hub gives another {what} than it has listed: {name} is {told[:80]}, not {value}"
            )


def _goes_on(response: httpx2.Response, have: int, size: int) -> bool:
    """Whether these are the bytes from `have` on, of a file of this size."""
    if response.status_code == 200:
        return have == 0
    told = response.headers.get("Content-Range", "").strip()
    return response.status_code == 206 and told in (f"bytes {have}-{size - 1}/{size}", f"bytes {have}-{size - 1}/*")


def _wait(error: Exception, pause: float, what: str) -> float:
    after = error.after if isinstance(error, _Passing) else None
    if after is not None and after > LIMITS.hub_wait_seconds:
        hint = f"Run the same command again in {after:.0f} s."
        raise PullFailed(f"the hub wants {after:.0f} s of rest before it gives {what}", hint=hint) from error
    return min(pause, LIMITS.hub_wait_seconds) if after is None else after


# --- the client ----------------------------------------------------------------------------------


def _client() -> Any:
    """The client of huggingface_hub, which knows proxies, certificates and offline mode."""
    from huggingface_hub import get_session

    return get_session()


def _agent() -> str:
    from linnet import __version__

    return f"linnet/{__version__}"
