"""The caller's side of the child with one job: re-encode a model, or measure how far an encoding is from another.

Files are the caller's, and come as descriptors: opened, checked (`linnet.models.integrity`) and removed by whoever
made them. Only one model is in memory at a time: a reference's predictions go through a file.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from linnet.errors import InputInvalid, ProtocolBroken, RequestTooLarge, StorageFull
from linnet.hardware import budget
from linnet.limits import LIMITS, MIB, Sandbox
from linnet.models.gguf import Header, Tensor, read_header
from linnet.models.integrity import faults_of
from linnet.models.tensor_types import TENSOR_TYPES, TensorType
from linnet.protocol import Beat, Compare, Compared, Encode, Kind, Load, Recoded, Record
from linnet.runtime import job as one_job
from linnet.runtime import sandbox
from linnet.storage import FULL

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Encodings that can be made, roughly the most precise first."""

Watch = Callable[[int, int], None]
"""(bytes written, bytes expected); what it raises ends the work and goes on to the caller."""

Share = Callable[[float], None]
"""The share of the tokens that is computed, 0 to 1; what it raises ends the work and goes on to the caller."""


# --- re-encoding ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encoded:
    """An encoding that was made: `bytes` of the file, `seconds` that it took.

    `types` counts tensors by the type that they really have: llama.cpp mixes types on purpose, keeps vectors as F32,
    and gives tensors whose rows are no whole blocks another type than `kind` (Q8_0 for Q6_K, F16 if all else fails).
    `missing` lists what of the sandbox this system could not enforce.
    """

    kind: Kind
    bytes: int
    seconds: float
    types: dict[str, int]
    missing: tuple[str, ...] = ()


def encode(
    source_fd: int,
    target_fd: int,
    kind: str,
    threads: int = 1,
    *,
    most: int | None = None,
    progress: Watch | None = None,
    seconds: float = LIMITS.encode_seconds,
    require_sandbox: bool = False,
) -> Encoded:
    """Write the checked model behind `source_fd` to the empty file behind `target_fd`, encoded as one of `KINDS`.

    The target is open for reading and writing. When this returns it is a whole, sound and synced GGUF file; when it
    raises it may hold anything, and is the caller's to remove. A source that is quantised already loses a little
    more with every encoding below its own. Raises StorageFull, also for what takes over `most` bytes (the system
    stops the child at the first one past them), ModelInvalid for a source that llama.cpp does not
    take, OutOfMemory, InputInvalid for what cannot be meant, DeadlineExceeded after `seconds`, WorkerHung, and
    WorkerCrashed for a child that dies.
    """
    if kind not in KINDS:
        raise InputInvalid(f"there is no encoding {kind!r}; there are {', '.join(KINDS)}", kind=kind)
    _check_target(target_fd)
    header = read_header(source_fd)
    expected = estimate(header, kind)
    _check_room(target_fd, expected)
    bound = _most(header) if most is None else min(most, _most(header))
    confined = sandbox.for_encoding(bound, _memory(header, threads), required=require_sandbox)

    def look(record: Record | None) -> float:
        written = os.fstat(target_fd).st_size
        if progress:
            progress(written, max(written, expected))
        return float(written)

    job = Encode(source_fd, target_fd, kind, threads, confined)
    try:
        answer = one_job.do(job, (source_fd, target_fd), seconds, look)
    except StorageFull as error:
        if most is None or os.fstat(target_fd).st_size < most:
            raise
        message = f"the encoding takes more than the {budget.size(most)} of disk that may be used"
        raise StorageFull(message, hint="Allow it more disk, or name a smaller type.", usable=most) from error
    if not isinstance(answer, Recoded):
        raise ProtocolBroken("the child answered what was not asked")
    _sync(target_fd)
    made = read_header(target_fd)
    for fault in faults_of(made):
        raise fault.error()
    types = Counter(tensor.type for tensor in made.tensors)
    return Encoded(kind, made.file_size, answer.seconds, dict(types.most_common()), answer.missing)


def estimate(header: Header, kind: Kind) -> int:
    """About how many bytes the encoding takes, within some ten per cent: matrices in its main type or the one that
    their rows fall back to, the last of all more precise, vectors as F32."""
    main = re.sub("_[SML]$", "", kind.upper())
    names = {tensor.name for tensor in header.tensors}
    output = "output.weight" if "output.weight" in names else "token_embd.weight"

    def size(tensor: Tensor) -> float:
        if not _is_matrix(tensor.dimensions):
            return 4 * tensor.elements
        finer = tensor.name == output and main not in _AS_ASKED
        found = _fitting("Q6_K" if finer else main, tensor.dimensions[0])
        return tensor.elements * found.size / found.block

    return header.data_offset + int(sum(map(size, header.tensors)))


_BY_NAME = {kind.name: kind for kind in TENSOR_TYPES.values()}

_AS_ASKED = frozenset({"F32", "F16", "BF16", "Q8_0"})
"""With all others llama.cpp encodes the output, or the embedding that stands in for it, as Q6_K."""

_INSTEAD = {
    "Q2_K": "Q4_0", "Q3_K": "Q4_0", "IQ4_XS": "IQ4_NL", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0",
}  # fmt: skip
"""What llama.cpp takes for rows that are no whole blocks of 256 (a test makes them all)."""


def _fitting(name: str, row: int) -> TensorType:
    if row % _BY_NAME[name].block:
        name = _INSTEAD.get(name, "F16")
    return _BY_NAME["F16" if row % _BY_NAME[name].block else name]


def _is_matrix(dimensions: Sequence[int]) -> bool:
    return sum(size > 1 for size in dimensions) > 1


def _most(header: Header) -> int:
    """No encoding is larger: no element takes more than eight bytes as it is, nor more than four afterwards."""
    padding = 2 * header.alignment
    data = sum(max(tensor.size, 4 * tensor.elements) + padding for tensor in header.tensors)
    return 2 * header.data_offset + data + MIB


def _memory(header: Header, threads: int) -> int:
    """Private bytes of the child: rows of one tensor in three forms, metadata several times over, stacks of threads.

    Measured for SmolLM2-135M: 87 MiB for F32 and 35 MiB for Q8_0, which is what the rows take.
    """
    return LIMITS.encode_memory + 16 * header.data_offset + threads * 16 * MIB


def _check_target(fd: int) -> None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_size:
        raise InputInvalid("an encoding is written to an empty regular file")
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR:
        raise InputInvalid("the file for an encoding has to be open for reading and writing")


def _check_room(fd: int, needed: int) -> None:
    disk = os.fstatvfs(fd)
    free = disk.f_bavail * disk.f_frsize
    if free < needed + LIMITS.disk_spare_bytes:
        message = f"the encoding takes about {needed} bytes, and {free} are free on that disk"
        raise StorageFull(message, needed=needed, free=free)


def _sync(fd: int) -> None:
    """A disk may take bytes first and have no room for them later."""
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(f"there is no room for the encoding: {error.strerror}") from error
        raise


# --- comparing -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """A model's predictions, written to a file of `bytes`: at `positions`, over `vocabulary` tokens each."""

    positions: int
    vocabulary: int
    bytes: int
    perplexity: float
    seconds: float
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Divergence:
    """How far a model's predictions are from a reference's, position by position.

    `mean_kl` (with its `standard_error`), `p99_kl` and `max_kl` are of KL(reference || model) in nats, `same_top` is
    the share of positions with the same likeliest token, and the perplexities are those of the texts themselves. As
    in llama.cpp's `llama-perplexity --kl-divergence`, whose positions are others.
    """

    mean_kl: float
    standard_error: float
    p99_kl: float
    max_kl: float
    same_top: float
    positions: int
    perplexity: float
    reference_perplexity: float
    seconds: float
    missing: tuple[str, ...] = ()


def logits(
    model_fd: int,
    texts: Sequence[str],
    out_fd: int,
    threads: int = 1,
    *,
    progress: Share | None = None,
    seconds: float = LIMITS.compare_seconds,
    require_sandbox: bool = False,
) -> Reference:
    """Write what the checked model predicts on texts, after their first few tokens, to the file behind `out_fd`.

    That is empty and open for writing; it takes 4 bytes for each position and token of the vocabulary, at most
    `largest_reference`. After an error it may hold anything. Raises RequestTooLarge, InputInvalid, StorageFull, and
    what `divergence` does.
    """
    _check_texts(texts)
    bound = largest_reference(len(read_header(model_fd).texts("tokenizer.ggml.tokens")), texts)
    confined = sandbox.for_comparing(min(bound, LIMITS.predictions_bytes), required=require_sandbox)
    job = Compare(_load(texts, threads, confined), tuple(texts), out_fd, writes=True)
    found = _compare(job, model_fd, progress, seconds)
    size = os.fstat(out_fd).st_size
    return Reference(found.positions, found.vocabulary, size, found.perplexity, found.seconds, found.missing)


def largest_reference(vocabulary: int, texts: Sequence[str]) -> int:
    """More bytes than a file of predictions on these texts can take; about a quarter is usual in English."""
    return 4 * vocabulary * sum(len(text.encode()) + _BEGINNING for text in texts) + 4_096


def divergence(
    model_fd: int,
    texts: Sequence[str],
    reference_fd: int,
    threads: int = 1,
    *,
    progress: Share | None = None,
    seconds: float = LIMITS.compare_seconds,
    require_sandbox: bool = False,
) -> Divergence:
    """How far the checked model's predictions are from those that `logits` wrote, for the same texts.

    Raises InputInvalid for a reference of other texts or another vocabulary, or that is not whole; ModelInvalid,
    OutOfMemory, DeadlineExceeded, WorkerHung, and WorkerCrashed for a child that dies.
    """
    _check_texts(texts)
    load = _load(texts, threads, sandbox.for_comparing(required=require_sandbox))
    found = _compare(Compare(load, tuple(texts), reference_fd, writes=False), model_fd, progress, seconds)
    far = found.distance
    if far is None:
        raise ProtocolBroken("the child compared nothing")
    return Divergence(
        mean_kl=far.mean,
        standard_error=far.standard_error,
        p99_kl=far.p99,
        max_kl=far.largest,
        same_top=far.same_top,
        positions=found.positions,
        perplexity=found.perplexity,
        reference_perplexity=far.reference_perplexity,
        seconds=found.seconds,
        missing=found.missing,
    )


_BEGINNING = 8
"""Tokens that a text may have beside one for each of its bytes: a beginning, a space in front."""


def _check_texts(texts: Sequence[str]) -> None:
    if not texts:
        raise InputInvalid("there is no text to compare on")
    if len(texts) > LIMITS.compared_texts:
        limit = LIMITS.compared_texts
        raise RequestTooLarge(f"{len(texts)} texts to compare on; the limit is {limit}", limit=limit)
    longest = max(len(text.encode()) for text in texts)
    if longest > LIMITS.compared_text_bytes:
        limit = LIMITS.compared_text_bytes
        raise RequestTooLarge(f"a text to compare on takes {longest} bytes; the limit is {limit}", limit=limit)


def _load(texts: Sequence[str], threads: int, confined: Sandbox) -> Load:
    """One sequence at a time, and room for the longest text whatever the tokeniser makes of it."""
    context = max(len(text.encode()) for text in texts) + _BEGINNING
    return Load(
        context=max(context, LIMITS.context_least),
        sequences=2,
        decode_threads=threads,
        prefill_threads=threads,
        sandbox=confined,
    )


def _compare(job: Compare, model_fd: int, progress: Share | None, seconds: float) -> Compared:
    def look(record: Record | None) -> float:
        if not isinstance(record, Beat):
            return -1.0
        share = record.progress if record.phase == "prefill" else 0.0
        if progress:
            progress(share)
        return record.progress - (record.phase == "load")

    # a descriptor of its own: an offset that two loaders share would mislead both
    own = os.open(f"/proc/self/fd/{model_fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        job = replace(job, load=replace(job.load, model_fd=own))
        answer = one_job.do(job, (own, job.fd), seconds, look)
    finally:
        os.close(own)
    if not isinstance(answer, Compared):
        raise ProtocolBroken("the child answered what was not asked")
    return answer
