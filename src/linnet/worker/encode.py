"""The child with one job, `python -P -m linnet.worker.encode SOCKET_FD PARENT_PID`: re-encode a model, or compare it.

One job, one answer, and it leaves; the caller bounds its time. As everywhere native code sees a file only after
imports and lock-down. llama.cpp re-encodes by path, so that job may open its two files again, and nothing else.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from linnet.channel import Channel
from linnet.errors import InputInvalid, ModelError, StorageFull
from linnet.limits import KIB, LIMITS
from linnet.protocol import Beat, Compare, Compared, Encode, Recoded
from linnet.worker import compare, errand, llama, lockdown


def encode(job: Encode) -> Recoded:
    """Write the encoding. Raises StorageFull if the disk or `sandbox.file_bytes` is at fault, else a ModelError,
    OutOfMemory, or InputInvalid for files that cannot be opened again."""
    llama.warm_imports()
    _, missing = lockdown.apply(job.sandbox, readable=[job.source_fd], writable=[job.target_fd])
    _try_opening(job)
    started = time.monotonic()
    try:
        llama.quantise(job.source_fd, job.target_fd, job.kind, job.threads, LIMITS.encode_rows_bytes)
    except ModelError as error:
        if reason := _full(job.target_fd):
            raise StorageFull(f"there is no room for the encoding: {reason}", last_words=error.message) from error
        raise
    return Recoded(time.monotonic() - started, missing)


def _try_opening(job: Encode) -> None:
    """What llama.cpp will do, to have an error with a reason: a process without capabilities obeys file modes."""
    for fd, flags in ((job.source_fd, os.O_RDONLY), (job.target_fd, os.O_WRONLY)):
        try:
            os.close(os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC))
        except OSError as error:
            hint = "Its owner and mode must let this user open it, and /proc must be there."
            raise InputInvalid(f"a file cannot be opened again: {error.strerror}", hint=hint) from error


_SOME = 64 * KIB


def _full(fd: int) -> str | None:
    """Why nothing can be added to a file, or None: native code says only that a write has failed."""
    size = os.fstat(fd).st_size
    try:
        short = os.pwrite(fd, bytes(_SOME), size) < _SOME
    except OSError as error:
        return error.strerror
    finally:
        os.ftruncate(fd, size)
    return "it ends in the middle of a write" if short else None


def run(job: Compare, beat: Callable[[Beat], None]) -> Compared:
    """Write the model's predictions, or hold them against those in the file. Raises what `linnet.worker.compare`
    says, and what loading a model can."""
    llama.warm_imports()
    _, missing = lockdown.apply(job.load.sandbox)
    started = time.monotonic()
    model = llama.Llama(job.load, lambda fraction: beat(Beat("load", fraction)))
    windows = compare.windows_of(job.texts, model)
    vocabulary, total = model.vocabulary.size, sum(map(len, windows.tokens))
    own, other, distances = compare.Perplexity(), compare.Perplexity(), compare.Distances()
    done = 0

    def computed(tokens: int) -> None:
        nonlocal done
        done += tokens
        beat(Beat("prefill", done / total))

    writer = compare.Writer(job.fd, windows, vocabulary) if job.writes else None
    reader = None if job.writes else compare.Reader(job.fd, windows, vocabulary)
    for row, token in compare.predictions(model, windows, computed):
        own.add(row, token)
        if writer:
            writer.write(row)
        if reader:
            reference = reader.read()
            other.add(reference, token)
            distances.add(reference, row)
    told = Compared(windows.positions, vocabulary, own.value, time.monotonic() - started, missing=missing)
    return replace(told, distance=distances.told(other.value)) if reader else told


# --- the child -----------------------------------------------------------------------------------


def main() -> int:
    return errand.run(sys.argv, Encode | Compare, _done)


def _done(job: Encode | Compare, channel: Channel) -> Recoded | Compared:
    return encode(job) if isinstance(job, Encode) else run(job, _beats(channel))


def _beats(channel: Channel) -> Callable[[Beat], None]:
    """Sends beats, no oftener than a caller wants to see them."""
    sent = 0.0

    def beat(beat: Beat) -> None:
        nonlocal sent
        if (now := time.monotonic()) - sent >= LIMITS.chunk_seconds:
            sent = now
            channel.send(beat)

    return beat


if __name__ == "__main__":
    sys.exit(main())
