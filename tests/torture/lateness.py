"""How late a server's event loop is, seen from outside: it is asked for nothing much, fifty times a second.

    python tests/torture/lateness.py http://127.0.0.1:8177 PID [KEY]    # ends with its standard input; prints JSON

`p99` is of the answers, in seconds; `own` is the same less what the server's threads, and this one, waited for a
processor meanwhile (the kernel counts it): that much is the machine's doing, and not the server's.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

EVERY = 0.02


def main() -> int:
    url, pid, key = (*sys.argv[1:], "")[:3]
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answered, own = [], []
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        before, asked = waited(pid, "self"), time.monotonic()
        try:
            connection.request("GET", "/v1/models", headers=headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            connection.close()
            continue
        answered.append(time.monotonic() - asked)
        own.append(max(0.0, answered[-1] - between(before, waited(pid, "self"))))
    connection.close()
    print(json.dumps({"looks": len(answered), "p99": _late(answered), "own": _late(own)}))
    return 0


def waited(*pids: object) -> dict[str, float]:
    """Seconds for which each thread of these processes was ready to run and had no processor."""
    found = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
    return found


def between(before: dict[str, float], now: dict[str, float]) -> float:
    """Seconds that were waited between two looks, by all threads together; by new ones since they began."""
    return sum(seconds - before.get(name, 0.0) for name, seconds in now.items())


def _late(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * (len(seconds) - 1))] if seconds else 0.0


if __name__ == "__main__":
    sys.exit(main())
