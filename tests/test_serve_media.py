"""Where media may come from, and what a bad one can do: nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from serving import as_uri, ask, picture, png, running, tiny_assistant
from toys import Toy

from sensorium import plugins
from sensorium.serve.http.errors import ApiError
from sensorium.serve.media import fetch
from sensorium.serve.media.fetch import Fetcher
from sensorium.serve.media.workers import Workers
from sensorium.serve.settings import Settings
from sensorium.source import from_data_uri
from sensorium.types import InputError


def load(url: str, **settings) -> bytes:
    return asyncio.run(Fetcher(Settings(**settings)).load(url))


def test_data_uris_are_read():
    assert load(as_uri(b"abc")) == b"abc"
    assert load("data:text/plain;charset=utf-8;base64,YW\nJj") == b"abc"
    assert load("data:,a%20b") == b"a b"


def test_a_large_data_uri_is_unpacked_beside_the_loop(monkeypatch):
    threads = []

    def unpacked(url: str, limit: int) -> bytes:
        threads.append(threading.current_thread())
        return from_data_uri(url, limit=limit)

    monkeypatch.setattr(fetch, "from_data_uri", unpacked)
    assert load("data:," + "%41" * 50_000) == b"A" * 50_000
    assert load("data:,%41") == b"A"
    assert threads[0] is not threading.main_thread() and threads[1] is threading.main_thread()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,####", "base64"),
        ("data:image/png;base64,A", "base64"),
        ("data:image/png;base64,é", "base64"),
        (as_uri(b"a" * 101), "100 bytes"),
        ("data:," + "a" * 400, "100 bytes"),
        ("data:," + "%41" * 101, "100 bytes"),
        ("http://example.com/a.png", "data URIs"),
        ("https://example.com/a.png", "data URIs"),
        ("file:///etc/passwd", "data URIs"),
        ("/etc/passwd", "data URIs"),
        ("../../etc/passwd", "data URIs"),
        ("ftp://example.com/a", "data URIs"),
        ("", "data URIs"),
        ("\0", "data URIs"),
    ],
)
def test_nothing_else_is_taken_by_default(url, words):
    with pytest.raises(InputError, match=words):
        load(url, max_media_bytes=100)


def test_files_only_below_the_allowed_folder(tmp_path):
    inside = tmp_path / "media"
    inside.mkdir()
    (inside / "a b.png").write_bytes(b"inside")
    (tmp_path / "secret.png").write_bytes(b"outside")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    (inside / "ring.png").symlink_to(inside / "ring.png")
    os.mkfifo(inside / "pipe.png")
    for url in (f"file://{inside}/a%20b.png", "file:a%20b.png", f"file://localhost{inside}/a b.png"):
        assert load(url, media_path=inside) == b"inside"
    for url in (
        f"file://{tmp_path}/secret.png",
        f"file://{inside}/../secret.png",
        "file:../secret.png",
        "file:%2e%2e/secret.png",
        f"file://{inside}/link.png",
        "file:ring.png",
        "file:ring.png/a.png",
        "file:pipe.png",
        "file:~nobody/a.png",
        "file:%ff%fe",
        "file:\ud800",
        "file:///etc/passwd",
        f"file://{inside}",
        f"file://elsewhere{inside}/a%20b.png",
        "file:" + "a" * 5000,
        "file:a%00b",
        "file://[",
    ):
        with pytest.raises(InputError):
            load(url, media_path=inside)
    with pytest.raises(InputError, match="3 bytes"):
        load("file:a%20b.png", media_path=inside, max_media_bytes=3)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_private_addresses_are_known(address):
    assert not fetch.is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_known(address):
    assert fetch.is_public(address)


class Site(BaseHTTPRequestHandler):
    """``/to/URL`` redirects, ``/slow`` drips, ``/big`` never ends, anything else is a small body."""

    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(404 if self.path == "/missing" else 200)
        self.end_headers()
        try:
            if self.path in ("/slow", "/big"):
                for _ in range(200):
                    self.wfile.write(b"a" * (10_000 if self.path == "/big" else 1))
                    time.sleep(0.05 if self.path == "/slow" else 0)
            self.wfile.write(b"medium")
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    """A web site of the host ``site.example``, on the loopback address, which passes for a public one here."""
    server = HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setitem(fetch.PORTS, "http", server.server_port)
    public, asked = {"127.0.0.1": True}, []
    names = {"site.example": "127.0.0.1", "other.example": "127.0.0.1", "inside.example": "10.0.0.7"}

    def resolve(host, port, *_, **__):
        if host not in names.values():
            asked.append(host)
        if host not in (*names, *names.values()):
            raise socket.gaierror("no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (names.get(host, host), port))]

    genuine = fetch.is_public
    monkeypatch.setattr(fetch.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetch, "is_public", lambda address: public.get(address) or genuine(address))
    yield asked
    server.shutdown()
    server.server_close()


ALLOWED = {"media_domains": ("site.example", "inside.example", "gone.example")}


def test_a_named_host_is_asked_and_its_name_resolved_once(site):
    assert load("http://site.example/a.png?b=c", **ALLOWED) == b"medium"
    assert load("HTTP://SITE.example/a.png", **ALLOWED) == b"medium"
    assert load("http://site.example/to/http://site.example/a", **ALLOWED) == b"medium"
    assert load("http://site.example/to//a", **ALLOWED) == b"medium"
    assert len(site) == 1 + 1 + 2 + 2, "once for every hop"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://other.example/a", "not fetched"),
        ("http://inside.example/a", "private network"),
        ("http://site.example/to/http://inside.example/a", "private network"),
        ("http://site.example/to/http://other.example/a", "not fetched"),
        ("http://site.example/to/http://127.0.0.1/a", "not fetched"),
        ("http://site.example/to/file:///etc/passwd", "not fetched"),
        ("http://site.example/to/data:,abc", "not fetched"),
        ("http://site.example./a", "not fetched"),
        ("http://127.0.0.1/a", "not fetched"),
        ("http://2130706433/a", "not fetched"),
        ("http://[::1]/a", "not fetched"),
        ("http://[", "not an address"),
        ("http://site.example:99999/a", "not an address"),
        ("http://site.example:22/a", "not fetched"),
        ("http://site.example@other.example/a", "not fetched"),
        ("http://user:word@site.example/a", "not fetched"),
        ("http://site.example.other.example/a", "not fetched"),
        ("http://site.example/a b\r\nX: y", "cannot be fetched"),
        ("http://gone.example/a", "cannot be fetched"),
        ("http://site.example/missing", "status 404"),
        ("http://site.example/big", "1000000 bytes"),
        ("http://site.example/slow", "cannot be fetched"),
    ],
)
def test_tricks_with_addresses_fail(site, url, words):
    with pytest.raises(InputError, match=words):
        load(url, **ALLOWED, max_media_bytes=1_000_000, fetch_s=1)


def test_a_name_that_is_never_resolved_is_given_up(monkeypatch):
    answered = threading.Event()
    monkeypatch.setattr(fetch.socket, "getaddrinfo", lambda *_, **__: (answered.wait(60), 1 / 0))
    monkeypatch.setattr(fetch, "LATE_S", 0)

    async def use():
        try:
            with pytest.raises(InputError, match="takes too long"):
                await Fetcher(Settings(fetch_s=0.1, **ALLOWED)).load("http://site.example/a")
        finally:
            answered.set()

    asyncio.run(use())


def test_redirects_in_a_circle_end(site):
    with pytest.raises(InputError, match="redirects"):
        load("http://site.example" + "/to/http://site.example" * 6 + "/a", **ALLOWED)


def with_workers(use, **settings):
    async def run():
        workers = Workers(Settings(**settings))
        try:
            return await use(workers)
        finally:
            await workers.close()

    return asyncio.run(run())


def test_a_worker_opens_media_and_outlives_bad_ones():
    async def use(workers):
        array = (await workers.open("image", png(20, (1, 2, 3)))).array
        (first,) = workers.pids
        for bad in (b"", b"not a picture", png()[:-30], b"RIFF" * 100):
            with pytest.raises(InputError):
                await workers.open("image", bad)
        assert workers.pids == [first]
        return array

    array = with_workers(use, workers=1)
    assert array.shape == (20, 20, 3)
    assert (array == np.array([1, 2, 3])).all()


def test_a_killed_worker_fails_its_medium_and_is_replaced():
    async def use(workers):
        await workers.open("image", png())
        (first,) = workers.pids
        os.kill(first, signal.SIGSTOP)  # it cannot finish before it is killed
        waiting = asyncio.ensure_future(workers.open("image", png()))
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ApiError) as caught:
            await waiting
        assert caught.value.status == 503
        assert (await workers.open("image", png())).array.shape == (16, 16, 3)
        assert workers.pids != [first]
        assert workers.deaths == 1

    with_workers(use, workers=1)


def test_a_worker_that_crashes_or_takes_too_long_is_the_mediums_fault(monkeypatch):
    async def use(workers):
        await workers.open("image", png())
        (pid,) = workers.pids
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(workers.open("image", png()))
        await asyncio.sleep(0)
        for sent in (signal.SIGSEGV, signal.SIGCONT):
            os.kill(pid, sent)
        with pytest.raises(InputError, match="crash"):
            await waiting
        await workers.open("image", png())
        os.kill(workers.pids[0], signal.SIGSTOP)
        with pytest.raises(InputError, match="takes more than 5 s"):
            await workers.open("image", png())
        await workers.open("image", png())

    with_workers(use, workers=1, open_s=5)


def test_ctrl_c_reaches_the_server_only():
    """A terminal sends it to the whole process group."""

    async def use(workers):
        await workers.open("image", png())
        (pid,) = workers.pids
        assert os.getpgid(pid) != os.getpgid(0)

    with_workers(use, workers=1)


def test_a_worker_that_answers_nonsense_is_ended_and_its_medium_refused(monkeypatch):
    monkeypatch.setattr("sensorium.serve.media.workers.END_S", 0.1)
    monkeypatch.setattr("sensorium.opening.protocol.Signal.of", lambda *_: np.zeros(3).reshape(2))

    async def use(workers):
        with pytest.raises(InputError, match="crash"):
            await workers.open("image", png())
        assert (workers.pids, workers.deaths) == ([], 1)
        monkeypatch.undo()
        assert (await workers.open("image", png())).array.shape == (16, 16, 3)

    with_workers(use, workers=1)


def test_workers_end_while_one_is_at_work():
    async def use():
        workers = Workers(Settings(workers=3))
        await asyncio.gather(*(workers.open("image", png(one)) for one in (8, 9)))
        for pid in workers.pids:
            os.kill(pid, signal.SIGSTOP)
        working = [asyncio.ensure_future(workers.open("image", png())) for _ in range(2)]
        await asyncio.sleep(0)
        for one in working:
            one.cancel()
        await workers.close()
        return workers.pids, await asyncio.gather(*working, return_exceptions=True)

    pids, ended = asyncio.run(use())
    assert not pids
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)


def test_what_is_too_large_when_opened_is_refused():
    async def use(workers):
        with pytest.raises(InputError, match="at most 1000"):
            await workers.open("image", png(200))
        with pytest.raises(InputError):
            await workers.open("image", png(7000))  # 147 MB, and the process may take only as much as it has
        return await workers.open("image", png(10))

    assert with_workers(use, workers=1, max_decoded_bytes=1000, worker_bytes=400 * 2**20).array.shape == (10, 10, 3)


def test_a_worker_killed_in_the_middle_fails_one_request_of_many():
    with running({"tiny": tiny_assistant()}, workers=1, open_s=60) as server:
        body = ask([picture(), {"type": "text", "text": "what?"}], max_tokens=3)
        large = {"type": "image_url", "image_url": {"url": as_uri(png(4000))}}
        expected = server.post("/v1/chat/completions", body).json()["choices"][0]["message"]["content"]
        (pid,) = server.state.workers.pids
        with ThreadPoolExecutor(5) as pool:
            victim = pool.submit(server.post, "/v1/chat/completions", ask([large], max_tokens=3))
            time.sleep(0.4)
            others = [pool.submit(server.post, "/v1/chat/completions", body) for _ in range(4)]
            os.kill(pid, signal.SIGKILL)
            replies = [other.result() for other in (victim, *others)]
        failed = [reply for reply in replies if reply.status_code != 200]
        assert [reply.status_code for reply in failed] in ([], [503]), [reply.text for reply in failed]
        good = [reply.json()["choices"][0]["message"]["content"] for reply in replies[1:] if reply.status_code == 200]
        assert set(good) == {expected}
        assert server.post("/v1/chat/completions", body).status_code == 200
        assert server.state.workers.pids != [pid]


def test_a_worker_that_does_not_know_a_modality_yet_is_replaced_and_has_not_died():
    async def use(workers):
        await workers.open("image", png())
        (first,) = workers.pids
        assert (await workers.open("series", b"1,2\n3,4\n")).array.tolist() == [[1, 2], [3, 4]]
        (second,) = workers.pids
        await workers.open("image", png())
        assert workers.pids == [second] != [first]
        assert workers.deaths == 0

    with_workers(use, workers=1)


def test_a_modality_that_is_registered_in_the_server_alone_is_opened_there(monkeypatch):
    class Local(Toy):
        name = "local"

    monkeypatch.setitem(plugins._registered, (plugins.MODALITIES, "local"), Local())

    async def use(workers):
        return await workers.open("local", b"1 2\n3 4")

    assert with_workers(use, workers=1).array.tolist() == [[1, 2], [3, 4]]
