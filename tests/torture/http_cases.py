"""The API: crowds and strange bodies against a server over the real model, and the tests of slow clients."""

from __future__ import annotations

from harness import of_pytest, of_script

LOAD = "http_load.py"

of_script("strange bodies", "API", "strange_bodies.py", "--bodies", engine="real", full=5_000, bounded=True)
of_script(
    "streams over HTTP", "API", LOAD, "--streams", "--burst", "0", "--idle", "0", engine="real", full=64, seed=""
)
of_script(
    "burst over HTTP", "API", LOAD, "--burst", "--streams", "0", "--idle", "0", engine="real", full=2_000, seed=""
)
of_script(
    "idle connections", "API", LOAD, "--idle", "--streams", "0", "--burst", "0", engine="real", full=1_000, seed=""
)
of_pytest("slow clients", "API", "tests/interfaces/http/test_bounds.py")
