"""What a child may touch. The caller chooses it here; the child applies it to itself before it loads.

Covered: opening, listing, making or changing any file; TCP, UDP and UNIX sockets; running programs;
signalling or tracing other processes; gaining privileges; writing files and core dumps; the caller's
environment (a child's is empty) and descriptors (it inherits the pipe and the files that it works on, nothing
else). Of those files a child opens again what its native code takes by path only, and nothing beside.

Not covered: reading its own memory and the model file it was given; processor time, which deadlines and the
progress watchdog bound from outside; side channels of shared hardware; a kernel without Landlock or seccomp,
where `Ready.missing` says what could not be enforced and `required` refuses to start.
"""

from __future__ import annotations

from linnet.limits import Sandbox


def for_model(*, required: bool = False) -> Sandbox:
    """For the model worker: everything it needs was opened for it."""
    return Sandbox(required=required)


def for_encoding(file_bytes: int, memory: int, *, required: bool = False) -> Sandbox:
    """For re-encoding a model: it opens two files that it was handed again, by descriptor, and fills one of them."""
    return Sandbox(file_bytes=file_bytes, memory=memory, required=required)


def for_comparing(file_bytes: int = 0, *, required: bool = False) -> Sandbox:
    """For computing a model's predictions: as for the worker, and the file that they are written to may grow."""
    return Sandbox(file_bytes=file_bytes, required=required)


def for_rendering(*, required: bool = False) -> Sandbox:
    """For chat templates: nothing at all; the child bounds its own memory."""
    return Sandbox(required=required)


def for_page(memory: int, *, required: bool = False) -> Sandbox:
    """For finding the text of a web page, which it was handed: nothing beside."""
    return Sandbox(memory=memory, required=required)


def for_python(memory: int) -> Sandbox:
    """For Python that a model wrote: nothing at all, and never with less than that."""
    return Sandbox(memory=memory, required=True)
