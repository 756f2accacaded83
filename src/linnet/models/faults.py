"""What is wrong with a model file: where it stands, in which field, and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linnet.errors import ModelInvalid
from linnet.limits import LIMITS


@dataclass(frozen=True)
class Fault:
    """`where` is the byte in the file, `key` the metadata field or the tensor, None if it is neither."""

    where: int
    what: str
    key: str | None = None

    def error(self) -> ModelInvalid:
        message = f"not a valid GGUF file, at byte {self.where}: {self.what}"
        return ModelInvalid(message, **self.describe())

    def describe(self) -> dict[str, Any]:
        named = {} if self.key is None else {"key": self.key[:_SHOWN]}
        return {"where": self.where, "what": self.what, **named}


class Broken(Exception):
    """Nothing behind this fault can be understood."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


class Faults:
    """Those found so far, in the order of finding: at most as many as the limit says.

    `about` is the field that is being read: the key of the faults that name none.
    """

    def __init__(self) -> None:
        self._found: list[Fault] = []
        self.about: str | None = None

    def add(self, where: int, what: str, key: str | None = None) -> None:
        """Raises Broken once there are so many that the rest says nothing new."""
        if len(self._found) >= LIMITS.model_faults:
            raise Broken(Fault(where, f"more than {LIMITS.model_faults} faults: the rest was not looked at"))
        self._found.append(Fault(where, what, key or self.about))

    def end(self, broken: Broken) -> None:
        fault = broken.fault
        self._found.append(Fault(fault.where, fault.what, fault.key or self.about))

    def __len__(self) -> int:
        return len(self._found)

    def found(self) -> tuple[Fault, ...]:
        return tuple(self._found)


def shown(text: str) -> str:
    """For a message: quoted, and no longer than a line."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


_SHOWN = 80
