"""Embedding: a Model's vectors of any number of texts, in the form that semantic caches and programs want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from linnet.agent.cached import Which
from linnet.errors import KindUnsupported
from linnet.limits import LIMITS
from linnet.requests import Embed, Model, complete_all

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TOGETHER = 8
"""Requests of `LIMITS.embedded_texts` that the Model has at once: a queue is shared with others."""


class Embedding:
    """Texts -> an array of shape (texts, width), each row of length 1, or of 0 for a text of spaces.

    `which` stands for the model; a LocalModel says it by itself. Raises KindUnsupported for a Model that does not
    embed, SettingsInvalid for one that does not say which it is. `linnet.agent.semantic.Embedded` remembers.
    """

    def __init__(self, model: Model, *, which: str = "") -> None:
        embeds = model.capabilities.embeds
        if embeds is None:
            raise KindUnsupported(f"{model.capabilities.name} does not embed texts")
        self._model, self._source, self._which = model, embeds.source, Which(model, which)
        self._width = embeds.width

    @property
    def name(self) -> str:
        """What stands for these vectors: those of another name are not comparable."""
        return f"{self._which()} {self._source}"

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raises what the Model raises."""
        import numpy as np

        said = [text for text in dict.fromkeys(texts) if text.strip()]
        rows = [row for part in self._parts(said) for row in part]
        nothing = np.zeros(len(rows[0]) if rows else self._width, np.float32)
        known = dict(zip(said, rows, strict=True))
        return np.array([known.get(text, nothing) for text in texts], np.float32).reshape(len(texts), len(nothing))

    def _parts(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        step = LIMITS.embedded_texts
        requests = [Embed(tuple(texts[at : at + step])) for at in range(0, len(texts), step)]
        groups = [requests[at : at + _TOGETHER] for at in range(0, len(requests), _TOGETHER)]
        ends = [done.vectors for group in groups for done in complete_all(self._model, group)]
        return [vectors.array() for vectors in ends if vectors is not None]
