"""A client whose media take for ever, or come from hosts that drip, holds up nobody else."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from contextlib import asynccontextmanager, contextmanager

import pytest
from bad_media import NEVER_ENDS
from serving import png

from sensorium.serve.http.errors import ApiError
from sensorium.serve.media import fetch
from sensorium.serve.media.fetch import Fetcher
from sensorium.serve.media.turns import Turns
from sensorium.serve.media.workers import NICER, Workers
from sensorium.serve.settings import Settings
from sensorium.types import InputError

SOON_S = 30
"""For what must not wait for a medium that takes for ever, on a machine that is busy."""


def soon(work):
    return asyncio.wait_for(work, SOON_S)


async def settled():
    """Everybody has gone on as far as they can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_clients_take_turns_and_none_has_every_place():
    async def use():
        turns, order = Turns(places=2, waiting=10), []

        async def one(client):
            async with turns.place(client):
                order.append(client)
                await going[client].wait()

        going = {client: asyncio.Event() for client in "abc"}
        tasks = [asyncio.ensure_future(one(client)) for client in "aaaabcb"]
        await settled()
        assert order == ["a", "b"], "the second place is not for the first client"
        going["b"].set()
        await settled()
        assert order == ["a", "b", "c"], "whoever had one waits behind whoever had none"
        going["c"].set()
        await settled()
        assert order == ["a", "b", "c", "b"]
        going["a"].set()
        await asyncio.gather(*tasks)
        assert order == ["a", "b", "c", "b", "a", "a", "a"]

    asyncio.run(use())


def test_a_place_that_was_waited_for_in_vain_is_not_lost():
    async def use():
        turns = Turns(places=1, waiting=10)
        await turns.take("a")
        waiting = [asyncio.ensure_future(turns.take(client)) for client in "aabc"]
        await settled()
        waiting[0].cancel()
        await settled()
        turns.give_back("a")  # now the second of a has it, and gives up before it knows
        waiting[1].cancel()
        waiting[2].cancel()
        await settled()
        await soon(waiting[3])
        turns.give_back("c")
        await soon(turns.take("d"))

    asyncio.run(use())


def test_too_many_waiting_media_of_one_client_are_refused_and_of_another_not():
    async def use():
        turns = Turns(places=1, waiting=2)
        await turns.take("a")
        waiting = [asyncio.ensure_future(turns.take("a")) for _ in range(2)]
        await settled()
        with pytest.raises(ApiError, match="2 media of this client wait already") as caught:
            await turns.take("a")
        assert caught.value.status == 429 and caught.value.headers
        other = asyncio.ensure_future(turns.take("b"))
        for client in "aab":
            turns.give_back(client)
        await asyncio.gather(*waiting, other)

    asyncio.run(use())


@asynccontextmanager
async def besieged(workers: Workers):
    """Twelve media of client a that never end; at the end they and the workers are."""
    hostile = [asyncio.ensure_future(workers.open("image", NEVER_ENDS, client="a")) for _ in range(12)]
    try:
        yield hostile
    finally:
        for one in hostile:
            one.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
        await workers.close()


def test_a_quiet_clients_medium_does_not_wait_for_those_of_one_that_never_end():
    async def use():
        workers = Workers(Settings(workers=2, open_s=300, open_cpu_s=300))
        async with besieged(workers) as hostile:
            await settled()
            for _ in range(3):
                assert (await soon(workers.open("image", png(8), client="b"))).array.shape == (8, 8, 3)
            assert not any(one.done() for one in hostile)

    asyncio.run(use())


def test_one_client_leaves_a_worker_that_is_ready_to_others():
    async def use():
        workers = Workers(Settings(workers=3, open_s=300, open_cpu_s=300))
        await workers.open("image", png(8), client="b")
        while len(workers.pids) < 2:  # one more gets ready meanwhile
            await asyncio.sleep(0.01)
        async with besieged(workers):
            while len(workers.pids) < 3:
                await asyncio.sleep(0.01)
            begun = set(workers.pids)
            assert (await soon(workers.open("image", png(8), client="b"))).array.shape == (8, 8, 3)
            assert set(workers.pids) == begun
            nice = [os.getpriority(os.PRIO_PROCESS, pid) - os.getpriority(os.PRIO_PROCESS, 0) for pid in begun]
            assert nice == [NICER] * 3

    asyncio.run(use())


def test_whose_medium_has_ended_a_worker_waits_for_another():
    async def use():
        workers = Workers(Settings(workers=3, open_s=300, open_cpu_s=0.2))
        try:
            await workers.open("image", png(8), client="a")
            while len(workers.pids) < 2:
                await asyncio.sleep(0.01)
            with pytest.raises(InputError, match="of computing to open"):
                await soon(workers.open("image", NEVER_ENDS, client="a"))
            left = set(workers.pids)
            await soon(workers.open("image", png(8), client="a"))
            assert len(set(workers.pids) - left) == 1, "it left the one that was ready to others"
            now = set(workers.pids)
            await soon(workers.open("image", png(8), client="a"))
            assert set(workers.pids) == now
        finally:
            await workers.close()

    asyncio.run(use())


def test_a_medium_that_computes_for_longer_than_is_allowed_is_refused():
    async def use():
        workers = Workers(Settings(workers=1, open_s=300, open_cpu_s=0.2))
        try:
            with pytest.raises(InputError, match=r"the picture takes more than 0\.2 s of computing to open; make it"):
                await soon(workers.open("image", NEVER_ENDS))
            assert workers.deaths == 1
            assert (await soon(workers.open("image", png(8)))).array.shape == (8, 8, 3)
        finally:
            await workers.close()

    asyncio.run(use())


class Host:
    """Answers every connection in a way of its own, on the loopback address."""

    def __init__(self, answer):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.answer, self.met, self.gone = answer, threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=[connection], daemon=True).start()

    def talk(self, connection):
        with connection:
            connection.recv(65536)
            self.met.release()
            with connection:
                try:
                    self.answer(connection)
                except OSError:
                    self.gone.release()


@contextmanager
def host(monkeypatch, answer):
    """A host of the name ``site.example``; names other than it and loopback's address are never resolved."""
    there, never = Host(answer), threading.Event()
    monkeypatch.setitem(fetch.PORTS, "http", there.listening.getsockname()[1])

    def resolve(name, port, *_, **__):
        if name not in ("site.example", "127.0.0.1"):
            never.wait(60)
            raise socket.gaierror("no such host")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(fetch.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetch, "is_public", lambda _: True)
    try:
        yield there
    finally:
        never.set()
        there.listening.close()
        for thread in fetching():
            thread.join(5)


def fetching():
    return [thread for thread in threading.enumerate() if thread.name == "sensorium-fetch"]


ALLOWED = {"media_domains": ("site.example", "never.example")}


def drip(connection):
    """A head that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    stop = threading.Event()
    while not stop.wait(0.02):
        connection.sendall(b"a")


def test_heads_that_drip_hold_up_neither_files_nor_models_and_their_threads_end(monkeypatch, tmp_path):
    (tmp_path / "a.png").write_bytes(b"inside")

    async def use(there):
        fetcher = Fetcher(Settings(fetch_s=1, media_path=tmp_path, **ALLOWED))
        slow = [asyncio.ensure_future(fetcher.load("http://site.example/a", "a")) for _ in range(7)]
        for _ in slow:
            await asyncio.to_thread(there.met.acquire)
        threads = fetching()
        assert len(threads) == 7
        assert await soon(fetcher.load("file:a.png", "b")) == b"inside"
        assert await soon(asyncio.to_thread(int, "1")) == 1, "where models are loaded"
        assert not any(one.done() for one in slow)
        for one in slow:
            with pytest.raises(InputError, match="cannot be fetched"):
                await soon(one)
        return threads

    with host(monkeypatch, drip) as there:
        for thread in asyncio.run(use(there)):
            thread.join(SOON_S)
            assert not thread.is_alive()
        for _ in range(7):
            assert there.gone.acquire(timeout=SOON_S), "the connection was closed"


def test_a_client_that_goes_frees_its_thread_at_once(monkeypatch):
    async def use(there):
        fetcher = Fetcher(Settings(fetch_s=300, **ALLOWED))
        slow = asyncio.ensure_future(fetcher.load("http://site.example/a", "a"))
        await asyncio.to_thread(there.met.acquire)
        (thread,) = fetching()
        slow.cancel()
        await settled()
        await asyncio.to_thread(thread.join, SOON_S)
        assert not thread.is_alive()

    with host(monkeypatch, drip) as there:
        asyncio.run(use(there))


def test_names_that_are_never_resolved_take_few_threads_and_not_another_clients(monkeypatch):
    monkeypatch.setattr(fetch, "LATE_S", 0)

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async def use():
        fetcher = Fetcher(Settings(fetch_s=0.1, fetchers=3, **ALLOWED))
        lost = [asyncio.ensure_future(fetcher.load("http://never.example/a", "a")) for _ in range(6)]
        with pytest.raises(InputError, match="takes too long"):
            await soon(lost[0])
        quick = Fetcher(Settings(fetch_s=300, fetchers=3, **ALLOWED))
        quick._turns = fetcher._turns
        assert await soon(quick.load("http://site.example/a", "b")) == b"ok"
        assert len(fetching()) <= 3
        for one in lost:
            one.cancel()
        await asyncio.gather(*lost, return_exceptions=True)

    with host(monkeypatch, answer):
        asyncio.run(use())


OK = b"HTTP/1.1 200 OK\r\n"
LIES = {
    "shorter": OK + b"Content-Length: 10\r\n\r\n12345",
    "nothing": OK + b"Content-Length: 10\r\n\r\n",
    "longer": OK + b"Content-Length: 3\r\n\r\n12345",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\n12345",
    "a length of words": OK + b"Content-Length: five\r\n\r\n12345",
    "a negative length": OK + b"Content-Length: -5\r\n\r\n12345",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "half a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\n12345",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", LIES.values(), ids=list(LIES))
def test_a_medium_of_another_length_than_was_told_is_refused(monkeypatch, sent):
    with host(monkeypatch, lambda connection: connection.sendall(sent)), pytest.raises(InputError, match="site"):
        asyncio.run(Fetcher(Settings(**ALLOWED)).load("http://site.example/a"))


def test_a_connection_that_breaks_where_no_length_was_told_is_a_refusal(monkeypatch):
    def answer(connection):
        connection.sendall(OK + b"\r\n12345")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # its end is a reset

    with host(monkeypatch, answer), pytest.raises(InputError, match="ConnectionReset"):
        asyncio.run(Fetcher(Settings(**ALLOWED)).load("http://site.example/a"))


def test_one_that_is_cut_at_the_deadline_is_not_taken_for_whole(monkeypatch):
    def answer(connection):
        connection.sendall(OK + b"\r\n12345")
        connection.recv(1)  # nothing more, and no end

    with host(monkeypatch, answer), pytest.raises(InputError, match="cannot be fetched"):
        asyncio.run(Fetcher(Settings(fetch_s=0.2, **ALLOWED)).load("http://site.example/a"))


HONEST = {
    "a length": OK + b"Content-Length: 5\r\n\r\n12345",
    "the same length twice": OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
    "no length": OK + b"\r\n12345",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n12\r\n3\r\n345\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", HONEST.values(), ids=list(HONEST))
def test_a_medium_of_the_length_that_was_told_is_taken(monkeypatch, sent):
    with host(monkeypatch, lambda connection: connection.sendall(sent)):
        assert asyncio.run(Fetcher(Settings(**ALLOWED)).load("http://site.example/a")) == b"12345"


def test_a_host_that_keeps_the_connection_open_after_the_medium_is_not_waited_for(monkeypatch):
    def answer(connection):
        connection.sendall(HONEST["a length"])
        connection.recv(1)

    with host(monkeypatch, answer):
        assert asyncio.run(soon(Fetcher(Settings(fetch_s=300, **ALLOWED)).load("http://site.example/a"))) == b"12345"
