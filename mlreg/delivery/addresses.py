"""Which addresses a request may go to: those of the open internet, and those that the user allows.

Whoever can add a hook must not reach, through whoever delivers it, what only they can: services of
their machine and network, or the metadata of a cloud. So a name is resolved once, all that it
stands for is looked at, and the connection goes to just that.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from mlreg.errors import InvalidInput
from mlreg.names import safe

# As `socket.getaddrinfo` resolves a host and port.
Resolve = Callable[..., list[Any]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 2000
PORTS = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[!-~]+")
# Older Pythons know fewer networks that are not public than are registered at the IANA, and one
# address is public by its number, and the host's own services in one cloud.
_NEVER = [ipaddress.ip_network(text) for text in ("192.0.0.0/24", "168.63.129.16/32")]
_UNICAST = ipaddress.ip_network("2000::/3")
# Networks of IPv6 whose addresses hold one of IPv4, and where in it.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class Place(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    path: str


class Refused(Exception):
    """Why an address is not reached."""


def parse(url: str) -> Place:
    """The parts of an address.

    Raises:
        InvalidInput: It is no http or https address, or holds a password.
    """
    hint = "write it like https://example.com/hooks"
    if len(url) > LONGEST or not _PLAIN.fullmatch(url):
        raise InvalidInput(
            f"an address is up to {LONGEST:,} ASCII characters, no spaces", hint=hint
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in PORTS or not host or port == 0:
        raise InvalidInput("a hook needs an address with http:// or https:// and a host", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "an address with a user or password would be kept in the registry",
            hint="give it as --url env:NAME, and set that variable where it is delivered",
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port or PORTS[parts.scheme], path)


def masked(url: str) -> str:
    """An address without what may be secret in it: often the path is."""
    place = parse(url)
    host = f"[{place.host}]" if ":" in place.host else place.host
    port = "" if place.port == PORTS[place.scheme] else f":{place.port}"
    return f"{place.scheme}://{host}{port}/" + ("…" if place.path != "/" else "")


class Allowed:
    """What a user lets requests reach although it is not of the open internet.

    Args:
        text: Names of hosts, addresses and networks, with commas between them.
    """

    def __init__(self, text: str) -> None:
        self._names: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for word in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(word.strip("[]"), strict=False))
            except ValueError:
                self._names.add(word)

    def name(self, host: str) -> bool:
        """Whether a host is allowed by its name, whatever that stands for."""
        return host.lower() in self._names

    def address(self, address: Address) -> bool:
        """Whether an address is public, or allowed by its number."""
        return all(
            _is_public(one) or any(one in network for network in self._networks)
            for one in _meant(address)
        )


def check_place(place: Place, allowed: Allowed) -> None:
    """Refuse a place whose host is a number that must not be reached; names are not looked up.

    Raises:
        InvalidInput: It must not.
    """
    try:
        address = ipaddress.ip_address(place.host)
    except ValueError:
        return
    if not (allowed.name(place.host) or allowed.address(address)):
        raise InvalidInput(str(_refusal(place, address)), hint=_hint(place))


def reachable(
    place: Place, allowed: Allowed, resolve: Resolve = socket.getaddrinfo
) -> list[tuple[int, Any]]:
    """The family and socket address of all that a place stands for.

    Raises:
        Refused: One of them must not be reached.
        OSError: The name stands for nothing.
    """
    found = resolve(place.host, place.port, type=socket.SOCK_STREAM)
    for *_, where in found:
        address = ipaddress.ip_address(where[0])
        if not (allowed.name(place.host) or allowed.address(address)):
            raise _refusal(place, address)
    return [(family, where) for family, *_, where in found]


def _refusal(place: Place, address: Address) -> Refused:
    named = "" if place.host == str(address) else f"{safe(place.host)} is "
    return Refused(f"{named}{address}, which is not on the open internet")


def _hint(place: Place) -> str:
    return f"if it is meant: mlreg config allow_hosts {place.host}, which is kept with your own"


def _meant(address: Address) -> Iterator[Address]:
    """An address, and the one of IPv4 that it leads to, if it does."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:
            yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
            if inner is not None:
                yield inner


def _is_public(address: Address) -> bool:
    is_wrapped = isinstance(address, ipaddress.IPv6Address) and (
        address in _TRANSLATED or address.ipv4_mapped is not None
    )
    if is_wrapped:
        return True  # what counts is the address in it
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_global and address in _UNICAST
    is_odd = address.is_multicast or address.is_reserved
    return address.is_global and not is_odd and not any(address in one for one in _NEVER)
