"""The same work on Linnet and on a llama-server, in turns, on this machine.

    python benchmarks/against_server.py [--model default] [--threads N] [--rounds 5] [--only decode ...] [--json]

Same file, same threads, same prompts, same numbers of tokens; greedy on both. The server runs in a process of its
own and is asked over HTTP on loopback, Linnet through `LocalModel`. By default it is the one in the package
xllamacpp, whose wheel is compiled for AVX2; `--server BINARY` takes a llama-server of your own build. With
`--encoded` Linnet loads the weights that were made for this machine (`linnet models encode --for-host`).

A gain over 1 says that Linnet is so many times faster: the median over rounds in which both had a turn. What is in
brackets are quartiles.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from linnet.calling.guided import Guide
from linnet.evals.speed import texts
from linnet.evals.speed.bench import versions
from linnet.evals.speed.measure import Measure, Watched, together, watch
from linnet.hardware import governor, probe
from linnet.messages import Message
from linnet.models import store
from linnet.requests import Done, Generate, Segment, Usage
from linnet.runtime.local import LocalModel, open_local
from linnet.runtime.rawloop import Spread, spread
from linnet.tools import Tool

SLOTS, PER_SLOT = 8, 1_536
"""Requests that the server works on at once, and the context of each of them, in tokens."""

PATIENCE = 300.0
"""Seconds without a byte from the server before it is given up."""

CLOCK = time.perf_counter

# --- the server ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A llama-server that listens at `host` and `port`."""

    host: str
    port: int

    def complete(self, prompt: str, tokens: int, **options: Any) -> Watched:
        """A streamed completion of a text."""
        return self._watch("/completion", {"prompt": prompt, "n_predict": tokens, **options})

    def chat(self, text: str, tokens: int) -> Watched:
        """A streamed answer to a message, in the words of the model's own template."""
        messages = [{"role": "user", "content": text}]
        return self._watch("/v1/chat/completions", {"messages": messages, "max_tokens": tokens})

    def _watch(self, path: str, body: dict[str, Any]) -> Watched:
        fixed = {"stream": True, "temperature": 0.0, "cache_prompt": True, "timings_per_token": True}
        data = json.dumps(body | fixed)
        begun = CLOCK()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("POST", path, data, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise SystemExit(f"the server answered {response.status}: {response.read(500).decode()}")
            return _read(response, begun)


def _read(response: http.client.HTTPResponse, begun: float) -> Watched:
    """The events of one answer. How many tokens each stands for is told by the server's own count."""
    arrivals: list[tuple[float, int]] = []
    text, counted, timings = "", 0, {}
    while line := response.readline():
        now = CLOCK()
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        event = json.loads(line[6:])
        timings = event.get("timings") or timings
        text += event.get("content") or _delta(event)
        if (made := int(timings.get("predicted_n", 0))) > counted:
            arrivals.append((now, made - counted))
            counted = made
    kept = int(timings.get("cache_n", 0))
    usage = Usage(kept + int(timings.get("prompt_n", 0)), kept, counted, 0)
    return Watched(begun, tuple(arrivals), CLOCK(), Done(text, usage=usage))


def _delta(event: dict[str, Any]) -> str:
    choices = event.get("choices") or [{}]
    return str((choices[0].get("delta") or {}).get("content") or "")


@contextlib.contextmanager
def serving(path: Path, threads: int, binary: str | None) -> Iterator[Server]:
    """Start a server on a model file, wait until it answers, and end it."""
    context = SLOTS * PER_SLOT
    port = 0
    if binary:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        command = [binary, "-m", str(path), "--host", "127.0.0.1", "--port", str(port), "-t", str(threads)]
        command += ["-c", str(context), "-np", str(SLOTS), "--no-webui"]
    else:
        script = Path(__file__).with_name("llama_server.py")
        command = [sys.executable, str(script), str(path), "--threads", str(threads), "--slots", str(SLOTS)]
        command += ["--context", str(context)]
    out = subprocess.DEVNULL if binary else subprocess.PIPE
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL)
    try:
        if process.stdout:
            address = urlsplit(process.stdout.readline().decode().strip())
            if not address.port:
                raise SystemExit("the server did not start: is xllamacpp installed? pip install 'linnet[dev]'")
            port = address.port
        _await(process, port)
        yield Server("127.0.0.1", port)
    finally:
        process.kill()
        process.communicate()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the server did not start")


# --- the work ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """The two that are compared, and how often each has a turn."""

    model: LocalModel
    server: Server
    rounds: int
    generate: int

    def ask(self, prompt: str, tokens: int) -> Watched:
        return self.watch(Generate((Segment(prompt, False),), max_tokens=tokens))

    def watch(self, request: Generate) -> Watched:
        return watch(self.model, request, CLOCK)

    def turns(self, ours: Callable[[int], Any], theirs: Callable[[int], Any]) -> list[tuple[Any, Any]]:
        """What both made of each round; who begins changes. One more at the start warms up and is left out."""
        found = []
        for i in range(self.rounds + 1):
            if i % 2:
                first = ours(i)
                found.append((first, theirs(i)))
            else:
                second = theirs(i)
                found.append((ours(i), second))
        return found[1:]


def _compared(
    name: str, unit: str, better: str, pairs: list[tuple[float, float]], at: int = 0, note: str = ""
) -> Measure:
    ours, theirs = zip(*pairs, strict=True)
    return Measure(name, unit, ours, better, at, "llama-server", theirs, note=note)


def _rate(seen: Watched) -> float:
    tokens, seconds = seen.streamed()
    return tokens / seconds


def decode(both: Both) -> Iterator[Measure]:
    pairs = both.turns(
        lambda i: _rate(both.ask(texts.story(0), both.generate)),
        lambda i: _rate(both.server.complete(texts.story(0), both.generate)),
    )
    yield _compared("streamed decode", "tok/s", "more", pairs)


def streams(both: Both) -> Iterator[Measure]:
    with ThreadPoolExecutor(SLOTS) as pool:

        def rate(one: Callable[[str, int], Watched]) -> float:
            seen = list(pool.map(lambda number: one(texts.story(number), both.generate), range(SLOTS)))
            tokens, seconds = together(seen)
            return tokens / seconds

        pairs = both.turns(lambda i: rate(both.ask), lambda i: rate(both.server.complete))
    yield _compared("streams together", "tok/s", "more", pairs, SLOTS)


def call(both: Both) -> Iterator[Measure]:
    schema = texts.call_schema()
    said: list[tuple[Watched, Watched]] = both.turns(
        lambda i: both.watch(texts.call(i)),
        lambda i: both.server.complete(texts.call_prompt(texts.wish(i)[0]), 96, json_schema=schema),
    )
    for one in (end for pair in said for end in pair):
        json.loads(one.done.text)
    pairs = [(1_000 * ours.seconds, 1_000 * theirs.seconds) for ours, theirs in said]
    counts = [spread([pair[side].done.usage.generated_tokens for pair in said]).median for side in (0, 1)]
    share = spread([100 * ours.done.usage.forced_tokens / ours.done.usage.generated_tokens for ours, _ in said])
    note = f"{counts[0]:.0f} tokens, {share.median:.0f} % of them forced; the server's {counts[1]:.0f}"
    yield _compared("tool call, tools' prefix kept", "ms", "less", pairs, note=note)


def guided(both: Both) -> Iterator[Measure]:
    """A tool chosen out of four and its arguments, as Linnet's agents do it, and as a server can be made to."""
    guide = Guide(both.model, [Tool.from_schema(**tool) for tool in TOOLS])
    schema = {"anyOf": [_schema(tool) for tool in TOOLS]}
    told = "\n".join(["You call one tool for each request. These are the tools:", *map(json.dumps, TOOLS)])

    def ours(i: int) -> tuple[float, str]:
        started = CLOCK()
        calls = guide.call(texts.wish(i)[0]).calls
        return 1_000 * (CLOCK() - started), calls[0].name if calls else ""

    def theirs(i: int) -> tuple[float, str]:
        prompt = f"{told}\nAnswer with one line of JSON.\nRequest: {texts.wish(i)[0]}\nCall: "
        seen = both.server.complete(prompt, 128, json_schema=schema)
        return 1_000 * seen.seconds, json.loads(seen.done.text)["name"]

    pairs = both.turns(ours, theirs)
    right = [sum(pair[side][1] == "set_lights" for pair in pairs) for side in (0, 1)]
    note = f"the right tool {right[0]} and {right[1]} times of {len(pairs)}"
    yield _compared("tool chosen of four, and called", "ms", "less", [(a[0], b[0]) for a, b in pairs], note=note)


def _property(kind: str, description: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": description, **more}


def _tool(name: str, description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [*properties]}
    return {"name": name, "description": description, "parameters": parameters}


_ROOM = _property("string", "Name of the room.")
TOOLS = (
    _tool(
        "set_lights",
        "Set the brightness and the colour of the lights in a room.",
        room=_ROOM,
        brightness=_property("integer", "Per cent of full brightness.", minimum=0, maximum=100),
        colour=_property("string", "Colour of the light.", enum=list(texts.COLOURS)),
    ),
    _tool(
        "play_music",
        "Play music in a room.",
        room=_ROOM,
        artist=_property("string", "Who is to be heard."),
        volume=_property("integer", "Per cent of full volume."),
    ),
    _tool(
        "set_heating",
        "Set the temperature of the heating in a room.",
        room=_ROOM,
        temperature=_property("number", "Degrees Celsius."),
    ),
    _tool(
        "start_timer",
        "Start a timer.",
        label=_property("string", "What it is for."),
        minutes=_property("integer", "How long."),
    ),
)


def _schema(tool: dict[str, Any]) -> dict[str, Any]:
    properties = {"name": {"const": tool["name"]}, "arguments": {**tool["parameters"], "additionalProperties": False}}
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def prefill(both: Both) -> Iterator[Measure]:
    for length in (512, 1_000):
        # read by both, so that both have the same text
        prompts = [texts.of_length(both.model, length, 91 * length + i)[0].text for i in range(both.rounds + 1)]
        pairs = both.turns(
            lambda i, prompts=prompts: _prefilled(both.ask(prompts[i], 1)),
            lambda i, prompts=prompts: _prefilled(both.server.complete(prompts[i], 1)),
        )
        yield _compared("prefill", "tok/s", "more", pairs, length)


def _prefilled(seen: Watched) -> float:
    return (seen.done.usage.prompt_tokens - seen.done.usage.cached_tokens) / seen.first


def first_token(both: Both) -> Iterator[Measure]:
    text = "Name a colour."
    pairs = both.turns(
        lambda i: 1_000 * both.watch(Generate((Message("user", text),), max_tokens=1)).first,
        lambda i: 1_000 * both.server.chat(text, 1).first,
    )
    yield _compared("first token, asked before", "ms", "less", pairs)


CASES = {
    "decode": decode,
    "call": call,
    "guided": guided,
    "streams": streams,
    "prefill": prefill,
    "first": first_token,
}


# --- the table -----------------------------------------------------------------------------------


def gain(one: Measure) -> Spread:
    """How many times faster than the server, round by round."""
    pairs = zip(one.values, one.against, strict=True)
    return spread([theirs / ours if one.better == "less" else ours / theirs for ours, theirs in pairs])


def row(one: Measure) -> str:
    ours, theirs, times = one.spread, spread(one.against), gain(one)
    cells = [one.label, f"{_number(ours)} {one.unit}", f"{_number(theirs)} {one.unit}"]
    return f"| {' | '.join(cells)} | **{times.median:.2f}** ({times.low:.2f}-{times.high:.2f}) | {one.note} |"


def _number(found: Spread) -> str:
    return f"{found.median:.0f} ({found.low:.0f}-{found.high:.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--encoded", action="store_true", help="Linnet loads the weights made for this machine")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--generate", type=int, default=96, help="tokens of each streamed answer")
    parser.add_argument("--only", nargs="+", choices=[*CASES], default=[*CASES])
    parser.add_argument("--server", metavar="BINARY", help="a llama-server of your own build")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    machine = probe.probe()
    others = [probe.contention(0.2) or 0.0]
    threads = chosen.threads or governor.threads(machine, others[0]).decode
    path = store.locate(chosen.model).path
    measures: list[Measure] = []
    with serving(path, threads, chosen.server) as server:
        encoding: Literal["auto", "original"] = "auto" if chosen.encoded else "original"
        model = open_local(chosen.model, context=4_096, threads=threads, encoding=encoding)
        with contextlib.closing(model):
            if chosen.encoded and not model.capabilities.encoding:
                raise SystemExit("no encoding was made for this machine: linnet models encode --for-host")
            both = Both(model, server, chosen.rounds, chosen.generate)
            if not chosen.json:
                print("| work | linnet | llama-server | gain | note |\n|---|---|---|---|---|", flush=True)
            for name in chosen.only:
                for one in CASES[name](both):
                    measures.append(one)
                    if not chosen.json:
                        print(row(one), flush=True)
                others.append(probe.contention(0.2) or 0.0)
    peer = chosen.server or f"xllamacpp {_version()}"
    if chosen.json:
        told = [one.describe() | {"gain": gain(one).median} for one in measures]
        print(json.dumps({"measures": told, "others": others, "threads": threads, "peer": peer, **versions()}))
        return
    print(f"\n{machine.cpu}, {machine.affinity} cores, {threads} threads; against {Path(peer).name}")
    print(f"others kept up to {max(others):.1f} cores busy; load {' '.join(f'{x:.2f}' for x in os.getloadavg())}")


def _version() -> str:
    from importlib import metadata

    return metadata.version("xllamacpp")


if __name__ == "__main__":
    main()
