"""A private PostgreSQL for the tests: its own cluster in a new folder, on a free port, as nobody; ended by its id.

    with cluster() as address: ...   # "postgresql://boss@127.0.0.1:PORT/postgres", a superuser

The programs are Debian's (`apt-get install postgresql`), and are installed if they are missing and we are root.
Raises `Missing` where they cannot be had.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Missing(Exception):
    """There is no PostgreSQL here, and none can be had."""


def programs() -> Path:
    """The folder of the newest `initdb` and `postgres`."""
    found = _found()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(install, env=environment, capture_output=True, timeout=300, check=False)
        found = _found()
    if found is None:
        raise Missing("there is no PostgreSQL: apt-get install postgresql")
    return found


def _found() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """The address of a superuser's connection."""
    where = programs()
    folder = Path(tempfile.mkdtemp(prefix="linnet-postgres-", dir="/tmp"))
    who = _somebody()
    try:
        if who:
            shutil.chown(folder, who["user"])
        data, port = folder / "data", _free_port()
        make = [where / "initdb", "-D", data, "-U", "boss", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(make, cwd=folder, capture_output=True, timeout=60, check=True, **who)
        server = subprocess.Popen(
            [where / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **who,
        )
        try:
            _wait(port, server)
            yield f"postgresql://boss@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            server.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def processes(address: str) -> list[int]:
    """Those of the cluster of that address, the server itself first."""
    port = address.rpartition(":")[2].partition("/")[0].encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if words[0].endswith(b"/postgres") and port in words:
                children = (folder / "task" / folder.name / "children").read_text()
                return [int(folder.name), *map(int, children.split())]
    raise Missing("it has ended")


def _somebody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Missing("there is no account that PostgreSQL could run as")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise Missing("PostgreSQL did not start")
