"""A model with an adapter in the making: what it says of a pack, and how wrong that is.

Hides torch and `transformers`, which are imported when this is first asked for. The model's own weights stay
as they are; the adapter's are of 32 bits, and are computed with in 16 where the processor is quicker at that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.evals.training import weights
from linnet.evals.training.pack import Pack
from linnet.evals.training.weights import MATRICES, Shape

ECHO = 0.02
"""Of a lesson that decides, what the answer's own likelihood counts beside the decision, for each nat: so that the
model does not forget how to say it."""


@dataclass(frozen=True)
class Judgement:
    """One lesson: `nats` by which the right answer is less than certain, and whether it would be given."""

    kind: str
    nats: float
    right: bool


class Network:
    """A Llama of a GGUF file with a LoRA adapter of all its matrices in blocks, which begins as no change at all."""

    def __init__(
        self, path: Path, shape: Shape, *, rank: int, alpha: float, seed: int, device: str = "", half: bool = True
    ) -> None:
        import torch

        from linnet.evals.training.lora import Changed, adapt

        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._kind = torch.bfloat16 if half else torch.float32
        self.shape, self.rank, self.alpha = shape, rank, alpha
        self._llama: Any = weights.model(path, shape, self._kind)
        names = [f"model.layers.{block}.{part}" for block in range(shape.blocks) for part in MATRICES.values()]
        self._learned = adapt(self._llama, names, rank, alpha / rank, seed)
        self._changed = [module for module in self._llama.modules() if isinstance(module, Changed)]
        self._llama.to(self.device)

    # --- the adapter ---------------------------------------------------------------------------

    def learned(self) -> dict[str, Any]:
        """The tensors that are trained, by name; changing them changes the model."""
        return self._learned

    def load(self, tensors: Mapping[str, Any]) -> None:
        """Sets them all. Raises KeyError for one that is missing."""
        import torch

        with torch.no_grad():
            for name, value in self.learned().items():
                value.copy_(tensors[name])

    # --- what it says --------------------------------------------------------------------------

    def loss(self, pack: Pack) -> tuple[Any, list[Judgement]]:
        """The mean of the lessons' nats, to be improved, and what became of each."""
        import torch

        nats, best = self._said(pack)
        texts = 1 + max(pack.owners)
        owners = torch.tensor(pack.owners, device=self.device)
        free = torch.tensor(pack.free, device=self.device)
        whole = torch.zeros(texts, device=self.device).index_add(0, owners, nats)
        decided = torch.zeros(texts, device=self.device).index_add(0, owners, nats * free)
        wrong = torch.zeros(texts, device=self.device).index_add(0, owners, (free & ~best).float())
        losses, judgements = [], []
        for lesson, own in pack.lessons:
            if lesson.decides:
                likely = -whole[list(own)]
                loss = torch.logsumexp(likely, 0) - likely[lesson.right]
                judgements.append((lesson.kind, loss, likely.argmax() == lesson.right))
                loss = loss + ECHO * whole[own[lesson.right]]
            else:
                loss = decided[own[0]]
                judgements.append((lesson.kind, loss, wrong[own[0]] == 0))
            losses.append(loss)
        told = [Judgement(kind, float(loss.detach()), bool(right)) for kind, loss, right in judgements]
        return torch.stack(losses).mean(), told

    def judge(self, packs: Iterable[Pack]) -> list[Judgement]:
        """The same without learning from it."""
        import torch

        with torch.no_grad():
            return [judgement for pack in packs for judgement in self.loss(pack)[1]]

    def drift(self, pack: Pack) -> Any:
        """Nats a token by which what it says of the pack has moved from what the model says without the adapter: the
        Kullback-Leibler divergence of the two, from the model's own."""
        import torch

        with torch.no_grad(), self._bare():
            own = torch.log_softmax(self._logits(pack), -1)
        return (own.exp() * (own - torch.log_softmax(self._logits(pack), -1))).sum(-1).mean()

    def drifted(self, packs: Iterable[Pack]) -> float:
        """The mean drift on these packs, without learning from it; 0 for none."""
        import torch

        with torch.no_grad():
            each = [float(self.drift(pack)) for pack in packs]
        return sum(each) / max(1, len(each))

    def logits(self, pack: Pack) -> Any:
        """For each judged token, what comes next: logits over the vocabulary, as 32 bits."""
        import torch

        with torch.no_grad():
            return self._logits(pack)

    def _logits(self, pack: Pack) -> Any:
        import torch

        places = torch.tensor(pack.judged, device=self.device)
        return self._llama.lm_head(self._states(pack)[places]).float()

    @contextlib.contextmanager
    def _bare(self) -> Iterator[None]:
        """The model without its adapter meanwhile."""
        scales = [each.scale for each in self._changed]
        for each in self._changed:
            each.scale = 0.0
        try:
            yield
        finally:
            for each, scale in zip(self._changed, scales, strict=True):
                each.scale = scale

    def _said(self, pack: Pack) -> tuple[Any, Any]:
        """For each judged token, the nats that its target lacks of being certain, and whether it is the likeliest."""
        import torch

        places = torch.tensor(pack.judged, device=self.device)
        targets = torch.tensor(pack.targets, device=self.device)
        single, number = places.unique(return_inverse=True)
        logits = self._llama.lm_head(self._states(pack)[single]).float()
        whole = torch.logsumexp(logits, -1)
        best = logits.detach().argmax(-1)
        nats = whole[number] - logits[number, targets]
        return nats, best[number] == targets

    def _states(self, pack: Pack) -> Any:
        import torch

        ids = torch.tensor(pack.ids, device=self.device)[None]
        depths = torch.tensor(pack.depths, device=self.device)[None]
        ends = torch.tensor(pack.ends, device=self.device)
        at = torch.arange(len(pack.ids), device=self.device)
        seen = (at[None, :] <= at[:, None]) & (at[:, None] < ends[None, :])
        mask = torch.zeros(seen.shape, dtype=self._kind, device=self.device).masked_fill(~seen, float("-inf"))
        found = self._llama.model(input_ids=ids, attention_mask=mask[None, None], position_ids=depths)
        return found.last_hidden_state[0]
