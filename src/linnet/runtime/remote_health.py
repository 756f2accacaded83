"""Whether a server that speaks OpenAI's JSON is well, as it says itself: one GET, no token.

vLLM, llama-server and Linnet have `/health` beside `/v1`; where there is no such path, a list of models is taken for
well. What a server says of itself is not proof: only a request that it answers is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from linnet.errors import RemoteFailed, RemoteRefused
from linnet.runtime.exchange import Exchange, Post

_NO_SUCH_PATH = (404, 405, 501)


def check(address: str, post: Callable[[str], Post], seconds: float) -> None:
    """`address` as it is configured, `post` makes what is sent to a URL. Raises a RemoteError or DeadlineExceeded."""
    try:
        _get(post(f"{address.removesuffix('/v1')}/health"), seconds)
    except (RemoteRefused, RemoteFailed) as error:
        if error.details.get("status") not in _NO_SUCH_PATH:
            raise
        _get(post(f"{address}/models"), seconds)


def _get(post: Post, seconds: float) -> None:
    exchange = Exchange(replace(post, kind="", headers={**post.headers, "Accept": "*/*"}), seconds)
    try:
        for _ in exchange:
            pass
    finally:
        exchange.close()
