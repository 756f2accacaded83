"""Whether torch and the engine say the same with an adapter: greedy answers, token for token.

The engine answers; torch reads the answer once and says at each place what it would have said. Where the first of
these differs is where the answers part, and `gap` tells by how little: in nats, between the two tokens, by torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from linnet.evals.training.lesson import Lesson, Piece
from linnet.evals.training.network import Network
from linnet.evals.training.pack import Told, pack
from linnet.evals.training.tokens import Spelled, Tokens
from linnet.requests import Generate, Model, Prompt
from linnet.requests import Piece as Said


@dataclass(frozen=True)
class Agreement:
    """One prompt: the first `same` of the engine's `tokens` are torch's too; `gap` is 0 where all are."""

    tokens: int
    same: int
    gap: float

    @property
    def whole(self) -> bool:
        return self.same == self.tokens


def agreements(
    model: Model, network: Network, tokens: Tokens, prompts: Sequence[Prompt], most: int = 24
) -> Iterator[Agreement]:
    """One for each prompt that the engine says anything to, in at most so many tokens. Raises as the Model does."""
    for prompt in prompts:
        request = Generate(prompt, max_tokens=most)
        said = [id for event in model.stream(request) if isinstance(event, Said) for id in event.tokens]
        if said:
            yield _compared(network, tokens.prompt(prompt), said)


def _compared(network: Network, prompt: Sequence[int], said: Sequence[int]) -> Agreement:
    text = Spelled((*prompt, *said), tuple(range(len(prompt), len(prompt) + len(said))), (True,) * len(said))
    logits = network.logits(pack([Told(Lesson("call", ((),), (Piece("x"),)), (text,))]))
    for place, id in enumerate(said):
        best = int(logits[place].argmax())
        if best != id:
            return Agreement(len(said), place, float(logits[place, best] - logits[place, id]))
    return Agreement(len(said), len(said), 0.0)
