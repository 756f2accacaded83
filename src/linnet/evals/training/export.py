"""What was learned, as files that the engine reads: an adapter beside its model, or a model that has it built in.

Hides the `gguf` package and the layout of its files. Both are written under another name first, synced and renamed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from linnet import storage
from linnet.errors import InputInvalid, StorageFull
from linnet.evals.training import weights
from linnet.evals.training.weights import MATRICES, Shape

Tensors = Mapping[str, Any]
"""What `Network.learned` has: `NAME.down` of (rank, in) and `NAME.up` of (out, rank), by names of `transformers`."""


def adapter(path: Path, learned: Tensors, shape: Shape, *, alpha: float, name: str) -> None:
    """A LoRA adapter: `X.lora_a` and `X.lora_b` for each matrix X, as 16 bits. Raises StorageFull, InputInvalid."""
    import numpy as np

    def fill(writer: Any) -> None:
        writer.add_type("adapter")
        writer.add_name(name)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", alpha)
        for block in range(shape.blocks):
            for part in MATRICES:
                down, up = _pair(learned, shape, block, part)
                writer.add_tensor(f"blk.{block}.{part}.weight.lora_a", np.ascontiguousarray(down, np.float16))
                writer.add_tensor(f"blk.{block}.{part}.weight.lora_b", np.ascontiguousarray(up, np.float16))

    _written(path, fill)


def merged(path: Path, source: Path, learned: Tensors, shape: Shape, *, scale: float) -> None:
    """The model with the adapter built in: matrices as 16 bits, all else as it was. Raises as `adapter` does."""
    import numpy as np
    from gguf import GGUFReader, LlamaFileType, dequantize

    reader = GGUFReader(str(source))

    def fill(writer: Any) -> None:
        for field in reader.fields.values():
            if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", "general.file_type"):
                inner = field.types[-1] if len(field.types) > 1 else None
                writer.add_key_value(field.name, field.contents(), field.types[0], inner)
        writer.add_file_type(int(LlamaFileType.MOSTLY_F16))
        for tensor in reader.tensors:
            values = np.array(dequantize(tensor.data, tensor.tensor_type), np.float32)
            parts: list[str] = tensor.name.split(".")
            if len(parts) == 4 and parts[2] in MATRICES:
                down, up = _pair(learned, shape, int(parts[1]), parts[2])
                values += scale * (up @ down)
            writer.add_tensor(tensor.name, values if values.ndim < 2 else values.astype(np.float16))

    _written(path, fill)


def _pair(learned: Tensors, shape: Shape, block: int, part: str) -> tuple[Any, Any]:
    """A and B of a matrix, with the rows of B where the file has those of the matrix."""
    name = f"model.layers.{block}.{MATRICES[part]}"
    down, up = (learned[f"{name}.{end}"].detach().float().cpu().numpy() for end in ("down", "up"))
    return down, weights.turned(up, shape.heads_of(part)) if weights.is_turned(part) else up


def _written(path: Path, fill: Callable[[Any], None]) -> None:
    from gguf import GGUFWriter

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = GGUFWriter(str(beside), "llama")
        try:
            fill(writer)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        storage.sync_folder(path.parent)
    except OSError as error:
        if error.errno in storage.FULL:
            raise StorageFull(f"{path.name} cannot be written: {error.strerror}") from error
        raise InputInvalid(f"{str(path)!r} cannot be written: {error.strerror}", path=str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
