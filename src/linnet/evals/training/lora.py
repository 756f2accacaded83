"""A LoRA adapter in torch: matrices `x W + scale (x A) B`, of which W stays and A and B are learned.

In place of `peft`'s layers, because of what those cost here (docs/decisions/0023): the change is added where the
product stands instead of in passes of its own, and the way back is written out. This module imports torch as it is
read, so it is read only by who trains.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class _Changed(torch.autograd.Function):  # type: ignore[misc]
    """`x W^T + (x A^T) B^T`, with gradients for x, A and B; A and B of 32 bits, the products of W's type."""

    @staticmethod
    def forward(context: Any, x: Any, weight: Any, down: Any, up: Any) -> Any:
        small_down, small_up = down.to(weight.dtype), up.to(weight.dtype)
        flat = x.reshape(-1, x.shape[-1])
        inner = flat @ small_down.t()
        out = flat @ weight.t()
        out.addmm_(inner, small_up.t())
        context.save_for_backward(flat, weight, small_down, small_up, inner)
        return out.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(context: Any, given: Any) -> Any:
        flat, weight, down, up, inner = context.saved_tensors
        back = given.reshape(-1, given.shape[-1])
        through = back @ up
        to_x = None
        if context.needs_input_grad[0]:
            to_x = (back @ weight).addmm_(through, down).view(*given.shape[:-1], weight.shape[1])
        return to_x, None, (through.t() @ flat).float(), (back.t() @ inner).float()


class Changed(nn.Module):  # type: ignore[misc]
    """In place of a `torch.nn.Linear` without bias. B begins as nothing, and so does the change."""

    def __init__(self, linear: Any, rank: int, scale: float) -> None:
        super().__init__()
        self.weight, self.scale = linear.weight, scale
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=5**0.5)

    def forward(self, x: Any) -> Any:
        return _Changed.apply(x, self.weight, self.down, self.up * self.scale)


def adapt(model: Any, names: list[str], rank: int, scale: float, seed: int) -> dict[str, Any]:
    """Puts an adapter of these matrices into a model; returns what is learned, as `NAME.down` and `NAME.up`."""
    torch.manual_seed(seed)
    for weight in model.parameters():
        weight.requires_grad_(False)
    learned = {}
    for name in names:
        owner = model.get_submodule(name.rpartition(".")[0])
        changed = Changed(getattr(owner, name.rpartition(".")[2]), rank, scale)
        setattr(owner, name.rpartition(".")[2], changed)
        learned[f"{name}.down"], learned[f"{name}.up"] = changed.down, changed.up
    return learned
