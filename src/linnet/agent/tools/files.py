"""Three tools that read below one folder, and nowhere else: list, read, search.

Hides how a path is kept inside. One descriptor of the root is held; every open starts from it and is resolved
by the kernel with openat2 (Linux 5.6), RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS: there is no check that a
race could slip past. BENEATH, not NO_SYMLINKS: a link that stays inside (`latest -> v2`) is the owner's own
way to name a file, and one that leads out fails in the kernel, however it is swapped. Where openat2 is absent,
the path is walked one component at a time with O_NOFOLLOW, and then no link at all is followed, nor `..`.

Covered: `..`, absolute paths, links that lead out or are swapped during the call, /proc links, NUL bytes;
FIFOs, sockets and devices (opened without blocking, then refused); binary, huge and deep content, each bounded
by linnet.limits, and what is cut is said in the result. Names are shown with control, invisible and undecodable
characters escaped.
Not covered: what the owner of the root put there by hard link or mount is inside; who may write in the root may
change files between two calls; a line over 64 KiB is searched in pieces; files with escaped names cannot be read.
"""

from __future__ import annotations

import codecs
import ctypes
import errno
import fnmatch
import heapq
import io
import json
import os
import stat
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from linnet.errors import ToolDenied, ToolFailed, ToolInvalid
from linnet.limits import LIMITS
from linnet.tool import Permission, Rule, Tool, tool

