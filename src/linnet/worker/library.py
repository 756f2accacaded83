"""The library that llama.cpp is, and what it says: its low-level functions, without the package around them.

Hidden here: what of the package is imported, and where the library's log goes.
"""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from linnet.errors import ModelInvalid, OutOfMemory

_WORDS, _WORDS_CHARS = 16, 500
_LOG_ERROR = 4  # GGML_LOG_LEVEL_ERROR of ggml.h
_NO_MEMORY = (
    "bad_alloc",
    "Resource temporarily unavailable",
    "failed to allocate",
    "unable to allocate",
)  # for data, and for the stack of a thread


def bindings() -> Any:
    """The low-level module, without the package around it.

    The package's `__init__` imports a pickle-backed cache, sqlite3 and chat handlers (150 ms, and more
    than a locked-down child should hold); a stub in its place gives its submodule a path and nothing else.
    """
    if "llama_cpp" not in sys.modules:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None:
            raise ModelInvalid("the package llama-cpp-python is not installed", hint="Run `make install`.")
        stub = types.ModuleType("llama_cpp")
        stub.__spec__ = spec
        stub.__path__ = list(spec.submodule_search_locations or [])
        sys.modules["llama_cpp"] = stub
    return importlib.import_module("llama_cpp.llama_cpp")


@cache
def silence() -> Any:
    """What takes the library's log and says nothing. It keeps the bare pointer, whichever model set it."""
    return bindings().llama_log_callback(lambda level, text, data: None)


@contextmanager
def hearing() -> Iterator[list[str]]:
    """What the library says of errors meanwhile, the last lines of it."""
    words: list[str] = []

    def told(level: int, text: bytes, data: object) -> None:
        if level == _LOG_ERROR:
            words.append(text.decode(errors="replace").strip()[:_WORDS_CHARS])
            del words[:-_WORDS]

    log = bindings().llama_log_callback(told)
    bindings().llama_log_set(log, None)
    try:
        yield words
    finally:
        bindings().llama_log_set(silence(), None)  # ours ends here


def refused(message: str, words: list[str], *, told: bool = False, **details: Any) -> ModelInvalid | OutOfMemory:
    """The file's fault, unless the library said that there was no memory for it. `told` puts its words in ours."""
    last = words[-1] if words else ""
    if any(mark in line for line in words for mark in _NO_MEMORY):
        return OutOfMemory(f"there was no memory for it: {message}", last_words=last, **details)
    return ModelInvalid(f"{message}: {last[:300]}" if told else message, last_words=last, **details)
