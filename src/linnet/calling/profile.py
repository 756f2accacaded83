"""How a model file calls tools best, as `linnet models probe` measured it: one small JSON file for each.

Hides where profiles are kept (by the SHA-256 of the model's file, so that a name or a path says nothing) and what
a damaged one looks like: it is not there, and a note says why.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet import storage
from linnet.calling.trust import Trust
from linnet.limits import LIMITS
from linnet.messages import STRICT

TOOLS = 4
"""Tools that a model is told of where nothing was measured: as many as guiding judges."""

JSON = "json"
"""The notation of those that have none of their own: JSON, asked for in a system text of Linnet's."""

Text = Annotated[str, Field(max_length=200)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


@dataclass(frozen=True, config=STRICT)
class Way:
    """How calls are made: guided by code, or native, by the model in a notation.

    The rest is for native calls. `notation` is a row of `linnet.calling.dialects`, or `JSON`; `constrained` has
    wrong calls written again under a grammar; `thinking` turns the family's switch on. `tools` are the most that
    the model is told of.
    """

    by: Literal["guided", "native"] = "guided"
    notation: Text = ""
    constrained: bool = False
    thinking: bool = False
    tools: int = Field(default=TOOLS, ge=1, le=LIMITS.native_tools)

    def __str__(self) -> str:
        """`native: hermes, constrained, thinking, at most 4 tools`"""
        if self.by == "guided":
            return "guided"
        extra = [name for name in ("constrained", "thinking") if getattr(self, name)]
        most = f"at most {self.tools} tool{'s' if self.tools > 1 else ''}"
        return f"native: {', '.join([self.notation, *extra, most])}"


@dataclass(frozen=True, config=STRICT)
class Score:
    """What one way came to. `low` to `high` is the 95 % interval of `right / of`, `seconds` the median of a request;
    `errors` of the requests ended in an error; `stopped` says why it was not tried on all, "" if it was."""

    arm: Text
    right: Count
    of: Count
    low: Share
    high: Share
    seconds: float = Field(ge=0.0, allow_inf_nan=False)
    errors: Count = 0
    stopped: Text = ""


@dataclass(frozen=True, config=STRICT)
class Profile:
    """The way that did best, and the scores it was chosen by. `date` is a day, as `2026-11-22`. `trust` is what the
    model is believed beside evidence, None where that is as it ships."""

    way: Way
    arm: Text
    scores: tuple[Score, ...] = field(default=())
    suite: Text = ""
    date: Text = ""
    engine: Text = ""
    model: Text = ""
    trust: Trust | None = None

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = _PROFILES.dump_python(self, mode="json")
        return found


_PROFILES = TypeAdapter(Profile)


def path_of(sha256: str) -> Path:
    """Where the profile of the file with this hash is kept. Raises ValueError for what is no SHA-256."""
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"{sha256[:80]!r} is no SHA-256")
    return _folder() / f"{sha256}.json"


def any_stored() -> bool:
    """Whether there is any profile at all: if not, no file need be hashed to look for its own."""
    try:
        with os.scandir(_folder()) as entries:
            return any(entry.name.endswith(".json") for entry in entries)
    except OSError:
        return False


def load(sha256: str) -> tuple[Profile | None, str]:
    """`(profile, note)`: None without a note where there is none, None with one where it cannot be used."""
    path = path_of(sha256)
    try:
        body = _body(path)
    except FileNotFoundError:
        return None, ""
    except OSError as error:
        return None, _unusable(path, error.strerror or "it cannot be read")
    if len(body) > LIMITS.profile_bytes:
        return None, _unusable(path, f"it is over {LIMITS.profile_bytes:,} bytes")
    try:
        return _PROFILES.validate_json(body), ""
    except (ValidationError, RecursionError):
        return None, _unusable(path, "it is damaged, or of another version")


def save(sha256: str, profile: Profile) -> Path:
    """Replaces the profile in one step, and returns where it is. Raises OSError where it cannot be written."""
    path = path_of(sha256)
    storage.write_whole(path, _PROFILES.dump_json(profile, indent=1))
    return path


def _folder() -> Path:
    return storage.data_folder() / "profiles"


def _body(path: Path) -> bytes:
    """At most a byte over the limit, of a regular file and no other. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(LIMITS.profile_bytes + 1)


def _unusable(path: Path, why: str) -> str:
    return f"the profile {path} is passed over: {why}"
