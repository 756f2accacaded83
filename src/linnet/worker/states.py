"""The states that a model has of texts: a second context of llama.cpp beside the one that answers.

Hidden here: that states of a block in the middle are taken from the engine while it computes, which then stops there;
that those behind the last block come with logits for every token; and that an encoder has no memory of what it read.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linnet.errors import ModelInvalid, OutOfMemory, WorkerCrashed
from linnet.vectors import Pooling
from linnet.worker.batch import LARGEST, ROWS
from linnet.worker.library import bindings
from linnet.worker.llama import Entry, Llama

States = NDArray[np.float32]

SEQUENCES = 32
"""Texts that are read side by side."""


class Reader:
    """Reads batches of tokens, at most `step` in one, and gives the states of each. `pooling` says which."""

    def __init__(self, llama: Llama, pooling: Pooling, tick: Callable[[], None]) -> None:
        """`tick` is called while a batch is read. Raises OutOfMemory; ModelInvalid for states of another width."""
        self._c, self._model = bindings(), llama.model
        self._layer, self._width = pooling.layer, pooling.width
        self.step = pooling.window if pooling.whole else LARGEST if pooling.layer >= 0 else ROWS
        self._name = f"l_out-{pooling.layer}".encode()
        self._seen: States | None = None
        self._watching = self._c.ggml_backend_sched_eval_callback(self._watch)
        self._context = self._open(max(self.step, pooling.window))
        self._tick = tick
        self._ticking = self._c.ggml_abort_callback(self._told)
        self._c.llama_set_abort_callback(self._context, self._ticking, None)
        self._memory = self._c.llama_get_memory(self._context)
        self._batch = self._c.llama_batch_init(self.step, 0, 1)

    def _open(self, cells: int) -> Any:
        c = self._c
        if self._width != int(c.llama_model_n_embd_out(self._model)):
            raise ModelInvalid(f"the model's states are not {self._width} wide, as its header says")
        params = c.llama_context_default_params()
        params.n_ctx, params.n_seq_max, params.kv_unified = cells, SEQUENCES, True
        params.n_batch = params.n_ubatch = self.step
        params.n_threads = params.n_threads_batch = 1
        params.pooling_type = c.LLAMA_POOLING_TYPE_NONE
        params.flash_attn_type, params.no_perf = 0, True
        params.embeddings = self._layer < 0
        if self._layer >= 0:
            _functions(c)
            params.cb_eval = self._watching
        opened = c.llama_init_from_model(self._model, params)
        if not opened:
            raise OutOfMemory(f"no memory for reading {cells} tokens of texts", tokens=cells)
        return opened

    def use_threads(self, threads: int) -> None:
        self._c.llama_set_n_threads(self._context, threads, threads)

    def forget(self) -> None:
        """All that was read: sequences begin anew."""
        if self._memory:
            self._c.llama_memory_clear(self._memory, False)

    def read(self, entries: Sequence[Entry]) -> States:
        """Shape (entries, width)."""
        batch = self._batch
        batch.n_tokens = len(entries)
        for i, entry in enumerate(entries):
            batch.token[i] = entry.token
            batch.pos[i] = entry.position
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = entry.sequence
            batch.logits[i] = self._layer < 0 or i == 0  # the engine wants one at least
        self._seen = None
        status = self._c.llama_decode(self._context, batch)
        if status != 0:
            raise WorkerCrashed(f"llama_decode failed with status {status}", status=status)
        states = self._last(len(entries)) if self._layer < 0 else self._seen
        if states is None or states.shape != (len(entries), self._width):
            raise WorkerCrashed(f"the engine has no states behind block {self._layer}")
        return states

    def _last(self, count: int) -> States:
        pointer = self._c.llama_get_embeddings(self._context)
        return np.ctypeslib.as_array(pointer, shape=(count, self._width)).copy()

    def _told(self, data: object) -> bool:
        self._tick()
        return False  # and so it goes on

    def _watch(self, tensor: Any, ask: bool, data: Any) -> bool:
        """Asked before each part of the computation whether it is wanted; after one that is, the engine stops."""
        lib = self._c._lib
        if ask:
            return bool(lib.ggml_get_name(tensor) == self._name)
        found = np.empty(lib.ggml_nbytes(tensor) // 4, np.float32)
        lib.ggml_backend_tensor_get(tensor, found.ctypes.data, 0, found.nbytes)
        self._seen = found.reshape(-1, self._width)
        return False


def _functions(c: Any) -> None:
    """Of ggml, which the bindings do not name."""
    lib = c._lib
    lib.ggml_get_name.restype, lib.ggml_get_name.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
    lib.ggml_nbytes.restype, lib.ggml_nbytes.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    lib.ggml_backend_tensor_get.restype = None
    lib.ggml_backend_tensor_get.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_size_t] * 2]
