"""Models of the usual sizes, as open ones are built: for telling what would fit before anything is fetched.

Hides the table, and how the usual quantisations mix their types (`llama-quant.cpp`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from linnet.hardware.footprint import Block, Shape

QUANTISATIONS = ("Q4_K_M", "Q8_0", "BF16")


@dataclass(frozen=True)
class Typical:
    """`size` as people say it, `like` a model of that size, and its widths as its header has them.

    `trained` is the context that it was trained for, in tokens; `tied` says that it has no output layer of its own.
    """

    size: str
    like: str
    layers: int
    width: int
    inner: int
    heads: int
    shared: int
    head: int
    vocabulary: int
    tied: bool
    trained: int


TYPICAL = (
    Typical("0.1B", "SmolLM2-135M", 30, 576, 1_536, 9, 3, 64, 49_152, True, 8_192),
    Typical("0.35B", "SmolLM2-360M", 32, 960, 2_560, 15, 5, 64, 49_152, True, 8_192),
    Typical("0.5B", "Qwen2.5-0.5B", 24, 896, 4_864, 14, 2, 64, 151_936, True, 32_768),
    Typical("1B", "Llama-3.2-1B", 16, 2_048, 8_192, 32, 8, 64, 128_256, True, 131_072),
    Typical("1.5B", "Qwen2.5-1.5B", 28, 1_536, 8_960, 12, 2, 128, 151_936, True, 32_768),
    Typical("3B", "Llama-3.2-3B", 28, 3_072, 8_192, 24, 8, 128, 128_256, True, 131_072),
    Typical("4B", "Qwen3-4B", 36, 2_560, 9_728, 32, 8, 128, 151_936, True, 40_960),
    Typical("7B", "Mistral-7B", 32, 4_096, 14_336, 32, 8, 128, 32_768, False, 32_768),
    Typical("8B", "Llama-3.1-8B", 32, 4_096, 14_336, 32, 8, 128, 128_256, False, 131_072),
    Typical("14B", "Qwen2.5-14B", 48, 5_120, 13_824, 40, 8, 128, 152_064, False, 32_768),
    Typical("32B", "Qwen2.5-32B", 64, 5_120, 27_648, 40, 8, 128, 152_064, False, 32_768),
)

_Q4_K, _Q6_K, _Q8_0, _BF16 = 4.5, 6.5625, 8.5, 16.0
"""Bits for each weight."""


@dataclass(frozen=True)
class Sized:
    """A shape, and the bytes of it that are read for each token: all but a table of which only rows are taken."""

    shape: Shape
    read: int


def sized(model: Typical, quantisation: str, features: Collection[str] = ()) -> Sized:
    """A model of this size in one of `QUANTISATIONS`, on a processor with these features."""
    table = model.vocabulary * model.width
    queries, shared = model.heads * model.head, model.shared * model.head
    plain = model.layers * model.width * (2 * queries + shared + 2 * model.inner)
    wide = model.layers * model.width * (shared + model.inner)  # values, and the way down: half of them get more bits
    if quantisation == "Q4_K_M":
        small = _bytes(plain + wide // 2, _Q4_K)
        output, looked_up = _bytes(table, _Q6_K), 0 if model.tied else _bytes(table, _Q4_K)
        read = small + _bytes(wide - wide // 2, _Q6_K) + output
        copied = small if "avx2" in features or "dotprod" in features else 0
    else:
        bits = _Q8_0 if quantisation == "Q8_0" else _BF16
        output = _bytes(table, bits)
        looked_up = 0 if model.tied else output
        read = _bytes(plain + wide, bits) + output
        copied = _bytes(plain + wide, bits) if quantisation == "Q8_0" and "dotprod" in features else 0
    shape = Shape(
        weights=read + looked_up,
        blocks=(Block(shared, shared),) * model.layers,
        width=model.width,
        inner=model.inner,
        attended=queries + 2 * shared,
        vocabulary=model.vocabulary,
        merges=model.vocabulary,
        copied=copied,
        idle=copied,
        heads=model.heads,
    )
    return Sized(shape, read)


def _bytes(weights: int, bits: float) -> int:
    return int(weights * bits / 8)
