"""Ray itself: a cluster of this machine alone, or one that is there; and that nothing leaves the machine unasked.

Ray reads its environment as it is imported, so this module sets it first: no usage statistics, no dashboard, a token
without which nobody on this machine may give the cluster code to run, and the loopback address in place of the
network's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import socket
from collections.abc import Iterator

from linnet.errors import SettingsInvalid
from linnet.limits import LIMITS, MIB

_OBJECTS = 80 * MIB
"""Ray's memory for objects, the least it takes: calls and replies are small."""

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # on a laptop that is busy, a proxy takes longer to import than Ray waits for it, and is begun anew for ever
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "90",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "30",
}
_ALONE = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on Linux too it decides whether nodes have network addresses
    "RAY_worker_niceness": "0",  # Ray's own is 15: beside other work a server of that rank stands still
}


def check_installed() -> None:
    """Raises SettingsInvalid where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise SettingsInvalid("--ray needs the package ray", hint="Install it: pip install 'linnet[ray]'")


def check_there(address: str) -> None:
    """Whether anybody takes connections at `FIRST:6379`: Ray itself asks for over a minute. What is not written as an
    address of a machine (`auto`) is Ray's to find. Raises SettingsInvalid."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon and address in ("auto", "local"):
        return
    hint = "Give the first machine's, as `ray start --head` told it: FIRST:6379."
    if not (host and port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise SettingsInvalid(f"{address[:80]!r} is no address of a cluster", hint=hint, address=address)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=LIMITS.cluster_seconds).close()
    except (OSError, UnicodeError) as error:  # the latter of a name that can be none
        why = getattr(error, "strerror", None) or error
        message = f"nobody takes connections at {address[:80]}: {why}"
        hint = "See that the cluster runs there (`ray status`), and that no firewall stands between."
        raise SettingsInvalid(message, hint=hint, address=address) from error


@contextlib.contextmanager
def cluster(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Within it this process belongs to a cluster: that of `address`, or one of its own with so many cores (None: as
    many as there are). Raises SettingsInvalid where Ray is not installed, cannot be started, or is not there."""
    check_installed()
    alone = address is None
    if address is not None:
        check_there(address)
    for name, value in (_ENVIRONMENT | (_ALONE if alone else {})).items():
        os.environ.setdefault(name, value)
    if alone:
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    own = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _OBJECTS} if alone else {}
    try:
        ray.init(address="local" if alone else address, log_to_driver=False, configure_logging=False, **own)
    except Exception as error:  # of its own kinds, and bare ones
        message = f"Ray cannot be started or joined: {' '.join(str(error).split())[:300]}"
        hint = "See that the cluster runs (`ray status`) and RAY_AUTH_TOKEN is its own, or leave the address out."
        raise SettingsInvalid(message, hint=hint, address=address) from error
    try:
        _end_listener()
        yield
    finally:
        ray.shutdown()


def _end_listener() -> None:
    """Of what Ray prints of errors on other machines, which its logs have too: once the cluster's head was started
    again, its thread asks without a pause for what never comes, for ever, with all of a core."""
    from ray._private.worker import global_worker

    stopped = getattr(global_worker, "threads_stopped", None)  # Ray's own, so it may go
    if stopped is not None:
        stopped.set()
