"""Whether the tokenizer of a header is one that the engine can build, and tokenise any text with.

llama.cpp aborts on two tokens of the same text, and its C functions for tokens let exceptions out, which ends
the process: a text with a byte for which there is no token is enough (`src/llama-vocab.cpp`).
"""

from __future__ import annotations

import math
import re

from linnet.limits import LIMITS
from linnet.models.architectures import ENCODERS
from linnet.models.faults import shown
from linnet.models.fields import Fields
from linnet.models.texts import Texts

MODELS = ("llama", "gpt2", "gemma4", "rwkv")
"""Tokenizers by the engine's names. Others are those of tests, and one whose table grows with the square of a token's
length; "bert" is that of encoders, and of nobody else."""


def check(fields: Fields) -> int | None:
    """Faults of the tokenizer's fields. Returns the number of tokens, None if that cannot be said."""
    fields.require("tokenizer.ggml.model")
    encodes = fields.header.architecture in ENCODERS
    model = fields.text("tokenizer.ggml.model", ("bert",) if encodes else MODELS)
    fields.text("tokenizer.ggml.pre")
    fields.text("tokenizer.chat_template")
    fields.require(_TOKENS)
    tokens = fields.texts(_TOKENS)
    if tokens is None:
        return None
    if not tokens:
        fields.blame(_TOKENS, "there are no tokens")
    _check_beside(fields, len(tokens))
    _check_ids(fields, model, len(tokens))
    merges = fields.texts("tokenizer.ggml.merges")
    if model in ("gpt2", "gemma4") and merges is None and fields.text("tokenizer.ggml.pre") != "kimi-k2":
        fields.require("tokenizer.ggml.merges")
    _check_texts(fields, tokens, model)
    return len(tokens)


_TOKENS = "tokenizer.ggml.tokens"
_TYPES, _SCORES = "tokenizer.ggml.token_type", "tokenizer.ggml.scores"
_BYTE, _LAST_TYPE = 6, 6
_DEFAULT_BOS = {"llama": 1, "gpt2": 11}
"""Where the file names none; for the others there is none."""


def _check_beside(fields: Fields, count: int) -> None:
    """Arrays with one value for each token."""
    for key, kinds in ((_TYPES, ("i32",)), (_SCORES, ("f32", "i32"))):
        values = fields.numbers(key, *kinds)
        if values is None:
            continue
        if len(values) != count:
            fields.blame(key, f"{key} has {len(values)} values for {count} tokens")
        elif key == _SCORES and not math.isfinite(sum(values)):
            fields.blame(key, f"{key} has a value that is not a finite number")
        elif key == _TYPES and count and (min(values) < 0 or max(values) > _LAST_TYPE):
            fields.blame(key, f"{key} has values from {min(values)} to {max(values)}, known are 0 to {_LAST_TYPE}")


def _check_ids(fields: Fields, model: str | None, count: int) -> None:
    ids = {}
    for key in fields.header.fields:
        if key.startswith("tokenizer.ggml.") and key.endswith("_token_id"):
            ids[key] = fields.integer(key, 0, max(count - 1, 0))
    for end, default in (("bos", _DEFAULT_BOS.get(model or "", count)), ("eos", 2 if model == "llama" else count)):
        added = fields.flag(f"tokenizer.ggml.add_{end}_token")
        if added and f"tokenizer.ggml.{end}_token_id" not in ids and default >= count and model is not None:
            fields.blame(f"tokenizer.ggml.add_{end}_token", f"every text gets a token {end}, and there is none")
    for name in ("add_space_prefix", "add_sep_token", "remove_extra_whitespaces"):
        fields.flag(f"tokenizer.ggml.{name}")


# --- the tokens themselves -----------------------------------------------------------------------

_SLOTS = 1 << 23
_BYTE_TOKEN = re.compile(rb"<0x[0-9A-Fa-f]{2}>")


def _check_texts(fields: Fields, tokens: Texts, model: str | None) -> None:
    twins = _twins(tokens)
    if twins is not None:
        fields.blame(_TOKENS, f"tokens {twins[0]} and {twins[1]} are both {shown(tokens[twins[1]])}")
    longest = max((len(raw) for raw in tokens.raws()), default=0)
    if longest > LIMITS.model_token_bytes:
        fields.blame(_TOKENS, f"a token is {longest} bytes long, the limit is {LIMITS.model_token_bytes}")
    _check_byte_kinds(fields, tokens, model)
    _check_bytes(fields, tokens, model)


def _check_byte_kinds(fields: Fields, tokens: Texts, model: str | None) -> None:
    """Tokens of the type that stands for a byte look like one; vocabularies that fall back to bytes have some."""
    kinds = fields.numbers(_TYPES, "i32") or ()
    bytes_at = [index for index, kind in enumerate(kinds[: len(tokens)]) if kind == _BYTE]
    if not bytes_at and model in ("llama", "gemma4"):
        fields.blame(_TYPES, f"no token of a vocabulary of type {model!r} stands for a byte")
    for index in bytes_at:
        if not _BYTE_TOKEN.fullmatch(_seen(tokens.raw(index), index)):
            fields.blame(_TOKENS, f"token {index} stands for a byte, and is {shown(tokens[index])}, not like <0x0A>")
            return


def _seen(raw: bytes, index: int) -> bytes:
    """A token as the engine takes it: up to a zero byte, and never empty."""
    return raw.partition(b"\0")[0] or b"[EMPTY_%d]" % index


def _twins(tokens: Texts) -> tuple[int, int] | None:
    """Two tokens of the same text. Those whose hash nobody shares are told apart by one byte of memory each."""
    mask, once = _SLOTS - 1, bytearray(_SLOTS)
    shared = set()
    for index, raw in enumerate(tokens.raws()):
        slot = hash(_seen(raw, index)) & mask
        if once[slot]:
            shared.add(slot)
        once[slot] = 1
    known: dict[bytes, int] = {}
    for index, raw in enumerate(tokens.raws()) if shared else ():
        seen = _seen(raw, index)
        if hash(seen) & mask in shared:
            first = known.setdefault(seen, index)
            if first != index:
                return first, index
    return None


def _check_bytes(fields: Fields, tokens: Texts, model: str | None) -> None:
    """Whether any text has tokens: single bytes are what is left when no longer token fits."""
    if model == "llama":
        wanted = {b"<0x%02X>" % byte: bytes((byte,)) for byte in range(256)}
        present = {raw for raw in tokens.raws() if len(raw) == 1 or _BYTE_TOKEN.fullmatch(raw)}
        missing = [name for name, byte in wanted.items() if not {name, byte} & present]
        if missing:
            fields.blame(_TOKENS, f"{len(missing)} bytes have no token, the first is {missing[0].decode()}")
    elif model == "rwkv" and b"\\n" not in set(tokens.raws()):
        fields.blame(_TOKENS, "there is no token for a new line")
    elif model == "gpt2" and not _CONTROLS.intersection(tokens.raws()):
        fields.blame(_TOKENS, "none of the bytes 1 to 32 has a token, so constraints cannot be followed")


_CONTROLS = {chr(0x100 + byte).encode() for byte in range(1, 33)}
"""How byte-level vocabularies write the bytes 1 to 32; llguidance needs one of them as a mark of its own."""
