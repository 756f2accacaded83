"""Where a server is, and the key to it: what can be one, and where a key may go."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from linnet.errors import SettingsInvalid

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def address_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        plain = False
    if not plain or re.search(r"[^\x21-\x7e]", url) or parts.username is not None or parts.query or parts.fragment:
        hint = "Write it as https://host/v1 or http://host:port/v1; a key belongs in LINNET_REMOTE_KEY."
        told = re.split("[?#]", url.rpartition("@")[2])[0][:80]  # beside that may stand a password
        raise SettingsInvalid(f"{told!r} is not the address of a server", hint=hint, place="remote_url")
    return url.rstrip("/")


def check_key(key: str, safe: bool) -> None:
    if not re.fullmatch(r"[\x21-\x7e]*", key):
        raise SettingsInvalid(
            "the key of the remote server has characters that no key has", place="LINNET_REMOTE_KEY"
        )
    if key and not safe:
        hint = "Use https, or leave LINNET_REMOTE_KEY unset if the server needs none."
        raise SettingsInvalid("a key is not sent over plain http to another machine", hint=hint, place="remote_url")
