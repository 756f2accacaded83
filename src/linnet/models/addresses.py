"""Where a hub is, who may see the token for it, and where a redirect of it may lead.

Hides the variables and files that huggingface_hub has for this. They are read and nothing more: its own
`get_token` may open connections, to refresh a token or to get one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from linnet.errors import PullFailed, SettingsInvalid

PUBLIC = "https://huggingface.co"


def endpoint(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """The address of the hub: as given, or HF_ENDPOINT, or the public one. Raises SettingsInvalid."""
    return checked(given or environ.get("HF_ENDPOINT") or PUBLIC)


def is_offline(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids connections, by huggingface_hub's own words for yes."""
    return (environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE") or "").upper() in _YES


def token(endpoint: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The token for a hub: HF_TOKEN, or for the public hub what `hf auth login` has stored.

    None where HF_HUB_DISABLE_IMPLICIT_TOKEN says so, and for plain http to another machine, where anybody on the
    way could read it. Raises SettingsInvalid for a token that cannot be sent.
    """
    parts = urlsplit(endpoint)
    clear = parts.scheme == "http" and parts.hostname not in _LOOPBACK
    if clear or environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in _YES:
        return None
    found = environ.get("HF_TOKEN", "").strip() or (_logged_in(environ) if endpoint == PUBLIC else "")
    if not re.fullmatch(r"[\x21-\x7e]*", found):
        raise SettingsInvalid("the token of the hub has characters that no token has", place="HF_TOKEN")
    return found or None


def checked(address: str) -> str:
    """The address without a slash at its end. Raises SettingsInvalid."""
    try:
        parts = urlsplit(address)
        plain = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    odd = re.search(r"[^\x21-\x7e]", address)
    if not plain or odd or parts.username is not None or parts.query or parts.fragment:
        hint = "Write it as https://host or https://host:port/path; a token belongs in HF_TOKEN."
        raise SettingsInvalid(f"{address[:80]!r} is not the address of a hub", hint=hint, place="endpoint")
    return address.rstrip("/")


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454): what is alike in all three may see the same secrets."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def following(url: str, target: str) -> str:
    """Where a redirect leads. From https to http, and with a name and password in it, none is followed."""
    try:
        there = urljoin(url, target)
        parts = urlsplit(there)
        origin(there)
    except ValueError as error:
        raise PullFailed("the hub sends on to no address") from error
    if parts.scheme not in ("http", "https") or (url.startswith("https:") and parts.scheme != "https"):
        raise PullFailed(f"the hub sends on from https to {parts.scheme[:20]!r}, which is not followed")
    if parts.username is not None:
        raise PullFailed("the hub sends on to an address with a password in it, which is not followed")
    return there


_YES = ("1", "ON", "YES", "TRUE")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _logged_in(environ: Mapping[str, str]) -> str:
    """The token that `hf auth login` has stored: where huggingface_hub puts it, but read and nothing more."""
    home = Path(environ.get("HF_HOME") or Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    try:
        path = Path(environ.get("HF_TOKEN_PATH") or home / "token").expanduser()
        with path.open("rb") as file:
            return file.read(4_096).decode("ascii").strip()
    except (OSError, ValueError, RuntimeError):
        return ""
