"""What a server allows: its limits, and where media may come from."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from sensorium.types import InputError

MEBIBYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Safe by default: loopback, no outside media, everything bounded.

    Args:
        host, port: where to listen.
        engine: what writes, for models that the server loads; see `sensorium.engines.make_engine`.
        api_keys: a request must carry one of them as ``Authorization: Bearer KEY``; empty for no such check.
        media_domains: host names that media may be fetched from over http(s); none by default.
        media_path: folder that ``file:`` addresses may name files in; none by default.
        proxies: addresses of reverse proxies, which are believed what ``X-Forwarded-For`` says of the client, and may
            have all connections.
        max_connections: open at the same time; fewer where the system allows fewer.
        client_share: of these, what one address may have.
        head_s: time in which the head of a request must arrive, after a connection was opened or the last answer sent.
        send_s: time for which a client may leave an answer unread.
        body_s: time in which a body must arrive, and a second more for each 32 KiB of it.
        max_body_bytes: of a whole request.
        max_bodies_bytes: of all requests that are in the server at the same time; one client may have half of it.
        max_values: of the JSON of a request: texts, numbers, lists and fields.
        max_media_bytes: of one medium as a file.
        max_decoded_bytes: of one opened medium as an array; a picture takes three bytes a pixel.
        max_characters: of all texts of a request.
        max_parts: of all messages of a request.
        max_tokens: most that one answer may ask for.
        max_answers: most answers, or candidates for ``best_of``, of a request.
        max_queue: most answers that may wait for their turn; more are refused with 429, and so is a client that would
            then have more places than are left.
        max_batch: answers that are written at the same time.
        request_s: time in which a request must be answered, waiting included.
        open_s: time in which a medium must be opened.
        open_cpu_s: computing that opening a medium may take.
        fetch_s: time in which a medium must be fetched.
        worker_bytes: memory of a process that opens media.
        workers: most processes that open media; one client has all but one of them at most.
        fetchers: media that are fetched at the same time; one client has all but one of them at most.
        max_media_waiting: media of one client that may wait to be fetched, or to be opened; more are refused with 429.

    Raises:
        InputError: a key that nobody could send, or that everybody would.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    engine: str = "fast"
    api_keys: tuple[str, ...] = ()
    media_domains: tuple[str, ...] = ()
    media_path: Path | None = None
    proxies: tuple[str, ...] = ()
    max_connections: int = 1024
    client_share: float = 0.25
    head_s: float = 10
    send_s: float = 60
    body_s: float = 30
    max_body_bytes: int = 32 * MEBIBYTE
    max_bodies_bytes: int = 128 * MEBIBYTE
    max_values: int = 200_000
    max_media_bytes: int = 16 * MEBIBYTE
    max_decoded_bytes: int = 128 * MEBIBYTE
    max_characters: int = 400_000
    max_parts: int = 64
    max_tokens: int = 4096
    max_answers: int = 16
    max_queue: int = 128
    max_batch: int = 16
    request_s: float = 300
    open_s: float = 10
    open_cpu_s: float = 5
    fetch_s: float = 10
    worker_bytes: int = 2048 * MEBIBYTE
    workers: int = 3
    fetchers: int = 8
    max_media_waiting: int = 64

    def __post_init__(self) -> None:
        if isinstance(self.api_keys, str):
            raise InputError("api_keys is one text, of which each letter would be a key; give a tuple: (KEY,)")
        for key in self.api_keys:
            if not key or not (key.isascii() and key.isprintable()) or " " in key:
                raise InputError(
                    "an API key is empty or holds blanks or other characters that a header cannot carry; "
                    "give letters, digits and signs, or no key at all"
                )

    @property
    def on_loopback(self) -> bool:
        """Whether nobody but this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and nothing else."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
