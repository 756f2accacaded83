"""What a search for an encoding may take of disk and memory, and whether it is enough, before anything is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from linnet.errors import OutOfMemory, StorageFull
from linnet.hardware import budget
from linnet.hardware.budget import size
from linnet.hardware.footprint import Shape, footprint
from linnet.hardware.machine import Machine
from linnet.limits import LIMITS
from linnet.models.pull import free_bytes

CONTEXT = 1_024
"""Tokens that everything which is measured runs with: the longest passage and the answers have room in it."""

_SLACK = 1.05
"""Sizes are reckoned from a header; llama.cpp keeps some tensors more precise than it was asked to."""


@dataclass(frozen=True)
class Room:
    """Bytes that may be used: of the disk below `folder`, and of memory; infinite where it is unknown."""

    disk: float
    memory: float
    folder: Path

    def why_not(self, name: str, file: int, kept: int, shapes: Sequence[Shape]) -> str:
        """Why a file of this size, beside `kept` bytes on the disk, is too much, or too much to be loaded together
        with others; "" if it is not."""
        if (need := kept + _SLACK * file) > self.disk:
            return f"{name} needs {size(int(need))} of disk with what is beside it, {self._of(self.disk)} may be used"
        if (need := memory_of(*shapes)) > self.memory:
            return f"{name} needs {size(need)} of memory to be measured, {self._of(self.memory)} may be used"
        return ""

    def check_reference(self, file: int, predictions: int, shape: Shape) -> None:
        """Raises StorageFull or OutOfMemory, with what is missing, if the F32 of a model cannot be made and run.

        Nothing else can stand in for it: a reference in BF16 or F16 would find no fault with just that type.
        """
        need, told = _SLACK * file + predictions, {"reference_bytes": file, "predictions_bytes": predictions}
        hint = "Give it more with --disk or --memory, or encode without measuring: --to bf16, --to q8_0."
        if need > self.disk:
            parts = f"{size(int(_SLACK * file))} for the F32 of the model, {size(predictions)} for what it predicts"
            message = (
                f"judging encodings takes {size(int(need))} of disk ({parts}), {self._of(self.disk)} may be used"
            )
            message = f"{message} in {self.folder}: {size(int(need - self.disk))} are missing"
            raise StorageFull(message, hint=hint, needed=int(need), usable=int(self.disk), **told)
        if (need := memory_of(as_file(shape, file))) > self.memory:
            message = f"the F32 of the model needs {size(need)} of memory, {self._of(self.memory)} may be used"
            message = f"{message}: {size(int(need - self.memory))} are missing"
            raise OutOfMemory(message, hint=hint, needed=need, usable=int(self.memory), **told)

    @staticmethod
    def _of(bytes: float) -> str:
        return size(int(max(0, bytes)))


def room(machine: Machine, folder: Path, disk: int | None, memory: int | None) -> Room:
    """What is free less what is always left free; and no more of it than the user allows."""
    there = folder
    while not there.is_dir() and there != there.parent:
        there = there.parent
    free = free_bytes(there) - LIMITS.disk_spare_bytes
    available = machine.memory_available
    usable = math.inf if available is None else available * (1 - budget.HEADROOM)
    return Room(
        min(free, math.inf if disk is None else disk), min(usable, math.inf if memory is None else memory), there
    )


def memory_of(*shapes: Shape) -> int:
    """Of workers that run side by side, one for each."""
    return sum(footprint(shape, CONTEXT).needed for shape in shapes)


def as_file(shape: Shape, size: int) -> Shape:
    """The same model with weights of this size, nothing copied."""
    return replace(shape, weights=size, copied=0, idle=0)
