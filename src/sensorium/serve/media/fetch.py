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
import threading
from concurrent.futures import Future
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from time import monotonic
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from sensorium.serve.media.turns import Turns
from sensorium.serve.settings import Settings
from sensorium.source import from_data_uri, too_large
from sensorium.types import InputError

REDIRECTS = 3
AT_ONCE = 100_000
"""Characters of a data URI that are unpacked in less time than a thread takes to be waited for."""
CHUNK_BYTES = 65536
LATE_S = 1
"""After the time of a fetch is over: in it, its thread says so, unless it hangs in the system's resolver."""
MORE_S = 0.05
"""For what a host sends beyond the length that it told; most have closed the connection by then."""
PORTS = {"http": 80, "https": 443}


class Fetcher:
    """Gets the bytes that addresses of media stand for. Every fetch from the network has a thread, and they are few."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._turns = Turns(settings.fetchers, settings.max_media_waiting)

    async def load(self, url: str, client: str = "") -> bytes:
        """The bytes that a URL of a medium stands for.

        Args:
            client: who asks; clients take turns.

        Raises:
            InputError: the URL is not allowed, cannot be reached, is damaged, cut short or too large.
            ApiError: 429, the client has too many media waiting.
        """
        settings = self._settings
        scheme = url[:20].partition(":")[0].lower()
        if scheme == "data":
            if len(url) > AT_ONCE:
                return await asyncio.to_thread(from_data_uri, url, limit=settings.max_media_bytes)
            return from_data_uri(url, limit=settings.max_media_bytes)
        if scheme in PORTS and settings.media_domains:
            return await self._fetched(url, client)
        if scheme == "file" and settings.media_path is not None:
            return await asyncio.to_thread(_from_file, url, settings.media_path, settings.max_media_bytes)
        raise InputError(f"media are taken as data URIs here (data:TYPE;base64,...), not from {url[:60]!r}")

    async def _fetched(self, url: str, client: str) -> bytes:
        """Its place is taken until the thread has ended, which a name that is never resolved may hold up for long."""
        await self._turns.take(client)
        loop, deadline, result = asyncio.get_running_loop(), Deadline(self._settings.fetch_s), Future[bytes]()

        def work() -> None:
            if result.set_running_or_notify_cancel():
                try:
                    result.set_result(_fetch(url, self._settings, deadline))
                except BaseException as error:
                    result.set_exception(error)
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(self._turns.give_back, client)

        threading.Thread(target=work, name="sensorium-fetch", daemon=True).start()
        ending = loop.call_later(self._settings.fetch_s, deadline.expire)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(result), self._settings.fetch_s + LATE_S)
        except TimeoutError:
            raise InputError(f"{url[:100]!r} cannot be fetched (it takes too long); send a data URI") from None
        finally:
            ending.cancel()
            deadline.expire()  # nobody waits for it any longer


class Deadline:
    """When a fetch must be over. Then its socket is shut, which wakes the thread that waits at it."""

    def __init__(self, seconds: float):
        self._at, self._over = monotonic() + seconds, False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds; TimeoutError when there are none."""
        left = self._at - monotonic()
        if left <= 0 or self._over:
            raise TimeoutError
        return left

    def watch(self, connection: socket.socket | None) -> None:
        """The socket to shut from now on."""
        with self._lock:
            self._socket = connection
            self.left()

    def close(self, connection: socket.socket) -> None:
        """Close a socket, not while it is being shut: its number may be another's by then."""
        with self._lock:
            self._socket = None
            connection.close()

    def expire(self) -> None:
        with self._lock:
            self._over = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # beneath TLS, which another thread uses


def _from_file(url: str, folder: Path, limit_bytes: int) -> bytes:
    try:
        parts = urlsplit(url)
        path = (folder / unquote(parts.path)).resolve()
        if parts.netloc not in ("", "localhost") or not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise ValueError("outside")
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except (
        OSError,
        RuntimeError,
        ValueError,
    ) as error:  # a name too long, a null byte, links in a ring, ...
        raise InputError(f"{url[:100]!r} names no file in the folder that this server takes media from") from error
    if len(data) > limit_bytes:
        raise too_large("a medium", limit_bytes)
    return data


def _fetch(url: str, settings: Settings, deadline: Deadline) -> bytes:
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

    def __init__(self, target: SplitResult, deadline: Deadline):
        host, port = str(target.hostname), PORTS[target.scheme]
        self._deadline = deadline
        self.socket = socket.create_connection((_address(host, port), port), timeout=deadline.left())
        try:
            if target.scheme == "https":
                # An end that TLS does not confirm may be a cut: it is an error.
                self.socket = ssl.create_default_context().wrap_socket(
                    self.socket, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
                )
            deadline.watch(self.socket)
            if isinstance(self.socket, ssl.SSLSocket):
                self.socket.do_handshake()
        except BaseException:
            deadline.close(self.socket)
            raise

    def __enter__(self) -> socket.socket:
        return self.socket

    def __exit__(self, *_: object) -> None:
        self._deadline.close(self.socket)


def _ask(connection: socket.socket, target: SplitResult) -> HTTPResponse:
    client = HTTPConnection(str(target.hostname))
    client.sock = connection
    path = (target.path or "/") + (f"?{target.query}" if target.query else "")
    client.request(
        "GET", path, headers={"Accept-Encoding": "identity", "User-Agent": "sensorium", "Connection": "close"}
    )
    return client.getresponse()


def _body(answer: HTTPResponse, url: str, deadline: Deadline, limit_bytes: int, connection: socket.socket) -> bytes:
    """All of the body: as many bytes as were told, or up to the last chunk, or to the end of the connection."""
    if answer.status != 200:
        raise InputError(f"{url[:100]!r} answers with status {answer.status} instead of a medium")
    told = _told_bytes(answer, url)
    answer.length = None  # counted here: http.client takes a body that ends early for whole
    chunks: list[bytes] = []
    size = 0
    while size != told and (chunk := _chunk(answer, connection, deadline.left())):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise too_large("a medium", limit_bytes)
    deadline.left()  # a socket that was shut at the deadline ends as one that was closed by the host
    if told is not None and (size != told or _has_more(answer, connection)):
        raise InputError(f"{url[:100]!r} sends other than the {told} bytes that it tells; send a data URI")
    return b"".join(chunks)


def _told_bytes(answer: HTTPResponse, url: str) -> int | None:
    """What a body without chunks says of its length; None where it says nothing."""
    encodings, lengths = (answer.headers.get_all(name, []) for name in ("Transfer-Encoding", "Content-Length"))
    wrong = len(set(lengths)) > 1 or not all(length.strip().isdecimal() for length in lengths)
    if wrong or (encodings and not answer.chunked):
        raise InputError(f"{url[:100]!r} does not tell plainly how long the medium is; send a data URI")
    return None if answer.chunked else answer.length


def _chunk(answer: HTTPResponse, connection: socket.socket, seconds: float) -> bytes:
    connection.settimeout(seconds)
    return answer.read1(CHUNK_BYTES)


def _has_more(answer: HTTPResponse, connection: socket.socket) -> bool:
    try:
        return bool(_chunk(answer, connection, MORE_S))
    except OSError:  # nothing comes, or an end without a word
        return False
