"""A server over the scripted engine, in a process that tells its address as `linnet serve --json` does.

python tests/torture/api_server.py '{"actions": [{"do": "echo"}], "seconds_per_token": 0.01}' --at-once 1
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from linnet.agent.agent import Agent
from linnet.interfaces.http import serve
from linnet.interfaces.http.app import application
from linnet.interfaces.http.auth import Keys
from linnet.interfaces.http.guard import Door
from linnet.interfaces.http.service import Service
from linnet.protocol import Load
from linnet.runtime.supervisor import Supervisor
from linnet.script import Script

CONFTEST = Path(__file__).parents[1] / "interfaces" / "http" / "conftest.py"


def scripted() -> Any:
    """The Model of the tests over that engine."""
    spec = importlib.util.spec_from_file_location("http_conftest", CONFTEST)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Scripted


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("script", help="a Script as JSON")
    options.add_argument("--at-once", type=int, default=8)
    options.add_argument("--key", default="")
    given = options.parse_args()
    script = TypeAdapter(Script).validate_json(given.script)
    supervisor = Supervisor(Load(script=script))
    service = Service({"default": scripted()(supervisor)}, at_once=given.at_once)
    door = Door(keys=Keys((given.key,) if given.key else ()))

    def ready() -> None:
        print(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}", "pid": os.getpid()}), flush=True)

    with serve.bound(door, 0) as listening:
        app = application(service, door, lambda model, approve: Agent((), model, approve=approve))
        serve.serve(app, service, listening, ready)
    supervisor.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
