"""Whether a model was taught to fill a gap in code, and by which three of its tokens it is asked to.

The file's own fields come first; most files have none, and then the spellings that are in use are looked for among
the control tokens. A model that was trained without them may carry them all the same: what they do there is its own.
"""

from __future__ import annotations

from collections.abc import Set

from linnet.models.gguf import Header
from linnet.requests import Infill

KNOWN = (
    Infill("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    Infill("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    Infill("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    Infill("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    Infill("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    Infill("▁<PRE>", "▁<SUF>", "▁<MID>"),
)

_TOKENS = "tokenizer.ggml.tokens"
_FIELDS = (("fim_pre", "fim_suf", "fim_mid"), ("prefix", "suffix", "middle"))
"""What the ids of the three are called, in newer files and in older ones."""


def infill(header: Header, special: Set[str]) -> Infill | None:
    """The three tokens, or None. `special` are those of `KNOWN`'s that are control tokens of the vocabulary."""
    for names in _FIELDS:
        texts = [_token(header, f"tokenizer.ggml.{name}_token_id") for name in names]
        if all(texts):
            return Infill(*texts)
    return next((each for each in KNOWN if {each.prefix, each.suffix, each.middle} <= special), None)


def _token(header: Header, key: str) -> str:
    index, tokens = header.integer(key), header.texts(_TOKENS)
    return tokens[index] if index is not None and 0 <= index < len(tokens) else ""
