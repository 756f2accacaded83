"""Pages are fetched within bounds and from the public web only; what is left out, moved or guessed is said."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from linnet.agent.tools import fetch as fetching
from linnet.agent.tools import web as module
from linnet.agent.tools.fetch import Get, fetch
from linnet.agent.tools.vetting import Reach, is_public, target
from linnet.agent.tools.web import definition, web_fetch
from linnet.errors import ToolDenied, ToolFailed, ToolTimeout
from linnet.limits import LIMITS
from linnet.tools import Permission
from linnet.worker.page import _decoded

Serve = Callable[[Callable[[str], bytes]], str]

PAGE = b"""<html lang=en><head><title>Ducks</title><script>steal()</script></head><body><nav>Home About Login</nav>
<article><h1>Ducks of the park</h1><p>There are forty ducks in the park, and every one of them likes oats. They come
at noon, when the children are there, and leave in the evening.</p></article><footer>Imprint</footer></body></html>"""


def answer(body: bytes, kind: str = "text/plain", *more: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "", ""]).encode() + body


def read(place: str, path: str = "/", **options: Any) -> dict[str, Any]:
    return web_fetch([place], **options).run({"url": f"http://{place}{path}"})  # type: ignore[no-any-return]


# --- what it does --------------------------------------------------------------------------------


def test_the_text_of_a_page(serve: Serve) -> None:
    place = serve(lambda path: answer(PAGE, "text/html; charset=utf-8"))
    found = read(place)
    assert found["title"] == "Ducks of the park" and "forty ducks in the park" in found["text"]
    assert "steal" not in found["text"] and "Login" not in found["text"]
    assert (found["truncated"], found["note"], found["bytes"]) == (False, "", len(PAGE))
    tool = web_fetch([place])
    said = tool.render_answer({"url": "x"}, found)
    assert said is not None and said.startswith(f"http://{place}/:\n")


def test_a_page_without_a_main_part_is_said_to_be_all(serve: Serve) -> None:
    found = read(serve(lambda path: answer("<p>Käse".encode("latin-1"), "text/html; charset=iso-8859-1")))
    assert found["text"] == "Käse" and "this is all of the page's text" in found["note"]


def test_plain_text_and_json(serve: Serve) -> None:
    place = serve(lambda path: answer(b'{"a": "b"}\0', "application/json"))
    assert read(place)["text"] == '{"a": "b"}'
    place = serve(lambda path: answer("Käse".encode("utf-16"), "text/plain; charset=utf-16"))
    assert read(place)["text"] == "Käse"
    place = serve(lambda path: answer(b"a\xff", "text/plain; charset=nonsense"))
    assert read(place)["text"] == "a\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("charset", ["punycode", "IDNA", "unicode-escape", "raw_unicode_escape", "undefined"])
def test_what_is_no_charset_of_a_page_is_not_obeyed(serve: Serve, charset: str) -> None:
    """Some of them take a time that grows with the square of the page."""
    words = r"\x41 caf\u00e9 a-b-c xn--caf-dma"
    assert read(serve(lambda path: answer(words.encode(), f"text/plain; charset={charset}")))["text"] == words
    assert _decoded(words.encode(), charset) == words.encode(), "the parser finds out from the page itself"


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "application/pdf", "", "nonsense"])
def test_what_is_no_text(serve: Serve, kind: str) -> None:
    with pytest.raises(ToolFailed, match="only text is read"):
        read(serve(lambda path: answer(b"x", kind)))


def test_gzip_is_unpacked(serve: Serve) -> None:
    place = serve(lambda path: answer(gzip.compress(b"ducks" * 50_000), "text/plain", "Content-Encoding: gzip"))
    assert read(place)["bytes"] == 250_000


def test_long_texts_are_cut_and_said_so(serve: Serve) -> None:
    most = LIMITS.page_chars
    assert not read(serve(lambda path: answer(b"x" * most)))["truncated"]
    found = read(serve(lambda path: answer(b"x" * (most + 1))))
    assert len(found["text"]) == most and found["truncated"] and "the first 65,536 of 65,537" in found["note"]


# --- bounds --------------------------------------------------------------------------------------


def test_the_size_of_a_page_and_one_more(serve: Serve) -> None:
    def body(path: str) -> bytes:
        return answer(b"x" * (LIMITS.fetch_bytes + int(path[1:])))

    place = serve(body)
    assert read(place, "/0")["bytes"] == LIMITS.fetch_bytes
    with pytest.raises(ToolFailed, match="over the limit in size"):
        read(place, "/1")


def test_the_redirects_and_one_more(serve: Serve) -> None:
    def onward(path: str) -> bytes:
        left = int(path[1:])
        return answer(b"", "text/plain", f"Location: /{left - 1}", status="302 Found") if left else answer(b"there")

    place = serve(onward)
    found = read(place, f"/{LIMITS.fetch_hops}")
    assert found["text"] == "there" and len(found["hops"]) == LIMITS.fetch_hops + 1
    assert f"it came from http://{place}/0" in found["note"]
    with pytest.raises(ToolFailed, match="over 5 redirects"):
        read(place, f"/{LIMITS.fetch_hops + 1}")


def test_an_address_and_one_character_more() -> None:
    url = "https://example.org/" + "x" * (LIMITS.fetch_url_chars - 20)
    assert target(url).path
    with pytest.raises(ToolFailed, match="over 2,048 characters"):
        target(url + "x")


def test_the_deadline_is_for_all_of_it(serve: Serve, torture: Callable[[str], ModuleType]) -> None:
    tries, passed, _ = torture("tools_web").bomb_case(seed=7, seconds=0.3)
    assert passed == tries


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def late(listener: socket.socket) -> bytes:
    """What a server hears of a page whose time is over before its handshake."""
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ToolTimeout):
        fetch(Get(f"https://{place}/", Reach(frozenset({place})), seconds=2.5))
    line, _ = listener.accept()
    with line:
        line.settimeout(60)
        return line.recv(100)


def test_no_handshake_begins_after_the_deadline(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.create_connection

    def slowly(*given: Any) -> socket.socket:
        time.sleep(2.6)
        return connect(*given)

    monkeypatch.setattr(fetching.socket, "create_connection", slowly)
    assert late(listener) == b""


def test_the_clock_that_strikes_while_a_line_is_wrapped(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the plain line is gone and the other not there yet: there is nothing to shut."""
    wrapped = fetching._trusted().wrap_socket

    class Slow:
        def wrap_socket(self, line: socket.socket, **given: Any) -> socket.socket:
            made = wrapped(line, **{**given, "do_handshake_on_connect": False})
            time.sleep(2.6)
            if given.get("do_handshake_on_connect", True):
                made.do_handshake()
            return made

    monkeypatch.setattr(fetching, "_trusted", Slow)
    assert late(listener) == b""


def test_a_handshake_that_drips(listener: socket.socket) -> None:
    """A record of 16 kB, a byte at a time."""
    ended = threading.Event()

    def drip() -> None:
        line, _ = listener.accept()
        with line, contextlib.suppress(OSError):
            line.sendall(b"\x16\x03\x03\x40\x00")
            while not ended.wait(0.02):
                line.sendall(b"\x02")

    server = threading.Thread(target=drip)
    server.start()
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        with pytest.raises(ToolTimeout):
            fetch(Get(f"https://{place}/", Reach(frozenset({place})), seconds=2.5))
        server.join(60)
        assert not server.is_alive(), "the line was left open"
    finally:
        ended.set()


def test_a_name_server_that_does_not_answer() -> None:
    with pytest.raises(ToolTimeout):
        fetch(Get("http://slow.example.org/", seconds=0.1), lambda host, port: [str(threading.Event().wait(5))])


def test_the_time_that_its_text_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    from linnet.runtime.page import text_of

    with pytest.raises(ToolTimeout, match="not found within"):
        text_of(b"<p>Some text and more of it.</p>" * 20_000, seconds=0.01)


def test_a_header_goes_to_the_first_host_only(serve: Serve) -> None:
    heard: list[bytes] = []

    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    class Line(fetching._Connection):
        def send(self, data: Any) -> None:
            heard.append(bytes(data))
            super().send(data)

    place = serve(
        lambda path: answer(b"", "text/plain", "Location: /b", status="301 Moved") if path == "/a" else answer(b"x")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "_Connection", Line)
        fetch(Get(f"http://{place}/a", Reach(frozenset({place})), headers={"X-Key": "secret"}), resolve)
    assert b"secret" in heard[0] and b"secret" not in heard[1] and b"Cookie" not in b"".join(heard)


# --- where it may go -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("example.org", "https://example.org/"),
        ("HTTP://Example.ORG.:80/A?b=c#d", "http://example.org/A?b=c"),
        ("https://example.org:8443", "https://example.org:8443/"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
        ("http://[2606:4700::1111]/", "http://[2606:4700::1111]/"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        ("https://example.org/%2e%2e/?q=%20", "https://example.org/%2e%2e/?q=%20"),
    ],
)
def test_addresses_have_one_form(url: str, found: str) -> None:
    assert target(url).url == found


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "8.8.8.8", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::1"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert Reach().vet(target("https://example.org"), address)


@pytest.mark.parametrize(
    ("ours", "near", "far"),
    [
        ("93.184.215.14", "93.184.215.14", "93.184.215.15"),
        ("2606:4700:1:2::1", "2606:4700:1:2:ffff::9", "2606:4700:1:3::1"),
        ("2606:4700:1:2::1", "2606:4700:1:2::1", "93.184.215.14"),
    ],
)
def test_this_machine_and_its_own_network_are_not_the_web(
    ours: str, near: str, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = ipaddress.ip_address(ours)
    monkeypatch.setattr(fetching, "_source", lambda address: here)
    with pytest.raises(ToolDenied, match="this machine or its own network"):
        fetch(Get("https://example.org"), lambda host, port: [far, near])
    assert Reach().vet(target("https://example.org"), far, lambda address: here)
    assert Reach(frozenset({"example.org"})).vet(target("https://example.org"), near, lambda address: here)


def test_which_own_address_a_connection_would_come_from() -> None:
    loop = ipaddress.ip_address("127.0.0.1")
    assert fetching._source(loop) == loop
    assert fetching._source(ipaddress.ip_address("255.255.255.255")) is None


def test_a_name_with_one_private_address_is_refused() -> None:
    with pytest.raises(ToolDenied, match=r"10\.0\.0\.1, which is not on the public internet"):
        fetch(Get("https://example.org"), lambda host, port: ["93.184.215.14", "10.0.0.1"])


def test_only_the_ports_of_the_web_unless_it_is_allowed() -> None:
    for url in ("http://example.org:22/", "https://example.org:6379/"):
        with pytest.raises(ToolDenied, match="not a port of the web"):
            fetch(Get(url), lambda host, port: ["93.184.215.14"])
    Reach(frozenset({"example.org:22"})).check(target("http://example.org:22"))
    with pytest.raises(ToolDenied):
        Reach(frozenset({"example.org"})).check(target("http://example.org:22"))


def test_a_host_that_the_user_allows_and_no_other(serve: Serve) -> None:
    place = serve(lambda path: answer(b"mine"))
    with pytest.raises(ToolDenied) as caught:
        web_fetch().run({"url": f"http://{place}/"})
    assert "not a port of the web" in caught.value.message and "[tools.web] hosts" in caught.value.hint
    assert read(place)["text"] == "mine"
    with pytest.raises(ToolDenied):
        web_fetch([place]).run({"url": f"http://localhost:{place.split(':')[1]}/"})


def test_from_https_to_http_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_hop", lambda get, here, *others: target("http://example.org/"))
    with pytest.raises(ToolDenied, match="from https to http"):
        fetch(Get("https://example.org/"))


@pytest.mark.parametrize("case", ["spelling_case", "redirect_case"])
def test_no_spelling_leads_inside(torture: Callable[[str], ModuleType], case: str) -> None:
    tries, passed, _ = getattr(torture("tools_web"), case)(seed=5)
    assert passed == tries > 100


def test_no_answer_of_a_name_server_leads_inside(torture: Callable[[str], ModuleType]) -> None:
    tries, passed, _ = torture("tools_web").rebinding_case(seed=5, tries=40)
    assert passed == tries


def test_proxies_of_the_environment_are_not_used(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert read(serve(lambda path: answer(b"direct")))["text"] == "direct"


# --- the tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("fetch: example.org", "example.org"),
        ("Read the page https://example.org/news?a=1.", "https://example.org/news?a=1"),
        ("please open www.example.com", "www.example.com"),
        ("read notes.txt", None),
        ("open the pod bay doors", None),
    ],
)
def test_rules(text: str, url: str | None) -> None:
    matched = definition().match(text)
    assert matched == (url and {"url": url})


def test_the_definition_is_short() -> None:
    tool = definition()
    assert tool.permissions == {Permission.NETWORK} and len(tool.description) < 40 and tool.function is None
    assert replace(tool, function=None) is not None and module.LIMITS is LIMITS


def test_connecting_has_a_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    def refuse(address: Any, timeout: float) -> None:
        given.append(timeout)
        raise OSError("refused")

    monkeypatch.setattr(fetching.socket, "create_connection", refuse)
    for seconds in (LIMITS.fetch_connect_seconds + 1, LIMITS.fetch_connect_seconds - 1):
        with pytest.raises(ToolFailed, match="refused"):
            fetch(Get("http://93.184.215.14/", seconds=seconds))
    assert given[0] == LIMITS.fetch_connect_seconds and given[1] < LIMITS.fetch_connect_seconds


def test_the_memory_that_its_text_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    from linnet.runtime import page

    monkeypatch.setattr(page, "LIMITS", replace(LIMITS, page_memory=1 << 20))
    with pytest.raises(ToolFailed, match="cannot be read"):
        page.text_of(b"<p>Some text and more of it.</p>" * 100_000)
