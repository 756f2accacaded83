"""Hostile model files: seeded mutants of a header, and a corpus of files made by hand.

A mutant is the header of a real file with one or a few changes. It is written in front of a hole as large as the
weights, so that it costs no disk and no time.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf_writer import (
    ARCHITECTURE,
    ARRAY,
    BOOL,
    F32,
    I32,
    STRING,
    TOKENS,
    TYPES,
    U8,
    U32,
    U64,
    array,
    entry,
    model,
    number,
    small,
    tensor,
    text,
)

LENGTHS = (0, 2**64 - 1, 2**31, 2**63, 2**32 - 1, 1, 2**16, 2**40)


def sparse(path: Path, header: bytes, size: int) -> Path:
    """A file of this header and a hole up to `size`."""
    path.write_bytes(header)
    os.truncate(path, size)
    return path


def mutants(header: bytes, size: int, count: int, seed: int) -> Iterator[tuple[str, bytes, int]]:
    """`count` of (what was done, header, size of the file), the same for the same seed."""
    rng = random.Random(seed)
    lengths = _lengths(header)
    kinds = (_flip, _splice, _cut, _length, _field)
    for i in range(count):
        name, body, end = kinds[i % len(kinds)](header, size, lengths, rng)
        yield f"{name} (seed {seed}, mutant {i})", body, end


def _lengths(header: bytes) -> list[int]:
    """Places of 64-bit lengths and counts: before every key, value of a text and tensor name near a dot."""
    found, at = [8, 16], 24
    while at < len(header) - 8 and len(found) < 4_000:
        (length,) = struct.unpack_from("<Q", header, at)
        if (
            0 < length < 100
            and header[at + 8 : at + 8 + length].isascii()
            and b"." in header[at + 8 : at + 8 + length]
        ):
            found.append(at)
            at += 8 + length
        else:
            at += 1
    return found


def _flip(header: bytes, size: int, lengths: list[int], rng: random.Random) -> tuple[str, bytes, int]:
    body = bytearray(header)
    near = rng.random() < 0.7  # most of a header is the texts of tokens: the rest deserves more
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.choice(lengths) + rng.randrange(64) if near else rng.randrange(len(body))
        body[min(at, len(body) - 1)] ^= 1 << rng.randrange(8)
    return "flipped", bytes(body), size


def _splice(header: bytes, size: int, lengths: list[int], rng: random.Random) -> tuple[str, bytes, int]:
    start, end = sorted(rng.choice(lengths) if rng.random() < 0.5 else rng.randrange(len(header)) for _ in range(2))
    piece, at = header[start : min(end, start + 4_096)], rng.choice(lengths)
    replaced = rng.choice((0, len(piece), rng.randrange(200)))
    return "spliced", header[:at] + piece + header[at + replaced :], size


def _cut(header: bytes, size: int, lengths: list[int], rng: random.Random) -> tuple[str, bytes, int]:
    at = rng.choice((rng.choice(lengths) + rng.choice((-1, 0, 1, 8)), rng.randrange(len(header)), len(header)))
    if at < len(header):
        return "cut", header[:at], at
    return "cut behind the header", header, rng.randrange(len(header), size)


def _length(header: bytes, size: int, lengths: list[int], rng: random.Random) -> tuple[str, bytes, int]:
    at, value = rng.choice(lengths), rng.choice(LENGTHS)
    return f"length {value} at {at}", header[:at] + struct.pack("<Q", value) + header[at + 8 :], size


def _field(header: bytes, size: int, lengths: list[int], rng: random.Random) -> tuple[str, bytes, int]:
    """Another value for a 32-bit number that stands right behind a key and its type."""
    at = rng.choice(lengths)
    (length,) = struct.unpack_from("<Q", header, at)
    value_at = at + 8 + length + (4 if rng.random() < 0.8 else 0)
    value = rng.choice((0, 1, 2, 3, 7, 9, 64, 575, 577, 1_024, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 0x7FC00000))
    return f"{value} at {value_at}", header[:value_at] + struct.pack("<I", value) + header[value_at + 4 :], size


# --- made by hand --------------------------------------------------------------------------------

NAN, INFINITY = float("nan"), float("inf")


def corpus() -> dict[str, bytes]:
    """Files that must be refused, by what is wrong with them. Each is small, whatever it declares."""
    return {**_malformed(), **_unfit()}


def _malformed() -> dict[str, bytes]:
    huge = struct.pack("<Q", 2**63)
    long = struct.pack("<Q", 2**31)
    nested = array(ARRAY, 1, array(ARRAY, 1, array(ARRAY, 1, array(U8, 1, b"\1"))))
    halves = array(STRING, 2, text(b"\xc3") + text(b"\xa9"))
    far = entry("general.alignment", U32, number(U32, 2**31))
    return {
        "nothing": b"",
        "zeros": bytes(4_096),
        "magic alone": b"GGUF",
        "text": b"#!/bin/sh\nexit 0\n" * 100,
        "zip": b"PK\3\4" + bytes(200),
        "older version": model(version=1),
        "big endian": model(version=0x0300_0000),
        "huge count of tensors": model(count=2**63),
        "huge count of keys": model(keys=2**63),
        "more tensors than the file": model(count=60_000),
        "more keys than the file": model(keys=60_000),
        "huge key": model([huge]),
        "huge text": model([ARCHITECTURE, entry("x", STRING, long)]),
        "huge array": model([ARCHITECTURE, entry("x", ARRAY, array(U64, 2**61, b""))]),
        "huge array of texts": model([ARCHITECTURE, entry("x", ARRAY, array(STRING, 2**60, b""))]),
        "huge text in an array": model([ARCHITECTURE, entry("x", ARRAY, array(STRING, 1, huge))]),
        "nested arrays": model([ARCHITECTURE, entry("x", ARRAY, nested)]),
        "unknown type": model([ARCHITECTURE, entry("x", 99, b"")]),
        "type of an array's elements": model([ARCHITECTURE, entry("x", ARRAY, array(200, 1, b""))]),
        "key twice": model([ARCHITECTURE, entry("x", U8, b"\1"), entry("x", U8, b"\2")]),
        "empty key": model([ARCHITECTURE, entry("", U8, b"\1")]),
        "key with a zero byte": model([ARCHITECTURE, entry("x\0y", U8, b"\1")]),
        "key that is not UTF-8": model([ARCHITECTURE, entry(b"\xed\xa0\x80", U8, b"\1")]),
        "text that is not UTF-8": model([ARCHITECTURE, entry("x", STRING, text(b"\xf5\x80"))]),
        "character cut in two": model([ARCHITECTURE, entry("x", ARRAY, halves)]),
        "boolean of 2": model([ARCHITECTURE, entry("x", BOOL, b"\2")]),
        "alignment 0": model([ARCHITECTURE, entry("general.alignment", U32, number(U32, 0))]),
        "alignment 3": model([ARCHITECTURE, entry("general.alignment", U32, number(U32, 3))]),
        "alignment 1": model([ARCHITECTURE, entry("general.alignment", U32, number(U32, 1))]),
        "alignment 2^31": model([ARCHITECTURE, far], [tensor("a", (8,))]),
        "no architecture": model([]),
        "five dimensions": model(tensors=[tensor("a", (1, 1, 1, 1, 1))], data=32),
        "no elements": model(tensors=[tensor("a", (0, 8))], data=32),
        "product over 64 bits": model(tensors=[tensor("a", (2**62, 8, 2**62, 8))], data=32),
        "product that wraps to 0": model(tensors=[tensor("a", (2**32, 2**32))], data=32),
        "half a block": model(tensors=[tensor("a", (33,), kind=2)], data=64),
        "removed type of tensor": model(tensors=[tensor("a", (32,), kind=31)], data=64),
        "behind the end": model(tensors=[tensor("a", (8,), offset=2**40)], data=32),
        "offset that wraps": model(tensors=[tensor("a", (8,), offset=2**64 - 32)], data=32),
        "overlap": model(tensors=[tensor("a", (8,)), tensor("b", (8,))], data=64),
        "gap": model(tensors=[tensor("a", (8,)), tensor("b", (8,), offset=64)], data=96),
        "not aligned": model(tensors=[tensor("a", (8,), offset=4)], data=64),
        "tensor twice": model(tensors=[tensor("a", (8,)), tensor("a", (8,), offset=32)], data=64),
        "name of a tensor with a zero byte": model(tensors=[tensor("a\0b", (8,))], data=32),
        "long name of a tensor": model(tensors=[tensor("a" * 64, (8,))], data=32),
        "data behind nothing": model([ARCHITECTURE], [tensor("a", (8,))]),
    }  # fmt: skip


def _unfit() -> dict[str, bytes]:
    """Well formed, and nothing that the engine can compute with: whole small models with one field changed."""
    base = small()
    empty, no_line = [*TOKENS[:-2], "", "[EMPTY_284]"], [t if t != "<0x0A>" else "ten" for t in TOKENS]
    endless = [INFINITY, -INFINITY, *[0.0] * (len(TOKENS) - 2)]
    bent: dict[str, dict[str, Any]] = {
        "no heads": {"llama__attention__head_count": (U32, 0)},
        "no heads of keys": {"llama__attention__head_count_kv": (U32, 0)},
        "no heads of keys in one block": {"llama__attention__head_count_kv": (U32, [2, 0])},
        "heads not shared evenly": {"llama__attention__head_count_kv": (U32, 3)},
        "width not shared evenly": {"llama__attention__head_count": (U32, 5)},
        "heads of no length": {"llama__attention__key_length": (U32, 0)},
        "keys and values apart": {"llama__attention__value_length": (U32, 8)},
        "nothing turned": {"llama__rope__dimension_count": (U32, 0)},
        "half a head turned": {"llama__rope__dimension_count": (U32, 8)},
        "unknown scaling": {"llama__rope__scaling__type": (STRING, "quadratic")},
        "scaling that is no number": {"llama__rope__scaling__factor": (F32, NAN)},
        "base of 0": {"llama__rope__freq_base": (F32, 0.0)},
        "epsilon below 0": {"llama__attention__layer_norm_rms_epsilon": (F32, -1.0)},
        "epsilon that is no number": {"llama__attention__layer_norm_rms_epsilon": (F32, NAN)},
        "no blocks": {"llama__block_count": (U32, 0)},
        "too many blocks": {"llama__block_count": (U32, 513)},
        "huge width": {"llama__embedding_length": (U32, 2**32 - 1)},
        "width 0": {"llama__embedding_length": (U32, 0)},
        "no context": {"llama__context_length": (U32, 0)},
        "blocks as a text": {"llama__block_count": (STRING, "2")},
        "array of the wrong length": {"llama__attention__head_count": (U32, [4, 4, 4])},
        "experts without experts": {"llama__expert_used_count": (U32, 2)},
        "no expert used": {"llama__expert_count": (U32, 4)},
        "too many experts": {"llama__expert_count": (U32, 1_025), "llama__expert_used_count": (U32, 1)},
        "more predicted blocks than blocks": {"llama__nextn_predict_layers": (U32, 2)},
        "unknown architecture": {"general__architecture": (STRING, "mystery")},
        "an encoder": {"general__architecture": (STRING, "bert")},
        "an adapter": {"general__type": (STRING, "adapter")},
        "unknown tokenizer": {"tokenizer__ggml__model": (STRING, "mystery")},
        "no tokenizer": {"tokenizer__ggml__model": (STRING, "none")},
        "no tokens": {"tokenizer__ggml__tokens": (STRING, [])},
        "token twice": {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-1], "a"])},
        "token twice before a zero byte": {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-1], "a\0z"])},
        "token like the name of an empty one": {"tokenizer__ggml__tokens": (STRING, empty)},
        "long token": {"tokenizer__ggml__tokens": (STRING, [*TOKENS[:-1], "y" * 1_025])},
        "byte without a token": {"tokenizer__ggml__tokens": (STRING, no_line)},
        "byte token of another form": {"tokenizer__ggml__token_type": (I32, [6, *TYPES[1:]])},
        "tokens of no type": {"tokenizer__ggml__token_type": None},
        "types too few": {"tokenizer__ggml__token_type": (I32, TYPES[1:])},
        "types unknown": {"tokenizer__ggml__token_type": (I32, [7, *TYPES[1:]])},
        "types as fractions": {"tokenizer__ggml__token_type": (F32, TYPES)},
        "scores too many": {"tokenizer__ggml__scores": (F32, [0.0] * (len(TOKENS) + 1))},
        "score that is no number": {"tokenizer__ggml__scores": (F32, [NAN, *[0.0] * (len(TOKENS) - 1)])},
        "scores without an end": {"tokenizer__ggml__scores": (F32, endless)},
        "end outside the vocabulary": {"tokenizer__ggml__eos_token_id": (U32, len(TOKENS))},
        "begin far outside": {"tokenizer__ggml__bos_token_id": (U32, 2**32 - 1)},
        "template as a number": {"tokenizer__chat_template": (U32, 1)},
    }  # fmt: skip
    files = {name: base.but(**changes).write() for name, changes in bent.items()}
    for name, kind in {"norm in F16": 1, "norm of whole numbers": 26}.items():
        files[name] = base.with_type("output_norm.weight", kind).write()
    for name, kind in {"matrix of whole numbers": 26, "matrix of doubles": 28, "matrix of Q8_1": 9}.items():
        files[name] = base.with_type("blk.0.attn_q.weight", kind).write()
    files["a block without queries"] = base.without("blk.1.attn_q.weight").write()
    files["no vectors of tokens"] = base.without("token_embd.weight").write()
    files["vectors for other tokens"] = base.but(tokenizer__ggml__tokens=(STRING, TOKENS[:-1])).write()
    return files
