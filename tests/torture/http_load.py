"""Crowds at `linnet serve` over the real model: streams held, a burst over the queue, idle connections.

    python tests/torture/http_load.py --streams 64 --burst 2000 --idle 1000

Without --url a server is started, with four seats. Every answer is counted once; a stream is whole only with its
`[DONE]`. Exits with 1 where one is not, where anything but exactly the overflow is refused, or where health with all
connections open takes over 250 ms at the 99th percentile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

CHAT = "/v1/chat/completions"
DEADLINE = 600.0
"""Seconds that a request has, the wait for its turn included."""


@contextmanager
def server(url: str) -> Iterator[str]:
    if url:
        yield url
        return
    command = [sys.executable, "-m", "linnet", "serve", "--port", "0", "--json", "--at-once", "4"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(60)


class Client:
    """Plain HTTP/1.1 on a connection of its own for each request."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, str]:
        """Status and all that follows it."""
        reader, writer = await self.open()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.read(-1)).decode()
        writer.close()
        return int(answer.split()[1]) if answer else 0, answer


def chat(tokens: int, stream: bool) -> bytes:
    messages = [{"role": "user", "content": "Count from one to twenty."}]
    return json.dumps({"messages": messages, "max_tokens": tokens, "stream": stream}).encode()


async def streams(client: Client, count: int) -> list[str]:
    done = await asyncio.gather(*(client.ask("POST", CHAT, chat(24, True)) for _ in range(count)))
    whole = [status == 200 and "data: [DONE]" in text for status, text in done]
    print(f"{count} streams: {sum(whole)} whole, {Counter(status for status, _ in done)}")
    return [] if all(whole) else ["a stream was not whole"]


async def burst(client: Client, count: int, queue: int = 512) -> list[str]:
    """All at once. While they arrive some are answered, so that more than the queue holds can be let in."""
    lock = asyncio.Semaphore(400)  # connects at once: the kernel's own queue is no subject here

    async def one() -> tuple[int, str]:
        async with lock:
            reader, writer = await client.open()
        body = chat(1, False)
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = (await reader.read(-1)).decode()
        writer.close()
        return int(answer.split()[1]) if answer else 0, answer

    started = time.monotonic()
    done = await asyncio.gather(*(one() for _ in range(count)))
    counted = Counter(status for status, _ in done)
    # what waited for its whole deadline says so: on a machine that has no time for it
    late = counted[504] if time.monotonic() - started > DEADLINE else 0
    for text in [text for status, text in done if status not in (200, 503, 504 if late else 0)][:5]:
        print("FAULT", text[-400:])
    patient = all("retry-after:" in text.lower() for status, text in done if status == 503)
    print(f"burst of {count}: {dict(counted)}, each refusal says when to come back: {patient}")
    answered = counted[200] + late
    good = answered + counted[503] == count and answered >= min(count, queue) and patient
    return [] if good else ["a burst was not answered as it should be"]


async def idle(client: Client, count: int) -> list[str]:
    """Connections that have asked once and stay."""
    held = []
    for _ in range(count):
        reader, writer = await client.open()
        writer.write(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"]}")
        held.append((reader, writer))
    seconds = []
    for _ in range(200):
        started = time.monotonic()
        status, _ = await client.ask("GET", "/health")
        seconds.append(time.monotonic() - started if status == 200 else float("inf"))
    seconds.sort()
    middle, p99 = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99) - 1]
    print(f"health beside {len(held)} idle connections: median {middle * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms")
    for _, writer in held:
        writer.close()
    return [] if p99 <= 0.25 else ["health was late"]


async def run(url: str, given: argparse.Namespace) -> list[str]:
    client = Client(url)
    await client.ask("GET", "/health")
    faults = await streams(client, given.streams) if given.streams else []
    faults += await burst(client, given.burst) if given.burst else []
    faults += await idle(client, given.idle) if given.idle else []
    status, text = await client.ask("GET", "/health")
    print(f"health at the end: {status}")
    return [*faults, *([] if status == 200 and '"running":0' in text else ["it is not as before"])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--burst", type=int, default=2_000)
    parser.add_argument("--idle", type=int, default=1_000)
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with server(given.url) as url:
        faults = asyncio.run(run(url, given))
    for fault in faults:
        print("FAULT", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
