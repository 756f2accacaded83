"""A classifier of intents in one file: an .npz that NumPy reads, with nothing pickled in it.

Hides the layout and the distrust. A file may come from anywhere, so sizes are held against the limits before
anything is unpacked, every array against the shape and type that the others imply, and every number is finite.
Members: `about` (JSON), `ngrams` (UTF-8, a line each), `weights`, `scales`, `bias` and `seen`.
"""

from __future__ import annotations

import io
import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from linnet.agent.intents.classifier import Classifier, Confidence
from linnet.errors import InputInvalid
from linnet.limits import LIMITS, MIB
from linnet.storage import write_whole

_FORMAT = "linnet-intents-1"
_TYPES = {"about": "|u1", "ngrams": "|u1", "weights": "|i1", "scales": "<f4", "bias": "<f4", "seen": "<u4"}
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(?P<kind>[^']{1,8})', 'fortran_order': False, "
    rb"'shape': \((?P<rows>\d{1,12}), ?(?P<columns>\d{0,12})\), \} *\n",
    re.DOTALL,
)
"""Of an array by rows, as NumPy writes it. NumPy reads more than that, and evaluates it as a Python literal."""

_LARGEST = 1e6
"""Of any number that scores are made of: far over what training gives, far under what overflows."""

_ABOUT_BYTES = MIB

_FINITE = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]


@dataclass(frozen=True, config=_FINITE)
class _Weights:
    bias: _Number
    best: _Number
    gap: _Number
    rarity: _Number


@dataclass(frozen=True, kw_only=True, config=_FINITE)
class _About:
    """What is in `about`."""

    format: str
    intents: list[str] = Field(min_length=2, max_length=LIMITS.intents)
    confidence: _Weights
    margin: _Number
    about: dict[str, float | int | str] = Field(max_length=32)


_ABOUT = TypeAdapter(_About)


def save(classifier: Classifier, path: Path) -> int:
    """Replace the file in one step; the bytes written. Raises InputInvalid where that cannot be done."""
    about = {
        "format": _FORMAT,
        "intents": classifier.intents,
        "confidence": asdict(classifier.confidence),
        "margin": classifier.margin,
        "about": dict(classifier.about),
    }
    arrays = {
        "about": np.frombuffer(json.dumps(about, allow_nan=False).encode(), np.uint8),
        "ngrams": np.frombuffer("\n".join(classifier.ngrams).encode(), np.uint8),
        **{
            name: np.ascontiguousarray(getattr(classifier, name), _TYPES[name])
            for name in ("weights", "scales", "bias", "seen")
        },
    }
    body = io.BytesIO()
    np.savez_compressed(body, allow_pickle=False, **arrays)
    if body.tell() > LIMITS.intent_file_bytes:
        raise _wrong(path, f"would be {body.tell():,} bytes, over {LIMITS.intent_file_bytes:,}")
    try:
        write_whole(path, body.getvalue())
    except OSError as error:
        raise _wrong(path, f"cannot be written: {error.strerror}") from error
    return body.tell()


def load(path: Path) -> Classifier:
    """The classifier of a file. Raises InputInvalid for one that is absent, too large, damaged or inconsistent."""
    try:
        with path.open("rb") as file:
            body = file.read(LIMITS.intent_file_bytes + 1)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    if len(body) > LIMITS.intent_file_bytes:
        raise _wrong(path, f"is over {LIMITS.intent_file_bytes:,} bytes")
    try:
        return _consistent(_arrays(body))
    except _Refused as error:
        raise _wrong(path, str(error)) from error


_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What damaged archives raise; RuntimeError also for encrypted members and unknown packings."""


class _Refused(Exception):
    """Why a file is no classifier; never leaves this module."""


def _wrong(path: Path, what: str) -> InputInvalid:
    hint = "Train and save it again, or name another file."
    return InputInvalid(f"the intents file {str(path)!r} {what}", hint=hint, path=str(path))


# --- the archive ---------------------------------------------------------------------------------


def _arrays(body: bytes) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = archive.infolist()
            if sorted(member.filename for member in members) != sorted(f"{name}.npy" for name in _TYPES):
                raise _Refused("has not the members of a classifier")
            if sum(member.file_size for member in members) > LIMITS.intent_file_bytes:
                raise _Refused(f"unpacks to over {LIMITS.intent_file_bytes:,} bytes")
            if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
                raise _Refused("is packed in an unknown way")
            return {name: _array(archive.read(f"{name}.npy"), name) for name in _TYPES}
    except _BROKEN as error:
        raise _Refused(f"is damaged: {str(error)[:200]}") from error


def _array(member: bytes, name: str) -> NDArray[Any]:
    """The size that an array declares is the size of what follows: nothing else is allocated."""
    found = _HEADER.match(member)
    if found is None:
        raise _Refused(f"has {name} without a header that is understood")
    kind, columns = found["kind"].decode(), found["columns"]
    if kind != _TYPES[name] or bool(columns) != (name == "weights"):
        raise _Refused(f"has {name} of another type or form")
    shape = (int(found["rows"]), *([int(columns)] if columns else []))
    data = memoryview(member)[found.end() :]
    if min(shape) < 1 or math.prod(shape) * np.dtype(kind).itemsize != len(data):
        raise _Refused(f"has {name} of another size than it says")
    return np.frombuffer(data, kind).reshape(shape)


# --- what it says --------------------------------------------------------------------------------


def _consistent(arrays: Mapping[str, NDArray[Any]]) -> Classifier:
    about, ngrams = _about(arrays["about"].tobytes()), _ngrams(arrays["ngrams"].tobytes())
    rows, columns = len(ngrams), len(about.intents)
    shapes = {"weights": (rows, columns), "scales": (columns,), "bias": (columns,), "seen": (rows,)}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise _Refused(f"has {name} of {arrays[name].shape}, not {shape}")
    if not all((np.abs(arrays[name]) <= _LARGEST).all() for name in ("scales", "bias")):  # and not where it is NaN
        raise _Refused(f"has a number that is none, or over {_LARGEST:,.0f}")
    weights, scales, bias, seen = (arrays[name] for name in shapes)
    confidence = Confidence(**asdict(about.confidence))
    return Classifier(
        tuple(about.intents), ngrams, weights, scales, bias, seen, confidence, about.margin, about.about
    )


def _about(text: bytes) -> _About:
    if len(text) > _ABOUT_BYTES:
        raise _Refused(f"says over {_ABOUT_BYTES:,} bytes of itself")
    try:
        about = _ABOUT.validate_json(text)
    except ValidationError as error:
        raise _Refused(f"says what is not understood: {error.errors(include_url=False)[0]['msg']}") from error
    if about.format != _FORMAT:
        raise _Refused(f"is of another format, {about.format[:40]!r}")
    if len(set(about.intents)) != len(about.intents):
        raise _Refused("names an intent twice")
    if not all(0 < len(name) <= LIMITS.intent_name_chars for name in about.intents):
        raise _Refused("names an intent too shortly or at too great a length")
    return about


def _ngrams(text: bytes) -> tuple[str, ...]:
    if text.count(b"\n") >= LIMITS.intent_ngrams:
        raise _Refused(f"has over {LIMITS.intent_ngrams:,} n-grams")
    try:
        ngrams = tuple(text.decode().split("\n"))
    except UnicodeDecodeError as error:
        raise _Refused("has n-grams that are no UTF-8") from error
    if "" in ngrams or len(set(ngrams)) != len(ngrams):
        raise _Refused("has an n-gram twice, or an empty one")
    return ngrams
