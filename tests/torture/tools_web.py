"""Addresses, redirects and bodies that try to reach what a page fetch may not: none may connect, overflow or hang.

    python tests/torture/tools_web.py --seed 1

Three cases: spellings of addresses of this machine and its network; names and redirects that lead there (rebinding
too); bodies that unpack, drip, lie or never end. A listener on loopback counts who connects.
"""

# ruff: noqa: E501  tables of cases read better wide

from __future__ import annotations

import argparse
import contextlib
import gzip
import ipaddress
import random
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from linnet.agent.tools.fetch import Get, fetch
from linnet.agent.tools.vetting import Reach, is_public
from linnet.errors import ToolError

SECRET = b"the canary is yellow"

SPELLINGS = (
    "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7F.1", "017700000001",
    "0177.0.0.1", "0177.1", "00000177.1", "127.000.000.001", "127.0.0.1.", "127.0.0.1..", "4294967297", "0x17f000001",
    "0b1111111000000000000000000000001", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[::127.0.0.1]", "[::7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[fe80::1]", "[fe80::1%25lo]", "[::1%25lo]", "[fe80::5efe:127.0.0.1]", "[2001:470::5efe:7f00:1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[100::1]",
    "[2001:db8::1]", "[fec0::1]", "[5f00::1]", "[3fff::1]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain",
    "printer.local", "intranet", "router.lan", "metadata.google.internal", "metadata.google.internal.", "169.254.169.254",
    "0xA9FEA9FE", "2852039166", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "100.100.100.200", "192.0.0.192", "168.63.129.16", "10.0.0.1",
    "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1", "100.64.0.1", "198.18.0.1", "192.0.2.1",
    "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "0.1.2.3",
    "user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1@example.com", "user:pass@localhost", "example.com:80@127.0.0.1",
    "１２７.０.０.１", "127。0。0。1", "127．0．0．1", "①②⑦.⓪.⓪.①", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "loc\u00adalhost", "local\u200bhost", "loc%61lhost", "%31%32%37.0.0.1",
    "127.0.0.1%00.example.com", "127.0.0.1%23.example.com", "127.0.0.1#@example.com", "127.0.0.1\\@example.com", "127.0.0.1?@example.com",
    "example.com\\@127.0.0.1", "127.0.0.1\t", "127.0.0.1\n.example.com", "127.0.0.1:80:80", "[::1]:80:80", "[127.0.0.1]", "[localhost]", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1",
    "127.0.0.1:２２", "example.com:22", "example.com:25", "example.com:6379", "-oProxyCommand=x", "", ".", "..", "a..b", "xn--", "xn--a", "a" * 64 + ".com", "a." * 150 + "com", "_", "*", "localhost,example.com",
    "127.0.0.1/@example.com", "[v1.x]", "[::1", "::1", "1.1.1.1 &@127.0.0.1", "127.1.1.1:80\\@127.2.2.2:80/", "spoofed.burpcollaborator@127.0.0.1",
)  # fmt: skip
"""Hosts, with whatever else stands in their place, behind `http://`."""

OTHERS = (
    "file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:6379/_PING", "dict://127.0.0.1:11211/stat", "data:text/plain,x",
    "javascript:alert(1)", "ldap://127.0.0.1/", "jar:http://x!/", "http:127.0.0.1", "http:/127.0.0.1", "http:///127.0.0.1", "//127.0.0.1/",
    "\\\\127.0.0.1\\x", "http:\\\\127.0.0.1", "HTTP://127.0.0.1", "hTTps://LOCALHOST", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "view-source:http://127.0.0.1", "http://", "https://", "", " ", "http://127.0.0.1 http://example.com", "x" * 3000,
)  # fmt: skip
"""Whole addresses."""


class Listener:
    """Counts connections on a port of loopback, IPv4 and IPv6 both where there is one."""

    def __init__(self) -> None:
        self.met = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port = int(self._sockets[0].getsockname()[1])
        with contextlib.suppress(OSError):
            self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for one in self._sockets:
            threading.Thread(target=self._listen, args=(one,), daemon=True).start()

    def _listen(self, one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = one.accept()
                self.met += 1
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + SECRET)
                connection.close()

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def no_names(host: str, port: int) -> list[str]:
    """Nobody outside is asked: numbers are themselves, and every other name is an address of the public net that nobody
    is to connect to."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return ["127.0.0.1"]  # the worst that a name server can say


def refused(url: str, listener: Listener, reach: Reach = Reach()) -> str:  # noqa: B008  a frozen value
    """What is wrong with how a fetch of it ended; "" for nothing."""
    started = time.monotonic()
    try:
        got = fetch(Get(url, reach, seconds=2), no_names)
    except ToolError:
        pass
    except Exception as error:
        return f"{url!r} raised {type(error).__name__}: {error}"
    else:
        return f"{url!r} gave {got.body[:40]!r}"
    if listener.met:
        return f"{url!r} connected"
    return f"{url!r} took long" if time.monotonic() - started > 12 else ""


def spelling_case(seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds)"""
    rng, listener = random.Random(seed), Listener()
    urls = [
        f"{scheme}{host}{port}/"
        for host in SPELLINGS
        for scheme in ("http://", "https://", "")
        for port in ("", f":{listener.port}")
    ]
    urls += [*OTHERS, *(_mixed(address, rng) for address in _private(rng, 300))]
    return _counted(urls, listener)


def _counted(urls: list[str], listener: Listener) -> tuple[int, int, float]:
    passed, worst = 0, 0.0
    for url in urls:
        started = time.monotonic()
        fault = refused(url, listener)
        worst = max(worst, time.monotonic() - started)
        passed += not fault
        if fault:
            print(fault)
    listener.close()
    return len(urls), passed, worst


def _private(rng: random.Random, count: int) -> Iterator[ipaddress.IPv4Address]:
    while count:
        address = ipaddress.IPv4Address(rng.getrandbits(32))
        if not is_public(address):
            count -= 1
            yield address


def _mixed(address: ipaddress.IPv4Address, rng: random.Random) -> str:
    """A private address in a spelling of its own."""
    parts = [rng.choice(("{}", "{:#x}", "0{:o}", "{:#X}")).format(byte) for byte in address.packed]
    whole = int(address)
    forms = (
        ".".join(parts),
        str(whole),
        hex(whole),
        f"0{whole:o}",
        f"[::ffff:{address}]",
        f"[64:ff9b::{address}]",
        f"[2002:{whole >> 16:x}:{whole & 0xFFFF:x}::1]",
        f"{address}.",
    )
    return f"http://{rng.choice(forms)}/"


# --- redirects and rebinding ---------------------------------------------------------------------


@contextlib.contextmanager
def serving(answer: Callable[[str, socket.socket], None]) -> Iterator[int]:
    """A server on loopback; `answer(path, connection)` for every connection. Yields its port."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.2)
    ended = threading.Event()

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head and (block := connection.recv(65_536)):
                head += block
            answer(head.split(b" ")[1].decode(), connection)

    def accept() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                connection, _ = server.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        ended.set()
        thread.join()
        server.close()


def redirect_case(seed: int = 1) -> tuple[int, int, float]:
    """(tries, passed, worst seconds): an allowed server sends on to every spelling."""
    rng, listener = random.Random(seed), Listener()
    targets = (
        [f"http://{host}:{listener.port}/" for host in SPELLINGS]
        + [f"//{host}/" for host in SPELLINGS[:40]]
        + list(OTHERS)
    )
    rng.shuffle(targets)
    usable = [each for each in targets if each.isascii() and each.isprintable() and each.strip()]

    def answer(path: str, connection: socket.socket) -> None:
        if not path[1:].isdigit():  # where a relative address led: this server, which is allowed
            connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
            return
        where = usable[int(path[1:])]
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())

    passed, worst = 0, 0.0
    with serving(answer) as port:
        reach = Reach(frozenset({f"127.0.0.1:{port}"}))
        for number in range(len(usable)):
            started = time.monotonic()
            fault = refused(f"http://127.0.0.1:{port}/{number}", listener, reach)
            worst = max(worst, time.monotonic() - started)
            passed += not fault
            if fault:
                print(f"to {usable[number]!r}: {fault}")
    listener.close()
    return len(usable), passed, worst


def rebinding_case(seed: int = 1, tries: int = 200) -> tuple[int, int, float]:
    """(tries, passed, worst seconds): a name server that says another thing every time, several addresses at once too."""
    rng, passed, worst, listener = random.Random(seed), 0, 0.0, Listener()
    answers = [
        ["127.0.0.1"],
        ["192.0.2.1", "127.0.0.1"],
        ["127.0.0.1", "192.0.2.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fe80::1%lo"],
        [],
    ]
    for _ in range(tries):

        def resolve(host: str, port: int) -> list[str]:
            return rng.choice(answers)

        started = time.monotonic()
        try:
            fetch(Get("http://rebind.example.com/", seconds=2), resolve)
            fault = "it was fetched"
        except ToolError:
            fault = "it connected" if listener.met else ""
        worst = max(worst, time.monotonic() - started)
        passed += not fault
        if fault:
            print(fault)
    listener.close()
    return tries, passed, worst


# --- bodies --------------------------------------------------------------------------------------

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
_BOMB = gzip.compress(b"\0" * 50_000_000)


def _endless(piece: bytes, pause: float = 0.0) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return send


def _then(head: bytes, more: Callable[[socket.socket], None] | None = None) -> Callable[[socket.socket], None]:
    def send(connection: socket.socket) -> None:
        connection.sendall(head)
        if more is not None:
            more(connection)

    return send


BOMBS: dict[str, Callable[[socket.socket], None]] = {
    "a body without end": _then(_OK + b"\r\n", _endless(b"x" * 65_536)),
    "chunks without end": _then(
        _OK + b"Transfer-Encoding: chunked\r\n\r\n", _endless(b"1000\r\n" + b"x" * 4_096 + b"\r\n")
    ),
    "a huge chunk": _then(_OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", _endless(b"x" * 65_536)),
    "a chunk size that drips": _then(_OK + b"Transfer-Encoding: chunked\r\n\r\n", _endless(b"0", 0.05)),
    "trailers without end": _then(_OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", _endless(b"A: b\r\n", 0.01)),
    "a gzip bomb": _then(_OK + b"Content-Encoding: gzip\r\n\r\n" + _BOMB),
    "a gzip bomb in chunks": _then(
        _OK
        + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        + f"{len(_BOMB):x}\r\n".encode()
        + _BOMB
        + b"\r\n0\r\n\r\n"
    ),
    "a bomb in a bomb": _then(_OK + b"Content-Encoding: gzip, gzip\r\n\r\n" + gzip.compress(_BOMB)),
    "an unknown packing": _then(_OK + b"Content-Encoding: br\r\n\r\nxx"),
    "a broken packing": _then(_OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8bnothing of the kind"),
    "half a packing": _then(_OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"x" * 9_999)[:-9]),
    "a length that lies": _then(_OK + b"Content-Length: 99999\r\n\r\nshort"),
    "a length of 2**63": _then(_OK + b"Content-Length: 9223372036854775808\r\n\r\n", _endless(b"x" * 65_536)),
    "a body that drips": _then(_OK + b"\r\n", _endless(b"x", 0.05)),
    "a head that drips": _then(b"HTTP/1.1 200 OK\r\nA: ", _endless(b"x", 0.05)),
    "a head without end": _then(b"HTTP/1.1 200 OK\r\n", _endless(b"A: b\r\n")),
    "a line without end": _then(b"HTTP/1.1 200 OK\r\nA: ", _endless(b"x" * 65_536)),
    "continue without end": _endless(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
    "silence": lambda connection: time.sleep(8),
    "nothing": lambda connection: None,
    "no HTTP": _then(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "a status of its own": _then(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "no page": _then(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "an error": _then(b"HTTP/1.1 500 \x1b[31mred\r\n\r\n"),
    "a circle": _then(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
}


def bomb_case(seed: int = 1, seconds: float = 1.5) -> tuple[int, int, float]:
    """(tries, passed, worst seconds): every body ends in an error of ours, in time, and in bounded memory."""
    import resource

    names = sorted(BOMBS)
    random.Random(seed).shuffle(names)
    passed, worst = 0, 0.0

    def answer(path: str, connection: socket.socket) -> None:
        BOMBS[names[int(path.strip("/") or number)]](connection)

    number = 0
    with serving(answer) as port:
        reach = Reach(frozenset({f"127.0.0.1:{port}"}))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for number, name in enumerate(names):
            started = time.monotonic()
            try:
                got = fetch(Get(f"http://127.0.0.1:{port}/{number}", reach, seconds=seconds))
                fault = f"it was taken for a page: {got.body[:40]!r}"
            except ToolError:
                fault = ""
            took = time.monotonic() - started
            worst = max(worst, took)
            if took > seconds + 10:  # of a busy machine
                fault = f"it took {took:.1f} s"
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before > 32 * 1_024:
                fault = "it took over 32 MiB"
            passed += not fault
            if fault:
                print(f"{name}: {fault}")
    return len(names), passed, worst


CASES = {
    "SSRF spellings": spelling_case,
    "SSRF redirects": redirect_case,
    "SSRF rebinding": rebinding_case,
    "fetch bombs": bomb_case,
}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    whole = True
    for name, case in CASES.items():
        tries, passed, worst = case(given.seed)
        print(f"{name}: {passed} of {tries} held, worst {worst:.2f} s")
        whole = whole and passed == tries
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
