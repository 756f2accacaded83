"""API keys: which there are, and whose a given one is. Digests of all are compared, each time in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from linnet.errors import InputInvalid, NotAuthorized, SettingsInvalid
from linnet.settings import API_KEYS

_SHORTEST = 8


class Keys:
    """Without any key everybody may ask, and nobody is anybody in particular. Raises SettingsInvalid for a key that
    cannot be one."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        given = list(dict.fromkeys(keys))
        if any(len(key) < _SHORTEST or not re.fullmatch(r"[\x21-\x7e]+", key) for key in given):
            message = f"an API key has at least {_SHORTEST} characters, none of them spaces or other than ASCII"
            raise SettingsInvalid(message, hint="Make one with: openssl rand -hex 24")
        self._digests = [hashlib.sha256(key.encode()).digest() for key in given]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def owner(self, given: str) -> str:
        """Whose request it is: a name for the key that says nothing of it; "" where there are no keys.

        Raises NotAuthorized.
        """
        if not self._digests:
            return ""
        digest = hashlib.sha256(given.encode(errors="surrogateescape")).digest()
        found = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(found):
            raise NotAuthorized("the API key is not one of this server's" if given else "an API key is wanted")
        return hashlib.sha256(b"owner:" + digest).hexdigest()[:32]


def given_key(headers: Mapping[str, str]) -> str:
    """The key that a request brings, as OpenAI's and Anthropic's clients send it; "" for none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def collected(keys: Iterable[str], files: Iterable[Path], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Keys that were given, those in files (one a line, `#` begins a comment), and those of the environment.

    Raises InputInvalid for a file that cannot be read, and SettingsInvalid where keys were to be and none are: who
    names a place for keys does not want a server without.
    """
    places = [("--api-key", [key]) for key in keys] + [(repr(str(file)), _lines(file)) for file in files]
    if API_KEYS in environ:
        places.append((API_KEYS, environ[API_KEYS].split(",")))
    return tuple(key for place, given in places for key in _some(place, given))


def _some(place: str, given: Iterable[str]) -> list[str]:
    found = [key.strip() for key in given if key.strip()]
    if not found:
        hint = "Put a key there, or leave it out to serve this machine without one."
        raise SettingsInvalid(f"{place} holds no API key", hint=hint, place=place)
    return found


def _lines(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputInvalid(f"the file of keys {str(file)!r} cannot be read: {error}", path=str(file)) from error
    return [line for line in lines if not line.lstrip().startswith("#")]
