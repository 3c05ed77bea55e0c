"""Where media may come from: data URIs, and nothing else unless the server was told so.

Hosts must be named by ``--allow-media-domain``. A name is resolved once, every address it stands for must be a public
one, and the connection goes to the address that was checked, so that a DNS answer that changes in between changes
nothing. Each redirect goes through the same door.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Coroutine
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from sensorium.serve.settings import Settings
from sensorium.source import from_data_uri, too_large
from sensorium.types import InputError

REDIRECTS = 3
CHUNK_BYTES = 65536
LATE_S = 1
PORTS = {"http": 80, "https": 443}


async def load(url: str, settings: Settings) -> bytes:
    """The bytes that a URL of a medium stands for.

    Raises:
        InputError: the URL is not allowed, cannot be reached, is damaged or too large.
    """
    scheme = url[:20].partition(":")[0].lower()
    if scheme == "data":
        return from_data_uri(url, limit=settings.max_media_bytes)
    if scheme in PORTS and settings.media_domains:
        return await _in_time(asyncio.to_thread(_fetch, url, settings), url, settings.fetch_s + LATE_S)
    if scheme == "file" and settings.media_path is not None:
        return await asyncio.to_thread(_from_file, url, settings.media_path, settings.max_media_bytes)
    raise InputError(f"media are taken as data URIs here (data:TYPE;base64,...), not from {url[:60]!r}")


async def _in_time(work: Coroutine[Any, Any, bytes], url: str, seconds: float) -> bytes:
    """A name that is resolved for ever, or headers that never end, hold up a thread and not the request."""
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        raise InputError(f"{url[:100]!r} cannot be fetched (it takes too long); send a data URI") from None


def _from_file(url: str, folder: Path, limit_bytes: int) -> bytes:
    try:
        parts = urlsplit(url)
        path = (folder / unquote(parts.path)).resolve()
        if parts.netloc not in ("", "localhost") or not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise ValueError("outside")
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except (OSError, ValueError) as error:  # also a name too long, a null byte, no right to read
        raise InputError(f"{url[:100]!r} names no file in the folder that this server takes media from") from error
    if len(data) > limit_bytes:
        raise too_large("a medium", limit_bytes)
    return data


def _fetch(url: str, settings: Settings) -> bytes:
    deadline = monotonic() + settings.fetch_s
    for _ in range(REDIRECTS + 1):
        target = _checked(url, settings)
        try:
            with _connect(target, deadline) as connection, _ask(connection, target) as answer:
                if answer.status not in (301, 302, 303, 307, 308):
                    return _body(answer, url, deadline, settings.max_media_bytes, connection)
                url = urljoin(url, answer.headers.get("Location", ""))
        except InputError:
            raise
        except (OSError, HTTPException, ValueError) as error:  # no route, bad certificate, no HTTP, too slow
            raise InputError(f"{url[:100]!r} cannot be fetched ({type(error).__name__}); send a data URI") from error
    raise InputError(f"the medium is behind more than {REDIRECTS} redirects; give its last address")


def _checked(url: str, settings: Settings) -> SplitResult:
    """The parts of a URL whose host is allowed."""
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port
    except ValueError as error:
        raise InputError(f"{url[:100]!r} is not an address") from error
    known = target.scheme in PORTS and port in (None, PORTS.get(target.scheme)) and target.username is None
    if not known or host not in settings.media_domains:
        raise InputError(f"media are not fetched from {url[:100]!r}; send a data URI, or ask the server's owner")
    return target


def _address(host: str, port: int) -> str:
    """The address to connect to; every address the name stands for must be public."""
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not is_public(address):
            raise InputError(f"{host!r} leads into a private network, from which media are not fetched")
    return found[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also when it is an IPv4 address in IPv6's clothes."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


class _connect:
    """A connection to the checked address of a URL; the certificate is checked against the name."""

    def __init__(self, target: SplitResult, deadline: float):
        host, port = str(target.hostname), PORTS[target.scheme]
        self.socket = socket.create_connection((_address(host, port), port), timeout=_left(deadline))
        if target.scheme == "https":
            try:
                self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=host)
            except OSError:
                self.socket.close()
                raise

    def __enter__(self) -> socket.socket:
        return self.socket

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _ask(connection: socket.socket, target: SplitResult) -> HTTPResponse:
    client = HTTPConnection(str(target.hostname))
    client.sock = connection
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    client.request(
        "GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "sensorium", "Connection": "close"}
    )
    return client.getresponse()


def _body(answer: HTTPResponse, url: str, deadline: float, limit_bytes: int, connection: socket.socket) -> bytes:
    if answer.status != 200:
        raise InputError(f"{url[:100]!r} answers with status {answer.status} instead of a medium")
    chunks: list[bytes] = []
    size = 0
    while chunk := _chunk(answer, connection, deadline):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise too_large("a medium", limit_bytes)
    return b"".join(chunks)


def _chunk(answer: HTTPResponse, connection: socket.socket, deadline: float) -> bytes:
    connection.settimeout(_left(deadline))
    return answer.read1(CHUNK_BYTES)
