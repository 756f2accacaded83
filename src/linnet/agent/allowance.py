"""Allowance: how many requests and tokens may be spent on something, in this process or in a day.

Hides the account: a small file that all processes of the user share, under a lock, or the memory of this one. An
account that cannot be kept allows nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.errors import EscalationDenied, SettingsInvalid
from linnet.storage import read_json, write_json


@dataclass(frozen=True)
class Left:
    requests: int
    tokens: int


class Allowance:
    """`requests` and `tokens` until this process ends or, with a `path` to keep the account at, until the local day
    does. Tokens are taken before a request by an estimate that should be too high, and given back after it."""

    def __init__(self, requests: int, tokens: int, *, path: Path | None = None) -> None:
        if requests < 0 or tokens < 0:
            raise SettingsInvalid("an allowance of requests and tokens should not be below 0")
        self._requests, self._tokens, self._path = requests, tokens, path
        self._lock = threading.Lock()
        self._spent = (0, 0)

    def take(self, tokens: int) -> Left:
        """One request and so many tokens; what is left then. Raises EscalationDenied, and takes nothing, if that is
        more than there is."""
        with self._account() as spent:
            requests, before = spent.now
            if requests + 1 > self._requests or before + tokens > self._tokens:
                span = "today" if self._path else "in this process"
                what = f"{requests} of {self._requests} requests and {before:,} of {self._tokens:,} tokens"
                raise EscalationDenied(f"the allowance is spent {span}: {what}, and this one may take {tokens:,}")
            spent.now = (requests + 1, before + tokens)
            return self._left(spent.now)

    def give_back(self, tokens: int) -> Left:
        """Tokens that were taken and not used."""
        with self._account() as spent:
            requests, before = spent.now
            spent.now = (requests, max(0, before - tokens))
            return self._left(spent.now)

    def _left(self, spent: tuple[int, int]) -> Left:
        return Left(max(0, self._requests - spent[0]), max(0, self._tokens - spent[1]))

    @contextmanager
    def _account(self) -> Iterator[_Account]:
        try:
            with self._lock, self._alone():
                account = _Account(self._read() if self._path else self._spent)
                yield account
                self._spent = account.now
                if self._path and not write_json(self._path, _as_json(account.now)):
                    raise OSError(f"nothing can be written to {self._path}")
        except OSError as error:
            raise EscalationDenied(f"no account of what is spent today can be kept: {error}") from error

    def _alone(self) -> AbstractContextManager[Any]:
        if self._path is None:
            return nullcontext()
        from linnet.models.locks import exclusive

        self._path.parent.mkdir(parents=True, exist_ok=True)
        return exclusive(self._path.with_suffix(".lock"))

    def _read(self) -> tuple[int, int]:
        assert self._path is not None
        if not self._path.exists():
            return 0, 0
        match read_json(self._path):
            case {"day": str(day), "requests": int(requests), "tokens": int(tokens)}:
                return (requests, tokens) if day == _today() else (0, 0)
        hint = "Remove the file if you know what was spent today."
        raise EscalationDenied(f"{self._path} holds no account of what was spent today", hint=hint)


@dataclass
class _Account:
    now: tuple[int, int]


def _as_json(spent: tuple[int, int]) -> dict[str, Any]:
    return {"day": _today(), "requests": spent[0], "tokens": spent[1]}


def _today() -> str:
    return time.strftime("%Y-%m-%d")
