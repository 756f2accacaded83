"""Which address a tool may connect to: policy on URLs and IP addresses, without any network.

Hides the spellings. A host that is a number in any form that a resolver takes (decimal, octal, hexadecimal, short) is
refused as a name, and what a name resolves to is judged by its bits: only global unicast addresses pass, with every
embedded IPv4 address (mapped, compatible, 6to4, Teredo, NAT64) judged as well.

Covered: private, loopback, link-local, metadata, shared (CGNAT), multicast, reserved, documentation and benchmarking
ranges, this machine's own public addresses and its own network of IPv6, zone ids, userinfo, control and invisible
characters, ports that are not the web's, hosts that the user allows. Not covered: a public address that forwards to a
private one (a proxy of the owner's own network).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from linnet.errors import ToolDenied, ToolFailed
from linnet.limits import LIMITS

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Source = Callable[[Address], Address | None]
"""Where a connection to an address would come from, of this machine's own addresses; None where none would do."""

_PORTS = {"http": 80, "https": 443}
_NUMERIC = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]*))*\.?")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "home.arpa", "onion")
"""Last labels of names that are nobody's in the public tree (RFC 6761, 6762, 8375, and usage)."""

_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3",
            "168.63.129.16/32", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
            "fc00::/7", "fe80::/9", "ff00::/8",
        ),
    )
)  # fmt: skip
"""Beside what `ipaddress` calls not global, and for Pythons that know fewer: IANA's special-purpose registries, and
the host address of a large cloud, which is public by its bits."""


@dataclass(frozen=True)
class Target:
    """A web address in its one form: `host` in lower case ASCII without a final dot, `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Reach:
    """What may be connected to beside the public web on its own ports: `hosts`, as `name` or `name:port`, whatever
    they resolve to."""

    hosts: Collection[str] = field(default=())

    def allows(self, target: Target) -> bool:
        """Whether the user named this host."""
        default = target.port == _PORTS[target.scheme]
        return target.place in self.hosts or (default and target.host in self.hosts)

    def check(self, target: Target) -> None:
        """Raises ToolDenied for a name or port that is refused before anything is looked up."""
        if self.allows(target):
            return
        if target.port not in _PORTS.values():
            raise _denied(target, f"port {target.port} is not a port of the web")
        if _address(target.host) is None and ("." not in target.host or target.host.endswith(_LOCAL_ENDS)):
            raise _denied(target, "it is a name of a local network")

    def vet(self, target: Target, address: str, source: Source = lambda address: None) -> Address:
        """The address, if it may be connected to for that target. Raises ToolDenied."""
        found = ipaddress.ip_address(address.partition("%")[0])
        if self.allows(target):
            return found
        if not is_public(found):
            raise _denied(target, f"it leads to {found}, which is not on the public internet")
        ours = source(found)
        if ours is not None and is_near(found, ours):
            raise _denied(target, f"it leads to {found}, which is this machine or its own network")
        return found


_LOCAL_ENDS = tuple(f".{label}" for label in _LOCAL)


def target(url: str, base: Target | None = None) -> Target:
    """A URL as it is meant; a redirect's may be relative to `base`. Without a scheme it is https.

    Raises ToolFailed for what is no web address, ToolDenied for one that hides where it leads.
    """
    text = url.strip()
    if len(text) > LIMITS.fetch_url_chars:
        raise ToolFailed(f"the address has over {LIMITS.fetch_url_chars:,} characters", limit=LIMITS.fetch_url_chars)
    if any(not letter.isprintable() or letter.isspace() or letter == "\\" for letter in text):
        raise ToolDenied("the address has a space, backslash or invisible character in it")
    if base is not None:
        text = urljoin(base.url, text)
    elif "://" not in text:
        text = f"https://{text.removeprefix('//')}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ToolFailed(f"{_short(text)} is no web address: {error}") from error
    if parts.scheme not in _PORTS:
        raise ToolDenied(f"{_short(text)} is neither http nor https")
    if "@" in parts.netloc:
        raise ToolDenied(f"{_short(text)} has a user name in it")
    path = "".join(_path(parts.path or "/", parts.query))
    return Target(parts.scheme, _host(parts.hostname or ""), _PORTS[parts.scheme] if port is None else port, path)


def _path(path: str, query: str) -> Iterator[str]:
    from urllib.parse import quote

    yield quote(path, safe="/%:@!$&'()*+,;=~-._")
    if query:
        yield "?" + quote(query, safe="/%:@!$&'()*+,;=~-._?[]|")


def _host(host: str) -> str:
    """In lower case ASCII (IDNA 2008), or an IP address in its usual form."""
    host = host.removesuffix(".")
    if "%" in host:
        raise ToolDenied(f"{_short(host)} has an escape or a zone in its host name")
    address = _address(host)
    if address is not None:
        return str(address)
    if _NUMERIC.fullmatch(host):
        raise ToolDenied(f"{_short(host)} is a number in place of a host name")
    if not host.isascii():
        import idna

        try:
            host = idna.encode(host, uts46=True).decode()
        except (idna.IDNAError, UnicodeError) as error:
            raise ToolFailed(f"{_short(host)} is no host name") from error
        if _NUMERIC.fullmatch(host):
            raise ToolDenied(f"{_short(host)} is a number in place of a host name")
    host = host.lower()
    if not host or len(host) > 253 or not all(map(_LABEL.fullmatch, host.split("."))):
        raise ToolFailed(f"{_short(host) or 'nothing'} is no host name")
    return host


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_near(address: Address, ours: Address) -> bool:
    """Whether a public address is this machine's own, or in the network of 64 bits that one of its own is in."""
    return address == ours or (address.version == ours.version == 6 and int(address) >> 64 == int(ours) >> 64)


def is_public(address: Address) -> bool:
    """Whether it is a global unicast address, and every IPv4 address inside it too."""
    if isinstance(address, ipaddress.IPv6Address) and address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    if any(address.version == net.version and address in net for net in _REFUSED):
        return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    if int(address) >> 125 != 0b001:
        return False  # global unicast is 2000::/3; all other bits are somebody's private matter
    return all(is_public(inner) for inner in _inside(address))


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _inside(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFFFF_FFFF in (0x5EFE, 0x0200_5EFE):  # ISATAP (RFC 5214)
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _denied(target: Target, why: str) -> ToolDenied:
    hint = "If it is meant, allow the host by name in the settings: [tools.web] hosts."
    return ToolDenied(f"{_short(target.place)} is not fetched: {why}", hint=hint, host=target.host, port=target.port)


def _short(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])
