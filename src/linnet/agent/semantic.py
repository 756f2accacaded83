"""Semantic: a Model around a Model that answers a request with the answer to one that means nearly the same.

Nearly the same is what an embedding says, and that of the default model says it wrongly (docs/embed.md: in 39 of 40
cases a question after something else was nearer than the same question): nothing uses this unless it is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from linnet.agent.cache import Cache
from linnet.agent.cached import Kept, Noting, Which, found, hit, keep, key_of, last_text, standing
from linnet.agent.recent import digest
from linnet.errors import SettingsInvalid, StoreError
from linnet.limits import LIMITS
from linnet.requests import Capabilities, Event, Generate, Model, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

Embed = Callable[[Sequence[str]], "Vectors"]
"""Texts -> an array of shape (texts, width): what is near in it means nearly the same."""


class Semantic:
    """Answers a `Generate` without a constraint from `cache` where its last untrusted text is near one that was
    asked in otherwise the same request: cosine of their embeddings at least `threshold`, in 0 to 1."""

    def __init__(
        self, model: Model, embed: Embed, cache: Cache, *, threshold: float = 0.97, digest: str = "", name: str = ""
    ) -> None:
        """`name` stands for the embedding, if that does not say it itself: vectors of different ones are not
        compared. Raises SettingsInvalid."""
        if not 0 < threshold <= 1:
            raise SettingsInvalid(f"the threshold is {threshold}: it should be over 0, at most 1")
        self._model, self._embed, self._cache = model, embed, cache
        self._threshold, self._which = threshold, Which(model, digest)
        self._name = name or str(getattr(embed, "name", ""))

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    def stream(self, request: Request) -> Iterator[Event]:
        if not isinstance(request, Generate) or request.constraint or request.alternatives is not None:
            return self._model.stream(request)
        text = last_text(request)
        if not text.strip():
            return self._model.stream(request)
        which = f"{self._which()} {self._name}"
        kin, key = key_of(request, which, ""), key_of(request, which, text)
        vector = _unit(self._embed([text])[0])
        notes: tuple[str, ...] = ()
        try:
            near, cosine = self._nearest(kin, vector)
        except StoreError as error:
            near, cosine, notes = None, 0.0, (error.message,)
        if near is not None:
            how = "exact" if near.text == text else f"semantic, {cosine:.3f} like {near.text[:200]!r}"
            return iter(hit(near.done, how, standing(self._model)))

        def note(done: Any) -> tuple[str, ...]:
            return keep(self._cache, key, Kept(text, done), standing(self._model), kin=kin, vector=vector.tobytes())

        return Noting(self._model.stream(request), note, notes)

    def _nearest(self, kin: bytes, vector: Vectors) -> tuple[Kept | None, float]:
        import numpy as np

        held = [(key, data) for key, data in self._cache.near(kin) if len(data) == vector.nbytes]
        if not held:
            return None, 0.0
        cosines = np.frombuffer(b"".join(data for _, data in held), np.float32).reshape(len(held), -1) @ vector
        best = int(cosines.argmax())
        if not cosines[best] >= self._threshold:
            return None, 0.0
        return found(self._cache, held[best][0]), float(cosines[best])


class Embedded:
    """An embedding that remembers: the last used `most` texts are not embedded again.

    `name` stands for the embedding that is inside, if that does not say it itself. Vectors come back as they were, to
    the bit.
    """

    def __init__(self, embed: Embed, cache: Cache, *, name: str = "") -> None:
        """Raises SettingsInvalid for an embedding without a name."""
        self.name = name or str(getattr(embed, "name", ""))
        if not self.name:
            raise SettingsInvalid("the cache has to know which embedding it is", hint="Give `name`.")
        self._embed, self._cache = embed, cache

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Raises what `embed` raises. A cache that cannot be used is passed over."""
        import numpy as np

        known = {text: self._known(text) for text in dict.fromkeys(texts)}
        fresh = [text for text, vector in known.items() if vector is None]
        for text, vector in zip(fresh, self._embed(fresh) if fresh else (), strict=True):
            known[text] = np.asarray(vector, np.float32)
            self._note(text, known[text])
        return np.stack([known[text] for text in texts])

    def _known(self, text: str) -> Any:
        import numpy as np

        try:
            body = self._cache.get(digest(self.name, text))
        except StoreError:
            return None
        return None if body is None or len(body) % 4 else np.frombuffer(body, np.float32)

    def _note(self, text: str, vector: Any) -> None:
        try:
            self._cache.put(digest(self.name, text), vector.tobytes())
        except StoreError:
            return


def embedding_cache(**given: Any) -> Cache:
    """The cache that embeddings have by default: of the last used `LIMITS.embeddings_kept`."""
    from linnet.agent.cache import cache_file

    return Cache(**{"path": cache_file("embeddings"), "most_entries": LIMITS.embeddings_kept, **given})


def _unit(vector: Any) -> Vectors:
    import numpy as np

    array: Vectors = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(array))
    return array / np.float32(length) if length else array
