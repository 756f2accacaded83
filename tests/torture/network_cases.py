"""P11: nothing leaves the machine unasked: every socket of a session is watched, by Python and by the kernel."""

from __future__ import annotations

import subprocess
import sys

from harness import Trial, case, expect

WATCHED = """
import os, sys
seen = []

def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo",
                 "socket.gethostbyname", "socket.gethostbyaddr", "urllib.Request", "http.client.connect"):
        seen.append(f"{event} {arguments[1:]}")

sys.addaudithook(watch)
import socket
from pathlib import Path
from linnet import Agent, tool
from linnet.runtime import child

@tool
def set_alarm(time: str) -> str:
    "Sets an alarm."
    return f"alarm at {time}"

home = Path(sys.argv[1])
(home / "notes.txt").write_text("Pigeons are birds. See http://127.0.0.1:9/x and https://example.org/.")
inet = []

def look():
    "Internet sockets of this process and its children, as the kernel has them."
    held = {os.readlink(f"/proc/{pid}/fd/{fd}") for pid in (os.getpid(), *child.running())
            for fd in os.listdir(f"/proc/{pid}/fd") if os.path.lexists(f"/proc/{pid}/fd/{fd}")}
    for table in ("tcp", "tcp6", "udp", "udp6", "raw"):
        path = Path(f"/proc/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            if f"socket:[{line.split()[9]}]" in held:
                inet.append(f"{table} {line.split()[1:4]}")

with Agent([set_alarm], root=home, memory=home / "m.db", cache=home / "c.db", answer_tokens=8) as agent:
    for text in ("What is 17 times 24?", "Wake me with an alarm at 7 am", "Which of my files mentions pigeons?",
                 "Fetch https://example.org/ and http://169.254.169.254/latest for me", "Who are you?"):
        agent.run(text, run_id=f"r{abs(hash(text))}")
        look()
    agent.model.health(probe=True)
    look()
print(repr(seen + inet))
"""


@case("no network", "Network", small=1, real=5)
def a_whole_session_opens_no_connection(trial: Trial) -> None:
    """Tools, files, memory, cache, journal, model, free text with addresses in it: not one socket is connected."""
    for number in trial.rounds():
        with trial.attempt():
            folder = trial.folder / str(number)
            folder.mkdir()
            environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "HF_TOKEN": "hf_never"}
            command = [sys.executable, "-c", WATCHED, str(folder)]
            ran = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, text=True, timeout=300, check=False
            )
            expect(ran.returncode == 0, ran.stderr[-300:])
            expect(ran.stdout.strip().splitlines()[-1] == "[]", f"seen: {ran.stdout[-300:]}")


WATCHER_SEES = """
import sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event == "socket.connect" else None)
import socket
try:
    socket.create_connection(("127.0.0.1", 9), 1)
except OSError:
    pass
print(seen)
"""


@case("watcher", "Network", small=1, plain=1)
def the_watcher_would_see_a_connection(trial: Trial) -> None:
    """Else the case above could not fail."""
    with trial.attempt():
        ran = subprocess.run([sys.executable, "-c", WATCHER_SEES], capture_output=True, text=True, check=True)
        expect(ran.stdout.strip() == "['socket.connect']", ran.stdout)
