"""How the weights of a model file are encoded: what the file says, what its name says, and which is preferred.

Hides the numbers of llama.cpp (`enum llama_ftype` in llama.h) and the habits of those who name files on hubs.
"""

from __future__ import annotations

import re
from collections import Counter

from linnet.models.gguf import Header

PREFERRED = (
    "Q8_0", "Q6_K", "Q6_K_L", "Q6_K_XL", "Q5_K_M", "Q5_K_L", "Q5_K_XL", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_L",
    "Q4_K_XL", "Q4_K_S", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS", "MXFP4", "MXFP4_MOE", "Q3_K_L", "Q3_K_XL", "Q3_K_M",
    "Q3_K_S", "IQ3_M", "IQ3_S", "IQ3_XS", "IQ3_XXS", "Q2_K", "Q2_K_L", "Q2_K_XL", "Q2_K_S", "IQ2_M", "IQ2_S",
    "IQ2_XS", "IQ2_XXS", "TQ2_0", "TQ1_0", "IQ1_M", "IQ1_S",
)  # fmt: skip
"""The most precise first, from 8 bits down. What has more bits costs twice the memory for no answer that differs."""

FOUR_BITS = PREFERRED[: PREFERRED.index("MXFP4_MOE") + 1]
"""Those with at least four bits a weight: below, small models lose sense."""


def of_header(header: Header) -> str:
    """What the file says of itself in `general.file_type`; else the type that holds most of its weights."""
    number = header.integer("general.file_type")
    if number is not None and number % _GUESSED in _FILE_TYPES:
        return _FILE_TYPES[number % _GUESSED]
    held: Counter[str] = Counter()
    for tensor in header.tensors:
        held[tensor.type] += tensor.size
    return held.most_common(1)[0][0] if held else "unknown"


def of_name(path: str) -> str | None:
    """`Q4_K_M` for `sub/Model-7B.UD-Q4_K_M.gguf`; None if the name says nothing. Always in capitals."""
    stem = path.rpartition("/")[2].upper().removesuffix(".GGUF")
    found = _NAMED.findall(stem)
    return found[-1] if found else None


def shard_of(path: str) -> tuple[int, int] | None:
    """(2, 3) for the second of three parts, `model-00002-of-00003.gguf`, as `gguf-split` of llama.cpp names them."""
    found = re.search(r"-([0-9]{5})-of-([0-9]{5})\.gguf$", path, re.IGNORECASE | re.ASCII)
    return (int(found[1]), int(found[2])) if found else None


_NAMED = re.compile(
    r"(?<![A-Z0-9])("
    r"I?Q[1-8]_(?:K(?:_(?:XXS|XS|XL|S|M|L))?|NL|XXS|XS|XL|S|M|L|0|1)"
    r"|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|FP16|F16|FP32|F32"
    r")(?![A-Z0-9])",
    re.ASCII,
)

_GUESSED = 1024
"""Added by llama.cpp to a file type that it has guessed."""

_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
    37: "TQ2_0", 38: "MXFP4_MOE", 39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
