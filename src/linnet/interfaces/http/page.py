"""The page at `/`, and the few files that it is made of: read once, served from memory, with rules for the browser.

No name of a request ever becomes a path: what is served is a table. The page comes without a key, for a browser has
none to send before it is there; it holds nothing of anybody's, and all that it asks for afterwards is asked with one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from fastapi import APIRouter, Request
from fastapi.responses import Response

FRONT = "/"

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",  # a frame of another page could have a click there approve a call here
        "require-trusted-types-for 'script'",  # no text becomes markup, whatever a later hand writes
        "trusted-types 'none'",
    )
)

_RULES = {
    "Cache-Control": "no-cache",  # kept, and asked about each time: a new version is seen at once
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent; `tag` changes with every byte of it."""

    body: bytes
    media: str

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def assets() -> Mapping[str, Asset]:
    """Everything that the page is made of, by path."""
    found = {}
    for file in files("linnet.interfaces.http").joinpath("static").iterdir():
        _, _, ending = file.name.rpartition(".")
        if ending in _TYPES:
            path = FRONT if file.name == "index.html" else f"/page/{file.name}"
            found[path] = Asset(file.read_bytes(), _TYPES[ending])
    return found


def router(served: Mapping[str, Asset]) -> APIRouter:
    paths = APIRouter()

    async def sent(request: Request) -> Response:
        asset = served[request.scope["path"]]
        headers = {**_RULES, "ETag": asset.tag}
        if asset.tag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media, headers=headers)

    for path in served:
        paths.add_api_route(path, sent, methods=["GET", "HEAD"], include_in_schema=False, response_model=None)
    return paths


def _tags(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
