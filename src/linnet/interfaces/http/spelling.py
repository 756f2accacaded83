"""llama-server's `/tokenize` and `/detokenize`: which tokens a text is, and which text tokens are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from linnet.interfaces.http.body import received
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.openai_shapes import Loose
from linnet.interfaces.http.service import DEFAULT, Service
from linnet.interfaces.http.sse import gathered
from linnet.limits import LIMITS
from linnet.requests import Model, Spell, complete
from linnet.tokens import Token

Json = dict[str, Any]


class TokenizeRequest(Loose):
    """POST /tokenize: control tokens are recognised in the text, unless `parse_special` is false, and `add_special`
    asks for those that belong around a whole text."""

    content: str = ""
    add_special: bool = False
    parse_special: bool = True
    with_pieces: bool = False
    model: str = DEFAULT

    def spell(self) -> Spell:
        return Spell(self.content, trusted=self.parse_special, whole=self.add_special)


class DetokenizeRequest(Loose):
    """POST /detokenize"""

    tokens: Annotated[list[int], Field(max_length=LIMITS.spelled_tokens)] = Field(default_factory=list)
    model: str = DEFAULT

    def spell(self) -> Spell:
        return Spell(ids=tuple(self.tokens))


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    async def spelled(request: Request, asked: TokenizeRequest | DetokenizeRequest) -> tuple[Token, ...]:
        what = asked.spell()

        def work(model: Model, _: Model) -> Iterator[tuple[Token, ...]]:
            yield complete(model, what).tokens if what.text or what.ids else ()

        (tokens,) = await gathered(request, service.run(asked.model, request.scope["owner"], work))
        return tokens

    @paths.post("/tokenize", **documented(TokenizeRequest, "The tokens of a text"))
    async def tokenize(request: Request) -> Response:
        asked = await received(request, TokenizeRequest)
        tokens = await spelled(request, asked)
        return JSONResponse({"tokens": [_piece(one) if asked.with_pieces else one.id for one in tokens]})

    @paths.post("/detokenize", **documented(DetokenizeRequest, "The text of tokens"))
    async def detokenize(request: Request) -> Response:
        tokens = await spelled(request, await received(request, DetokenizeRequest))
        return JSONResponse({"content": b"".join(one.bytes for one in tokens).decode(errors="replace")})

    return paths


def _piece(token: Token) -> Json:
    """Bytes that are part of a character come as a list."""
    try:
        return {"id": token.id, "piece": token.bytes.decode()}
    except UnicodeDecodeError:
        return {"id": token.id, "piece": list(token.bytes)}
