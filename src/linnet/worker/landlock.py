"""Landlock: every right is handled, and granted below the descriptors that are named only."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import NamedTuple

from linnet.hardware.probe import landlock_abi
from linnet.worker import kernel

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_BENEATH = 1  # a rule by a descriptor: the file itself, or all below a folder
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # the first ABI that knows so many rights on files
TRUNCATE, NETWORK, SCOPES = 3, 4, 6  # the first ABI with each

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_FILE, MAKE_FIFO = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 10
MAKE_LINK, REFER, TRUNCATES = 1 << 12, 1 << 13, 1 << 14
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATES
"""The rights that a file can have; the others are a folder's."""


class Rule(NamedTuple):
    """These rights, on the file behind an open descriptor, or on all below the folder behind it."""

    rights: int
    descriptor: int


def restrict(rules: Iterable[Rule], *, files: bool, network: bool, signals: bool) -> int:
    """Restrict this thread and those it starts to what the rules grant; the ABI in force, 0 if there is none.

    `network` forbids TCP, and abstract sockets of others; `signals` forbids signals to others.
    """
    abi = landlock_abi()
    handled = _handled(abi, files, network, signals)
    if not any(handled):
        return 0
    attributes = struct.pack("=QQQ", *handled)[: 8 if abi < NETWORK else 16 if abi < SCOPES else 24]
    ruleset = kernel.syscall(_CREATE, ctypes.create_string_buffer(attributes), len(attributes), 0)
    if ruleset < 0:
        return 0
    try:
        for rights, descriptor in rules:
            rule = struct.pack("=Qi", rights & handled[0], descriptor)
            kernel.syscall(_ADD, ruleset, _BENEATH, ctypes.create_string_buffer(rule), 0)
        return 0 if kernel.syscall(_RESTRICT, ruleset, 0) else abi
    finally:
        os.close(ruleset)


def _handled(abi: int, files: bool, network: bool, signals: bool) -> tuple[int, int, int]:
    """Bits of (rights on files; binding 1 and connecting 2 of TCP; abstract sockets 1 and signals 2)."""
    rights = max((count for first, count in _RIGHTS.items() if first <= abi), default=0)
    return (
        (1 << rights) - 1 if files else 0,
        3 if network and abi >= NETWORK else 0,
        network | signals << 1 if abi >= SCOPES else 0,
    )
