"""llama.cpp behind Python types: with `states.py` and `library.py` the only files that touch its C API.

Hidden here: loading from a descriptor, the batch structure, the vocabulary's attributes, and who owns which
pointer. Nothing here decides anything; every call that can fail says so with an error of `linnet.errors`.
"""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linnet.errors import OutOfMemory, WorkerCrashed
from linnet.hardware.footprint import one_pass, padded
from linnet.protocol import Adapter, Kind, Load
from linnet.worker import tiles
from linnet.worker.batch import LARGEST
from linnet.worker.library import bindings, hearing, refused, silence

Logits = NDArray[np.float32]


class Entry(NamedTuple):
    """One token of a batch: where it stands in which sequence, and whether its logits are wanted."""

    token: int
    position: int
    sequence: int
    logits: bool


@dataclass(frozen=True)
class Vocabulary:
    """What the tokeniser must know of the vocabulary: texts of control and user-defined tokens by id."""

    size: int
    control: dict[str, int]
    user_defined: tuple[str, ...]
    ends: frozenset[int]
    bos: int | None

    @cached_property
    def control_ids(self) -> frozenset[int]:
        return frozenset(self.control.values())


class Llama:
    """One model with one context, and the memory (KV cache) of many sequences in it.

    `load.context` is in tokens, shared by all sequences. `loading` is told the fraction that is loaded.
    """

    def __init__(self, load: Load, loading: Callable[[float], None]) -> None:
        self._c = bindings()
        self._c.llama_log_set(silence(), None)
        self._model = self._load(load, loading)
        self._vocab = self._c.llama_model_get_vocab(self._model)
        # before the context: it lays out its graphs with room for what adapters add
        self._adapters = {adapter.name: self._adapt(adapter) for adapter in load.adapters}
        self._adapted = ""
        self._context = self._open(load)
        self._memory = self._c.llama_get_memory(self._context)
        self._tick: Callable[[], None] | None = None
        self._ticking = self._c.ggml_abort_callback(self._told)
        self._silent = self._c.ggml_abort_callback()  # a null pointer
        self._batch = self._c.llama_batch_init(LARGEST, 0, 1)
        self._size = self._c.llama_vocab_n_tokens(self._vocab)
        self.context = int(self._c.llama_n_ctx(self._context))

    def _load(self, load: Load, loading: Callable[[float], None]) -> Any:
        params = self._c.llama_model_default_params()
        params.load_mode = self._c.LLAMA_LOAD_MODE_MMAP if load.mapped else self._c.LLAMA_LOAD_MODE_NONE

        def told(done: float, data: object) -> bool:
            loading(done)
            return True

        self._loading = self._c.llama_progress_callback(told)
        params.progress_callback = self._loading
        with tiles.used_well(self._c._lib), hearing() as words:
            model = self._c.llama_model_load_from_file_ptr(_stream(load.model_fd), params)
        if not model:
            raise refused("llama.cpp refused the model file", words)
        return model

    def _adapt(self, adapter: Adapter) -> tuple[Any, float]:
        with hearing() as words:
            loaded = self._c.llama_adapter_lora_init_from_file_ptr(self._model, _stream(adapter.fd))
        if not loaded:
            raise refused(f"llama.cpp refused the adapter {adapter.name}", words, adapter=adapter.name)
        return loaded, adapter.scale

    def _open(self, load: Load) -> Any:
        params = self._c.llama_context_default_params()
        params.n_ctx = padded(load.context)  # as it rounds itself, but for the largest batch
        params.n_batch = params.n_ubatch = LARGEST
        params.n_seq_max = load.sequences
        params.n_threads, params.n_threads_batch = load.decode_threads, load.prefill_threads
        params.kv_unified = True
        params.type_k = params.type_v = getattr(self._c, f"GGML_TYPE_{load.cache.upper()}")
        heads = int(self._c.llama_model_n_head(self._model))
        params.flash_attn_type = int(one_pass(heads, load.context, load.cache))
        params.no_perf = True
        opened = self._c.llama_init_from_model(self._model, params)
        if not opened:
            raise OutOfMemory(f"no memory for a context of {load.context} tokens", context=load.context)
        return opened

    # --- vocabulary ------------------------------------------------------------------------------

    @cached_property
    def vocabulary(self) -> Vocabulary:
        control, user = {}, []
        special = self._c.LLAMA_TOKEN_ATTR_CONTROL | self._c.LLAMA_TOKEN_ATTR_USER_DEFINED
        for token in range(self._size):
            kind = self._c.llama_vocab_get_attr(self._vocab, token) & special
            if kind & self._c.LLAMA_TOKEN_ATTR_CONTROL:
                control[self.piece(token).decode(errors="replace")] = token
            elif kind:
                user.append(self.piece(token).decode(errors="replace"))
        ends = frozenset(t for t in control.values() if self._c.llama_vocab_is_eog(self._vocab, t))
        bos = int(self._c.llama_vocab_bos(self._vocab))
        adds = bool(self._c.llama_vocab_get_add_bos(self._vocab)) and bos >= 0
        return Vocabulary(self._size, control, tuple(sorted(user)), ends, bos if adds else None)

    @cached_property
    def _piece_buffer(self) -> Any:
        return ctypes.create_string_buffer(1 << 14)

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; control tokens as their own text."""
        buffer = self._piece_buffer
        size = self._c.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, True)
        return bytes(buffer[: max(size, 0)])

    def tokenise(self, text: str) -> list[int]:
        """Token ids of plain text: control tokens are not recognised, user-defined ones are."""
        data = text.encode()
        room = len(data) + 8
        out = (ctypes.c_int32 * room)()
        count = self._c.llama_tokenize(self._vocab, data, len(data), out, room, False, False)
        return list(out[: max(count, 0)])

    @property
    def model(self) -> Any:
        """The model that is loaded, for `linnet.worker.states`, which reads with a context of its own."""
        return self._model

    @cached_property
    def around(self) -> tuple[list[int], list[int]]:
        """The tokens that the tokenizer sets before and behind a whole text."""
        alone, out = self.tokenise("a"), (ctypes.c_int32 * 16)()
        count = self._c.llama_tokenize(self._vocab, b"a", 1, out, 16, True, False)
        marked = list(out[: max(count, 0)])
        if not alone or alone[0] not in marked:
            return [], []
        at = marked.index(alone[0])
        return marked[:at], marked[at + len(alone) :]

    @cached_property
    def beginning(self) -> list[int]:
        """The token that begins texts, whether or not the tokenizer sets it by itself."""
        bos = int(self._c.llama_vocab_bos(self._vocab))
        return [bos] if bos >= 0 else []

    @cached_property
    def matcher_tokenizer(self) -> Any:
        """llguidance's view of the vocabulary; special tokens are marked by a leading 0xFF byte."""
        from llguidance import LLTokenizer

        tokenizer: Any = LLTokenizer  # its stub lacks the constructor below
        special = {*self.vocabulary.control.values()}
        pieces = [(b"\xff" if t in special else b"") + self.piece(t) for t in range(self._size)]
        tokenize = ctypes.cast(self._c._lib.llama_tokenize, ctypes.c_void_p).value
        return tokenizer.from_llamacpp(
            tokens=pieces,
            vocab_ptr=self._vocab,
            tokenize_fptr=tokenize,
            eos_token=sorted(self.vocabulary.ends) or [int(self._c.llama_vocab_eos(self._vocab))],
            slices=[],  # those that it would make take 11 MiB, and save no time here (docs/log.md)
        )

    # --- computing -------------------------------------------------------------------------------

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the adapters that were loaded."""
        return tuple(self._adapters)

    def adapt(self, name: str) -> None:
        """Compute with this adapter from now on; "" is the model as it is. All sequences of a batch share it."""
        if name == self._adapted:
            return
        chosen = [self._adapters[name]] if name else []
        loras = (self._c.llama_adapter_lora_p_ctypes * 1)(*(lora for lora, _ in chosen))
        scales = (ctypes.c_float * 1)(*(scale for _, scale in chosen))
        status = self._c.llama_set_adapters_lora(self._context, loras, len(chosen), scales)
        if status != 0:
            raise WorkerCrashed(f"the adapter {name!r} cannot be set: status {status}", status=status)
        self._adapted = name

    def use_threads(self, decode: int, prefill: int) -> None:
        """Compute with so many threads from now on: batches of one token, and larger ones."""
        self._c.llama_set_n_threads(self._context, decode, prefill)

    def decode(self, entries: Sequence[Entry], tick: Callable[[], None] | None = None) -> None:
        """Compute a batch. `logits(i)` is then valid for each entry i that wanted them, until the next decode.

        `tick` is called some hundred times meanwhile, which takes one or two milliseconds.
        """
        self._call(tick)
        batch = self._batch
        batch.n_tokens = len(entries)
        for i, entry in enumerate(entries):
            batch.token[i] = entry.token
            batch.pos[i] = entry.position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = entry.sequence
            batch.logits[i] = entry.logits
        status = self._c.llama_decode(self._context, batch)
        if status == 1:
            raise OutOfMemory("no room in the KV cache for this batch", tokens=len(entries))
        if status != 0:
            raise WorkerCrashed(f"llama_decode failed with status {status}", status=status)

    def _call(self, tick: Callable[[], None] | None) -> None:
        if bool(tick) != bool(self._tick):
            self._c.llama_set_abort_callback(self._context, self._ticking if tick else self._silent, None)
        self._tick = tick

    def _told(self, data: object) -> bool:
        if self._tick:
            self._tick()
        return False  # and so it goes on

    def logits(self, index: int) -> Logits:
        """A view, shape (vocabulary,), of the logits after entry `index`; overwritten by the next decode."""
        pointer = self._c.llama_get_logits_ith(self._context, index)
        return np.ctypeslib.as_array(pointer, shape=(self._size,))

    def copy(self, source: int, target: int, length: int) -> None:
        """Let `target` share the first `length` positions of `source`."""
        self._c.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def cut(self, sequence: int, length: int = 0) -> None:
        """Forget all positions of a sequence from `length` on."""
        self._c.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def share(self, source: int, target: int, length: int) -> None:
        """As `copy`, where `target` has these positions already, computed by itself: its own are forgotten."""
        self._c.llama_memory_seq_rm(self._memory, target, 0, length)
        self.copy(source, target, length)

    # --- states ----------------------------------------------------------------------------------

    def length(self, sequence: int) -> int:
        """Positions of a sequence."""
        return int(self._c.llama_memory_seq_pos_max(self._memory, sequence)) + 1

    def state_size(self, sequence: int) -> int:
        """Bytes that `save_state` writes."""
        return int(self._c.llama_state_seq_get_size(self._context, sequence))

    def save_state(self, sequence: int, target: NDArray[np.uint8]) -> bool:
        """Write what the memory holds of a sequence; whether it has filled the target."""
        written = self._c.llama_state_seq_get_data(self._context, _pointer(target), target.size, sequence)
        return bool(written == target.size)

    def load_state(self, sequence: int, state: NDArray[np.uint8]) -> bool:
        """Give an empty sequence what was saved of another; False for what is no state, or finds no room."""
        return bool(self._c.llama_state_seq_set_data(self._context, _pointer(state), state.size, sequence))

    def save_part(self, sequence: int, spare: int, start: int, end: int, most: int) -> NDArray[np.uint8] | None:
        """What the memory holds of positions `start` to `end`, by way of an empty sequence; None over `most`."""
        self._c.llama_memory_seq_cp(self._memory, sequence, spare, start, end)
        try:
            size = self.state_size(spare)
            data = _memory(size) if size <= most else None
            return data if data is not None and self.save_state(spare, data) else None
        finally:
            self.cut(spare)

    def load_part(self, state: NDArray[np.uint8], spare: int, target: int, start: int, end: int) -> bool:
        """Give a sequence that ends at `start` its positions up to `end` back, by way of an empty one.

        `state` is what was saved of these positions, and may be of more. False for what finds no room.
        """
        good = self.load_state(spare, state)
        if good:
            self._c.llama_memory_seq_cp(self._memory, spare, target, start, end)
        self.cut(spare)
        return good

    @cached_property
    def can_cut(self) -> bool:
        """Whether sequences can be shortened, and shared in part. All can be copied whole.

        Not those of recurrent and hybrid models, which have a state; nor those with a sliding window, unless it is
        wider than the context: cells behind it are used again, also by other sequences, and also though the cache has
        room for all of them, and a beginning is then no longer whole (`llama_kv_cache::find_slot`).
        """
        window = self._c.llama_model_n_swa(self._model)
        return self.can_take_back and not 0 < window <= self.context

    @cached_property
    def can_take_back(self) -> bool:
        """Whether tokens of the last step can be taken back: not from a state; a window has not moved on yet."""
        return not (self._c.llama_model_is_recurrent(self._model) or self._c.llama_model_is_hybrid(self._model))


def _memory(size: int) -> NDArray[np.uint8]:
    """Pages of their own, which go back to the system when they are given up; had at once, not fault by fault."""
    populate = getattr(mmap, "MAP_POPULATE", 0)  # Linux
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | populate), np.uint8)


def _pointer(data: NDArray[np.uint8]) -> Any:
    return data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))


def _stream(fd: int) -> ctypes.c_void_p:
    """A C stream over an open file, from its start: native code never learns a path."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fdopen.restype = ctypes.c_void_p
    os.lseek(fd, 0, os.SEEK_SET)
    return ctypes.c_void_p(libc.fdopen(fd, b"rb"))


_FILE_TYPES = {"f32": "ALL_F32"}
"""Names of llama.cpp's file types that do not follow from that of the encoding."""


def quantise(source: int, target: int, kind: Kind, threads: int, rows_bytes: int) -> None:
    """Write the model behind one descriptor to the file behind another, its weights encoded as `kind`.

    llama.cpp takes paths and nothing else, so both files are opened again by the names that /proc has for
    descriptors. `rows_bytes` bounds what it holds of a tensor at once. Blocks until it is done; a target may be half
    written when this raises ModelInvalid, with llama.cpp's own last words, or OutOfMemory.
    """
    c = bindings()
    params = c.llama_model_quantize_default_params()
    params.ftype = getattr(c, f"LLAMA_FTYPE_{_FILE_TYPES.get(kind, f'MOSTLY_{kind.upper()}')}")
    params.nthread, params.max_buf_size = threads, rows_bytes
    params.allow_requantize = True  # else only files with 32 and 16 bits are taken
    with hearing() as words:
        names = [f"/proc/self/fd/{fd}".encode() for fd in (source, target)]
        status = c.llama_model_quantize(*names, params)
    if status:
        raise refused(f"llama.cpp did not re-encode the model as {kind}", words, told=True)


def warm_imports() -> None:
    """Import now what a locked-down process could not open later."""
    import llguidance
    import numpy.ctypeslib
    import numpy.random

    bindings()
    np.random.Generator(np.random.Philox(key=[0, 0])).random()
    hashlib.sha256(b"").digest()
    _ = (llguidance.LLMatcher, numpy.ctypeslib.as_array, numpy.random.Philox)


def texts_by_length(texts: Iterable[str]) -> list[str]:
    """Longest first, so that an alternation prefers `<|im_start|>` to `<|im`."""
    return sorted(texts, key=len, reverse=True)
