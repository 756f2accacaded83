"""`/v1/embeddings`: vectors of texts as OpenAI writes them, as numbers or packed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from linnet.errors import NotOffered, RequestError
from linnet.interfaces.http.body import passed_over, received
from linnet.interfaces.http.documented import documented
from linnet.interfaces.http.openai_shapes import Loose
from linnet.interfaces.http.service import Service
from linnet.interfaces.http.sse import gathered
from linnet.limits import LIMITS
from linnet.requests import Done, Embed, Model, check_size, complete
from linnet.vectors import Vectors


class EmbeddingRequest(Loose):
    """POST /v1/embeddings"""

    model: str = "default"
    input: str | Annotated[list[str], Field(min_length=1, max_length=LIMITS.embedded_texts)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None

    def texts(self) -> tuple[str, ...]:
        """Raises RequestError for an empty one, RequestTooLarge for too much."""
        given = (self.input,) if isinstance(self.input, str) else tuple(self.input)
        if not all(given):
            raise RequestError("a text is empty", param="input")
        check_size(given)
        return given

    def check_width(self, width: int) -> None:
        """Raises NotOffered where others are wanted than vectors of so many numbers; 0 is not known yet."""
        if width and self.dimensions not in (None, width):
            raise NotOffered(f"the vectors of this model have {width} numbers each", param="dimensions")


def router(service: Service) -> APIRouter:
    paths = APIRouter()

    @paths.post("/v1/embeddings", **documented(EmbeddingRequest, "Vectors of texts"))
    async def embeddings(request: Request) -> Response:
        asked = await received(request, EmbeddingRequest)
        texts, embeds = asked.texts(), service.model(asked.model).capabilities.embeds
        asked.check_width(embeds.width if embeds else 0)

        def work(model: Model, _: Model) -> Iterator[Done]:
            yield complete(model, Embed(texts))

        (done,) = await gathered(request, service.run(asked.model, request.scope["owner"], work))
        return JSONResponse(_answer(asked, done, service.model(asked.model)))

    return paths


def _answer(asked: EmbeddingRequest, done: Done, model: Model) -> dict[str, Any]:
    vectors, able = done.vectors, model.capabilities
    assert vectors is not None, "it was asked to embed"
    asked.check_width(vectors.width)
    packed = asked.encoding_format == "base64"
    rows = [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(_rows(vectors, packed))]
    embeds = able.embeds
    told = {
        "model": able.name,
        "source": embeds.source if embeds else "",
        "trained": bool(embeds and embeds.trained),
        "degraded": [*done.degraded, *passed_over(asked)],
    }
    spent = {"prompt_tokens": done.usage.prompt_tokens, "total_tokens": done.usage.prompt_tokens}
    return {"object": "list", "model": asked.model, "data": rows, "usage": spent, "linnet": told}


def _rows(vectors: Vectors, packed: bool) -> list[Any]:
    """Packed, a row is its 32-bit floats, little-endian, as OpenAI's client wants them."""
    if not packed:
        rows: list[Any] = vectors.array().tolist()
        return rows
    step = 4 * vectors.width
    return [base64.b64encode(vectors.data[at : at + step]).decode() for at in range(0, len(vectors.data), step)]
