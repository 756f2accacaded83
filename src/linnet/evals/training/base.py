"""The model that is trained, as its file in the store has it, and conversations as its template says them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from linnet.evals.training.asking import Render
from linnet.evals.training.tokens import Tokens
from linnet.evals.training.weights import Shape, shape_of
from linnet.models import store
from linnet.models.gguf import open_model
from linnet.models.integrity import checked_header
from linnet.runtime import sandbox
from linnet.runtime.local import open_local
from linnet.runtime.renderer import Renderer


@dataclass(frozen=True)
class Base:
    """The file of the model that is trained."""

    path: Path
    shape: Shape
    sha256: str
    tokens: Tokens

    @classmethod
    def of(cls, base: str) -> Base:
        located = store.locate(base)
        with open_model(located.path) as file:
            header = checked_header(file)
            sha256 = store.verify(located, file) or store.fingerprint(file)
            return cls(located.path, shape_of(header), sha256, Tokens(header))


@contextlib.contextmanager
def rendering(base: str) -> Iterator[Render]:
    """Conversations as the model's template says them; its worker is never started."""
    model = open_local(base, encoding="original", fitted=False)
    family = model.family
    renderer = Renderer(family.template, family.bos, family.eos, sandbox.for_rendering())
    options = model.configuration.options
    try:
        yield lambda messages: renderer.render(family.adapt(messages), "", options=options).segments
    finally:
        renderer.close()
        model.close()
