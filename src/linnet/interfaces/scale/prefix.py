"""The stable prefix of a request, as a digest: requests that have the same are best served by one replica.

What a worker computes of a prompt is kept by owner and adapter, so these are part of it.
"""

from __future__ import annotations

from hashlib import blake2b

from pydantic_core import to_json

from linnet.messages import Message
from linnet.requests import Embed, Generate, Request, Score, Segment, Spell

_FIRST_CHARS = 256
"""Of a prompt that says nothing of what is stable in it."""


def key_of(request: Request, adapter: str = "") -> str:
    """The digest of owner, adapter and stable prefix: system message and tools, or the leading segments that are told
    to be stable; of a conversation that has neither, its first message, which all its turns have in common."""
    told = [adapter, getattr(request, "owner", ""), _prefix(request)]
    return blake2b(to_json(told, fallback=str), digest_size=16).hexdigest()


def _prefix(request: Request) -> object:
    match request:
        case Embed():
            return request.texts[0][:_FIRST_CHARS]
        case Spell():
            return ""
    messages = [part for part in request.prompt if isinstance(part, Message)]
    if messages:
        system = [message.content for message in messages if message.role == "system"]
        return [system or messages[0].content[:_FIRST_CHARS], request.tools]
    texts = [part.text for part in request.prompt if isinstance(part, Segment)]
    stable = request.stable if isinstance(request, Generate | Score) else 0
    return texts[:stable] or "".join(texts)[:_FIRST_CHARS]
