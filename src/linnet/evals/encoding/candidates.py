"""Which types of weights are worth trying on this machine, and how large a model will be in each of them.

Hides which processors multiply which type fast.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from linnet.errors import InputInvalid
from linnet.limits import LIMITS
from linnet.models import quantisation
from linnet.models.gguf import Header
from linnet.protocol import Kind
from linnet.runtime.encoder import KINDS, estimate

LEAST = 3
"""Types that are tried on every machine, whatever its processor says of itself."""

_FAST: Mapping[Kind, Collection[str]] = {
    "bf16": ("avx512_bf16", "amx_bf16", "bf16", "avx512f", "avx2"),
    "f16": ("f16c", "fp16", "avx512_fp16"),
    "q8_0": (),
    "q4_0": ("avx2", "avx512f", "dotprod", "i8mm"),
}
"""Types in the order in which they are tried, each with the features of which one makes it worth while; none: always.

AVX2 widens bfloat16 by a shift, ARM needs an instruction for it. Q4_0 is laid out anew for these processors
(`ggml-cpu/repack.cpp`), which makes it the fastest of the small ones."""


@dataclass(frozen=True)
class Candidate:
    """`size` in bytes, as reckoned from the header of the original: within a few per cent of what it will be."""

    type: Kind
    size: int


def candidates(header: Header, features: Collection[str], wanted: Sequence[str] = ()) -> list[Candidate]:
    """Those wanted, or those that suit the processor; without the type that the file has already.

    Raises InputInvalid for what cannot be made, and where nothing is left to try.
    """
    kinds = list(dict.fromkeys(map(kind, wanted)))
    if len(kinds) > LIMITS.encodings_tried:
        raise InputInvalid(f"{len(kinds)} types are over the {LIMITS.encodings_tried} that are tried at one time")
    own = quantisation.of_header(header).lower()
    if not kinds:
        fast = [name for name, any_of in _FAST.items() if name != own and (not any_of or set(any_of) & set(features))]
        others = [name for name in _FAST if name != own and name not in fast]
        kinds = [*fast, *others[: max(0, LEAST - len(fast))]]
    found = [Candidate(name, estimate(header, name)) for name in kinds if name != own]
    if not found:
        raise InputInvalid(f"there is nothing to try: the file is in {own} already", hint="Name another --type.")
    return found


def kind(text: str) -> Kind:
    """The type of this name, in any case. Raises InputInvalid."""
    for name in KINDS:
        if text.lower() == name:
            return name
    raise InputInvalid(f"{text[:40]!r} is no type of weights that can be made", hint=f"There are {', '.join(KINDS)}.")
