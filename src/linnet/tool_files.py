"""Tools that the user writes: every Tool at the top level of a Python file.

Hides the import: the module gets a name that clashes with nothing, its folder is on the path only while it
is imported, and last, so that a file beside it can be imported but shadows nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from linnet.errors import InputInvalid, LinnetError, ToolInvalid
from linnet.tools import Tool


def load_tools(files: Iterable[Path], hint: str = "Name a Python file.") -> tuple[Tool, ...]:
    """The tools of these files, in order, each once. `hint` is for a file that is not there.

    Raises InputInvalid for a file that is not there or has no tools, ToolInvalid for one that cannot be
    imported, and whatever LinnetError the making of a tool raises.
    """
    return tuple(dict.fromkeys(tool for file in files for tool in _tools(file, hint)))


def _tools(file: Path, hint: str) -> list[Tool]:
    if not file.is_file():
        raise InputInvalid(f"there is no tools file {str(file)!r}", hint=hint, path=str(file))
    found = [value for value in vars(_import(file.resolve())).values() if isinstance(value, Tool)]
    if not found:
        how = "Write @tool (from linnet import tool) above a function."
        raise InputInvalid(f"{str(file)!r} has no tools at its top level", hint=how, path=str(file))
    return found


def _import(file: Path) -> ModuleType:
    name = f"_linnet_tools_{hashlib.sha256(os.fsencode(file)).hexdigest()[:16]}"
    loader = SourceFileLoader(name, str(file))
    module = ModuleType(name)
    module.__file__, module.__loader__ = str(file), loader
    sys.modules[name] = module  # dataclasses look themselves up there
    try:
        with _last_on_path(str(file.parent)):
            loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, LinnetError) or not isinstance(error, Exception | SystemExit):
            raise
        raise _not_imported(file, error) from error
    return module


@contextlib.contextmanager
def _last_on_path(folder: str) -> Iterator[None]:
    if folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _not_imported(file: Path, error: BaseException) -> ToolInvalid:
    frames = traceback.extract_tb(error.__traceback__)
    line = next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)
    where = f"{str(file)!r}, line {line}" if line else repr(str(file))
    message = f"{where}, cannot be imported: {type(error).__name__}: {str(error)[:500]}"
    return ToolInvalid(message, hint="Correct the file; LINNET_DEBUG=1 shows the traceback.", path=str(file))
