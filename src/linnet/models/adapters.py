"""What a LoRA adapter file is, and whether it goes with a model.

An adapter changes matrices of a model without holding them: beside `W x` the engine computes
`alpha / rank * B (A x)` (https://arxiv.org/abs/2106.09685). For each matrix `X` that it changes, the file has two
tensors: `X.lora_a` of [in, rank] and `X.lora_b` of [rank, out], the fastest dimension first, and of experts as many
as the matrix has. Rows of `token_embd.weight` are looked up, not multiplied: there they are [rank, tokens] and
[rank, width].

The engine compares two dimensions of each with the model's, and passes over what it has no use for. What it does
not compare ends in a GGML_ASSERT in the middle of the first answer (`src/llama-adapter.cpp` and
`src/llama-graph.cpp` of llama.cpp), so all of it is compared here.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from linnet.errors import ModelInvalid
from linnet.limits import LIMITS
from linnet.models.architectures import RUNNABLE
from linnet.models.faults import Broken, Fault, Faults, shown
from linnet.models.fields import KEYS_AT, Fields
from linnet.models.gguf import Header, ModelFile, Tensor, read_header
from linnet.models.tensor_types import MATRIX_TYPES


@dataclass(frozen=True)
class AdapterInfo:
    """What an adapter changes: `tensors` are names of the model's matrices, `bytes` what its own weights take.

    `name` is what the file calls itself, "" for nothing. The change is multiplied by `scale`, which is
    alpha / rank: the engine does so by itself, beside the scale that it is told.
    """

    name: str
    rank: int
    alpha: float
    scale: float
    tensors: tuple[str, ...]
    bytes: int

    def describe(self) -> dict[str, Any]:
        return {**asdict(self), "tensors": list(self.tensors)}


def checked(file: ModelFile, base: Header) -> AdapterInfo:
    """What an adapter changes of a model that a worker may be given with it.

    `base` is the model's header, checked already. Raises ModelInvalid for the first fault of the file, or for the
    first thing in which the two do not go together.
    """
    header = checked_header(file)
    for fault in faults_with(header, base):
        message = f"the adapter is not one of this model, at byte {fault.where}: {fault.what}"
        raise ModelInvalid(message, hint="Use it with the model that it was trained on.", **fault.describe())
    return info(header)


def checked_header(file: ModelFile) -> Header:
    """The header of a file that is an adapter of some model. Raises ModelInvalid for the first fault."""
    header = read_header(file.fileno())
    if not is_adapter(header):
        message = "the file is not an adapter: its general.type is not 'adapter'"
        raise ModelInvalid(message, hint="A whole model is named by itself, without a model before it.")
    for fault in faults_of(header):
        raise fault.error()
    return header


def fingerprint(base: str, adapter: str) -> str:
    """What stands for a model with an adapter, as their digests stand for each."""
    return hashlib.sha256(f"{base}+{adapter}".encode()).hexdigest()


def is_adapter(header: Header) -> bool:
    """Whether the file says that it is one; of which kind, and whether it is sound, is another matter."""
    return header.text("general.type") == "adapter"


def info(header: Header) -> AdapterInfo:
    """What a sound adapter says of itself."""
    pairs = _pairs(header)
    alpha = header.metadata["adapter.lora.alpha"]
    assert isinstance(alpha, float)
    rank = pairs[0].rank
    size = sum(tensor.size for tensor in header.tensors)
    name = header.text("general.name") or ""
    return AdapterInfo(name, rank, alpha, alpha / rank, tuple(pair.of for pair in pairs), size)


# --- by itself -----------------------------------------------------------------------------------

_A, _B = ".lora_a", ".lora_b"
_LOOKED_UP = "token_embd.weight"


def faults_of(header: Header) -> tuple[Fault, ...]:
    """What is wrong with an adapter, whatever its model is."""
    faults = Faults()
    try:
        _check_fields(Fields(header, faults))
        _check_names(header, faults)
        for tensor in header.tensors:
            if tensor.type not in MATRIX_TYPES:
                what = f"tensor {tensor.name!r} is of type {tensor.type}, which the engine does not multiply by"
                faults.add(tensor.where, what, tensor.name)
        _check_ranks(_pairs(header), faults)
    except Broken as end:
        faults.end(end)
    return faults.found()


def _check_fields(fields: Fields) -> None:
    for key in ("adapter.type", "adapter.lora.alpha"):
        fields.require(key)
    fields.text("general.type", ("adapter",))
    fields.text("adapter.type", ("lora",))
    fields.text("general.name")
    # of 0 the engine makes no change of size nothing: it leaves alpha / rank out
    fields.number("adapter.lora.alpha", above=0.0)
    architecture = fields.header.architecture
    if architecture not in RUNNABLE:
        fields.blame("general.architecture", f"the engine does not run the architecture {shown(architecture)}")
    for key in fields.header.metadata:
        if key.startswith("adapter.alora."):
            fields.blame(
                key, "it is an activated LoRA, which works behind certain tokens only: that is not supported"
            )


def _check_names(header: Header, faults: Faults) -> None:
    """Nothing but pairs: what else there is the engine refuses, or passes over without a word."""
    names = {tensor.name for tensor in header.tensors}
    if not names:
        faults.add(KEYS_AT, "there are no tensors", "tensors")
    for tensor in header.tensors:
        of, ending = tensor.name[: -len(_A)], tensor.name[-len(_A) :]
        if ending not in (_A, _B) or not of:
            what = f"tensor {tensor.name!r} is neither a .lora_a nor a .lora_b of another"
            faults.add(tensor.where, what, tensor.name)
        elif (partner := of + (_B if ending == _A else _A)) not in names:
            faults.add(tensor.where, f"tensor {tensor.name!r} is there without {partner!r}", tensor.name)


def _check_ranks(pairs: list[_Pair], faults: Faults) -> None:
    """Both of a pair share a rank, and all pairs share one: that of the first is the adapter's."""
    for pair in pairs:
        shared, where = (pair.rank_of_a, pair.rank), pair.b.where
        what = f"the rank of {pair.of!r} is"
        if shared[0] != shared[1]:
            faults.add(where, f"{what} {shared[0]} in its .lora_a and {shared[1]} in its .lora_b", pair.b.name)
        elif pair.rank > LIMITS.adapter_rank:
            faults.add(where, f"{what} {pair.rank}, the limit is {LIMITS.adapter_rank}", pair.b.name)
        elif pair.rank != pairs[0].rank:
            faults.add(where, f"{what} {pair.rank}, that of {pairs[0].of!r} {pairs[0].rank}", pair.b.name)


# --- beside its model ----------------------------------------------------------------------------

_UNCHANGED = (
    "per_layer_token_embd",
    "position_embd",
    "token_types",
    "conv1d",
    "shortconv.conv",
    "norm.weight",
    "rope_",
)
"""Matrices that the engine never changes by an adapter: looked up by themselves, convolved, multiplied one by one."""


def faults_with(header: Header, base: Header) -> tuple[Fault, ...]:
    """In what a sound file is no adapter of a sound model."""
    faults = Faults()
    try:
        if not is_adapter(header):
            faults.add(KEYS_AT, "the file is a model, not an adapter", "general.type")
            return faults.found()
        fields = Fields(header, faults)
        if header.architecture != base.architecture:
            what = f"it is for the architecture {shown(header.architecture)}, not {shown(base.architecture)}"
            fields.blame("general.architecture", what)
            return faults.found()
        matrices = {tensor.name: tensor for tensor in base.tensors}
        for pair in _pairs(header):
            matrix = matrices.get(pair.of)
            if matrix is None:
                faults.add(pair.a.where, f"the model has no tensor {pair.of!r}", pair.a.name)
            elif why := _unchangeable(matrix, tied="output.weight" not in matrices):
                faults.add(pair.a.where, f"tensor {pair.of!r} of the model {why}", pair.a.name)
            else:
                _check_shape(pair, matrix, faults)
    except Broken as end:
        faults.end(end)
    return faults.found()


def _unchangeable(matrix: Tensor, tied: bool) -> str:
    """Why the engine changes no such tensor, or dies of it; "" if it does change it."""
    inner, outer, experts, more = _shape(matrix)
    if len(matrix.dimensions) < 2 or 1 in (inner, outer):
        return "is no matrix"
    if any(part in matrix.name for part in _UNCHANGED) or not matrix.name.endswith(".weight"):
        return "is none that an adapter changes"
    if more > 1 or (experts > 1 and "_exps" not in matrix.name):
        return f"has {len(matrix.dimensions)} dimensions, and is not one of experts"
    if matrix.name == _LOOKED_UP and tied:
        # multiplied by the same tensor at the end, with .lora_a and .lora_b the wrong way round: GGML_ASSERT
        return "is its output too, and the engine cannot change one that is both"
    return ""


def _check_shape(pair: _Pair, matrix: Tensor, faults: Faults) -> None:
    inner, outer, experts, _ = _shape(matrix)
    rank = pair.rank
    if pair.of == _LOOKED_UP:
        wanted = ((pair.a, (rank, outer, 1, 1)), (pair.b, (rank, inner, 1, 1)))
    else:
        wanted = ((pair.a, (inner, rank, experts, 1)), (pair.b, (rank, outer, experts, 1)))
    for tensor, shape in wanted:
        if _shape(tensor) != shape:
            fitting = tuple(size for at, size in enumerate(shape) if at < 2 or size > 1)
            what = f"tensor {tensor.name!r} has the dimensions {tensor.dimensions}, not {fitting}"
            faults.add(tensor.where, f"{what}, for {matrix.dimensions} of the model's", tensor.name)


# --- pairs ---------------------------------------------------------------------------------------


class _Pair(NamedTuple):
    """What changes the model's matrix `of`."""

    of: str
    a: Tensor
    b: Tensor

    @property
    def rank(self) -> int:
        """As the engine has it."""
        return _shape(self.b)[0]

    @property
    def rank_of_a(self) -> int:
        return _shape(self.a)[0 if self.of == _LOOKED_UP else 1]


def _pairs(header: Header) -> list[_Pair]:
    """In the order of the file; what has no partner is left out."""
    named = {tensor.name: tensor for tensor in header.tensors}
    targets = (name.removesuffix(_A) for name in named if name.endswith(_A))
    return [_Pair(of, named[of + _A], named[of + _B]) for of in targets if of and of + _B in named]


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """As the engine has it: four dimensions, those that the file leaves out are 1."""
    return (*tensor.dimensions, 1, 1, 1, 1)[:4]
