"""The door holds: bodies that grow when they are read, connections that idle, clients that want all, odd headers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from typing import Any

import httpx
import psutil
import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from serving import ask, running, tiny_assistant
from test_serve_batching import Inbox, held, order, wait_until
from typer.testing import CliRunner

from sensorium.cli import app as command
from sensorium.serve.app import create_app
from sensorium.serve.http import connections, graceful, reading
from sensorium.serve.http.bodies import FREE_BYTES
from sensorium.serve.http.errors import HEADERS, ApiError
from sensorium.serve.http.guard import is_of, name_of_client, names_this_machine, which_key
from sensorium.serve.http.schemas import ChatRequest
from sensorium.serve.settings import MEBIBYTE, Settings
from sensorium.serve.writing.desk import CLIENT, Desk
from sensorium.serve.writing.fair_queue import FairQueue
from sensorium.serve.writing.scheduler import Scheduler
from sensorium.types import InputError

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def model():
    return tiny_assistant()


@pytest.fixture(scope="module")
def server(model):
    with running({"tiny": model}) as server:
        yield server


# Bodies that grow when they are read


def chat_of(content: str, **fields: str) -> bytes:
    more = "".join(f', "{name}": {value}' for name, value in fields.items())
    return f'{{"model": "tiny", "messages": [{{"role": "user", "content": {content}}}]{more}}}'.encode()


HOSTILE = {
    "wrong items": lambda size: chat_of("[" + "1," * (size // 2) + "1]"),
    "empty items": lambda size: chat_of("[" + "{}," * (size // 3) + "{}]"),
    "small parts": lambda size: chat_of("[" + '{"type":"text","text":""},' * (size // 26) + "{}]"),
    "messages": lambda size: b'{"messages": [' + b'{"role":"user","content":1},' * (size // 28) + b"1]}",
    "deep": lambda size: chat_of("[" * (size // 2) + "]" * (size // 2)),
    "open": lambda size: chat_of("[" * size),
    "closed": lambda size: chat_of("]" * size),
    "fields": lambda size: chat_of('"a"', seed='"x"', **{str(n): "{}" for n in range(size // 15)}),
    "same field": lambda size: chat_of('"a"')[:-1] + b',"n":0' * (size // 6) + b"}",
    "long number": lambda size: chat_of('"a"', seed="9" * size),
    "long numbers": lambda size: chat_of('"a"', x="[" + ("9" * 4000 + ",") * (size // 4001) + "1]"),
    "long fraction": lambda size: chat_of('"a"', temperature="101." + "9" * size),
    "ids": lambda size: chat_of('[{"type":"image_url","codec":"image","codes":[' + "0," * (size // 2) + '"a"]}]'),
    "quotes": lambda size: chat_of('["' + '","' * (size // 3) + '"]'),
    "backslashes": lambda size: chat_of('"' + "\\" * size + '"'),
    "characters": lambda size: chat_of('"' + "a" * size + '\U0001f600"'),
    "escapes": lambda size: chat_of('"' + "\\u00e9" * (size // 6) + '"'),
    "other bytes": lambda size: chat_of('"a"')[:-1] + b"\xff" * size,
}  # fmt: skip


@pytest.mark.parametrize("shape", HOSTILE)
def test_a_body_that_grows_when_read_is_refused_in_a_sentence(server, shape):
    reply = httpx.post(server.url + CHAT, content=HOSTILE[shape](700_000), headers=JSON, timeout=60)
    assert reply.status_code in (400, 413)
    assert 10 < len(reply.json()["error"]["message"]) < 600


@pytest.mark.parametrize("content", [[1] * 100_000, [{}] * 1000, [{"type": "text", "text": 5}] * 1000])
def test_wrong_items_do_not_make_an_error_each(content):
    with pytest.raises(ValidationError) as caught:
        ChatRequest.model_validate({"model": "tiny", "messages": [{"role": "user", "content": content}] * 1000})
    assert caught.value.error_count() < 5


def schemas_of(value: Any):
    """Every schema inside a schema of pydantic's core."""
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from schemas_of(one)


def endpoints(routes: Any):
    """The endpoints of an application, also of routers that it includes."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from endpoints(route.original_router.routes)


def test_every_endpoint_takes_bounded_lists_through_the_bounded_reader(server):
    taking = [route for route in endpoints(server.app.routes) if route.body_field is not None]
    assert len(taking) >= 8
    for route in taking:
        assert isinstance(route, reading.JsonRoute), f"{route.path}: APIRouter(route_class=JsonRoute)"
        schema = TypeAdapter(route.body_field.field_info.annotation).core_schema
        kinds = list(schemas_of(schema))
        assert any(kind["type"] == "model" for kind in kinds)
        for kind in kinds:
            if kind["type"] in ("list", "set", "tuple", "frozenset"):
                assert kind.get("max_length", 10**9) <= 100_000 and kind.get("fail_fast"), (route.path, kind)
            if kind["type"] == "dict" and kind["values_schema"]["type"] != "any":
                assert kind.get("max_length", 10**9) <= 1000, (route.path, kind)


def count(value: Any) -> int:
    """The slow twin of `reading.check_shape`: colons, commas and opening brackets."""
    if isinstance(value, dict):
        return 1 + 2 * len(value) - bool(value) + sum(map(count, value.values()))
    if isinstance(value, list):
        return 1 + len(value) - bool(value) + sum(map(count, value))
    return 0


TEXTS = st.text(alphabet='ab\\",:[]{}é\n')


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda of: st.lists(of) | st.dictionaries(TEXTS, of)))
def test_values_are_counted_as_a_slow_count_does(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "PIECE_BYTES", 7)
            reading.check_shape(text.encode(), count(value))
            if count(value):
                with pytest.raises(ApiError):
                    reading.check_shape(text.encode(), count(value) - 1)


def test_what_lies_in_strings_does_not_count():
    reading.check_shape(json.dumps({"text": '[{,:"\\' * 100_000}).encode(), 10)
    reading.check_shape(b"[" * 64 + b"]" * 64, 1000)
    long = b'["' + b"a" * 5_000_000
    reading.check_shape(long + b'", "' + "é".encode() + b'"]', 10)
    for wide in (long + 'é"]'.encode(), '["é'.encode() + long[2:] + b'"]', b'["' + "é".encode() * 2_200_000):
        with pytest.raises(ApiError, match="not ASCII"):
            reading.check_shape(wide, 10)
    with pytest.raises(ApiError, match="levels"):
        reading.check_shape(b"[" * 65 + b"]" * 65, 1000)


def test_the_message_names_the_other_wrong_fields_too(server):
    wrong = {"n": 0, "top_p": 5, "temperature": -1, "seed": "x", "stream": 7, "guidance": [], "top_k": {}, "stop": 5}
    error = server.post(CHAT, ask("a") | wrong).json()["error"]
    assert "also wrong: " in error["message"] and error["message"].endswith("and 2 more")
    assert error["param"]


def test_others_are_answered_while_a_large_body_is_read(server, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()

    def slowly(body, most):
        if len(body) > 40_000:
            reached.set()
            assert go_on.wait(60)
        return parse(body, most)

    parse = reading.parse
    monkeypatch.setattr(reading, "parse", slowly)
    got = []
    large = threading.Thread(target=lambda: got.append(server.post(CHAT, ask("a " * 25_000, max_tokens=1))))
    large.start()
    try:
        assert reached.wait(60)
        assert server.get("/health").status_code == 200
        assert server.post("/v1/tokenize", {"model": "tiny", "content": "a"}).status_code == 200
    finally:
        go_on.set()
        large.join()
    assert got[0].status_code in (200, 400)


# Who may ask


@pytest.mark.parametrize("keys", [("",), (" ",), ("good", ""), ("\t",), ("a b",), ("schlüssel",), "secret"])
def test_a_key_that_protects_nothing_is_refused(keys):
    with pytest.raises(InputError, match="key"):
        create_app({}, Settings(api_keys=keys))


@pytest.mark.parametrize(("options", "variable"), [(["--api-key", ""], None), (["--api-key", "  "], None), ([], "")])
def test_the_command_refuses_an_empty_key(options, variable):
    result = CliRunner().invoke(command, ["serve", *options], env={"SENSORIUM_API_KEY": variable})
    assert result.exit_code == 2
    assert "empty" in result.output and "Traceback" not in result.output


def test_the_scheme_of_a_key_is_in_any_case():
    keys = ("one", "two")
    for header, place in (
        ("Bearer two", 1), ("bearer two", 1), ("BEARER   one", 0), ("Bearer three", None), ("two", None),
        ("Basic two", None), ("", None), ("Bearer", None), ("Bearer ", None), ("Bearer töw", None),
    ):  # fmt: skip
        assert which_key(header, keys) == place


def test_a_key_in_lower_case_bearer_is_taken(model):
    with running({"tiny": model}, api_keys=("secret",)) as server:
        for scheme, status in (("Bearer", 200), ("bearer", 200), ("Basic", 401)):
            assert server.get("/v1/models", headers={"Authorization": f"{scheme} secret"}).status_code == status


def test_only_hosts_that_are_this_machine_pass(server):
    for host in ("localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:8000", "127.0.0.2"):
        assert names_this_machine(host), host
    for host in (
        "[::1].evil.com", "[::1]evil.com", "evil.com", "localhost.evil.com", "localhost@evil.com", "[::1", "::1", "[]",
        "localhost:80:80", "localhost:", "localhost:http", "localhost/", "localhost#", "localhost?", "localhost.",
        "", " ", "127.0.0.1.", "127.0.0.1.evil.com", "0x7f000001", "[::1%25eth0]", "[localhost]", "a b",
        "localhost\\.evil.com", "localhost,evil.com", "10.0.0.1", "0.0.0.0", "evil.com:80@localhost",
    ):  # fmt: skip
        assert not names_this_machine(host), host
    assert server.get("/v1/models", headers={"Host": "[::1].evil.com"}).status_code == 403


def test_only_pages_of_this_server_may_post():
    assert is_of("http://localhost:8000", "localhost:8000") and is_of("https://LOCALHOST", "localhost")
    for origin in ("null", "", "http://", "http://localhost:80", "ftp://localhost:8000", "http://a@localhost:8000"):
        assert not is_of(origin, "localhost:8000"), origin
    assert not is_of("http://[::1].evil.com", "[::1].evil.com")


def test_a_server_on_any_loopback_address_checks_the_host():
    for host in ("127.0.0.1", "127.0.0.2", "::1", "LocalHost"):
        assert Settings(host=host).on_loopback
    for host in ("0.0.0.0", "::", "192.168.0.1", "localhost.evil.com"):
        assert not Settings(host=host).on_loopback


# Failures have OpenAI's form and the headers of every answer


def check_form(status: int, headers: Any, body: bytes, expected: int) -> None:
    assert status == expected
    assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}
    for name, value in HEADERS:
        assert headers[name.decode()] == value.decode()


def test_unexpected_failures_have_the_form_and_the_headers(model, monkeypatch, caplog):
    with running({"tiny": model}) as server:
        monkeypatch.setattr(type(server.state.registry), "get", lambda self, name: 1 / 0)
        reply = server.post(CHAT, ask("a"))
        check_form(reply.status_code, reply.headers, reply.content, 500)
        assert "division" not in reply.text
        assert sum("ZeroDivisionError" in (record.exc_text or "") for record in caplog.records) == 1


def said(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The one answer on a connection that the server then closes."""
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.mark.parametrize("sent", [b"what?\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9\r\nHost: a\r\n\r\n"])
def test_what_is_no_http_is_told_in_the_form_and_not_in_the_log(sent, caplog):
    with door_of(log_level="warning") as url, connect(url) as connection:
        logger = logging.getLogger("uvicorn.error")
        logger.addHandler(caplog.handler)
        try:
            connection.sendall(sent)
            status, headers, body = said(connection)
        finally:
            logger.removeHandler(caplog.handler)
    check_form(status, headers, body, 400)
    assert not caplog.records


# Connections


def toy(handle):
    """An application of one function, which gets ``receive`` and returns the body of the answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            body = await handle(receive)
            length = (b"content-length", str(len(body)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": body})

    return app


async def at_once(receive: Any) -> bytes:
    return b"hello"


@contextmanager
def door_of(handle=at_once, app: Any = None, log_level: str = "critical", **settings: Any):
    """The address of a server with a toy behind its door."""
    options = graceful.config(app or toy(handle), Settings(**settings), port=0, log_level=log_level, lifespan="off")
    server = graceful.GracefulServer(options, lambda: None)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())
    finally:
        server.should_exit = True
        thread.join(60)
    door = options.http_protocol_class.__self__
    assert door.count == 0 and not door._open and not door._idle, "whoever left is forgotten"


def connect(url: str, source: str = "127.0.0.1", **options: Any) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0), **options)
    return connection


def get(url: str, source: str = "127.0.0.1") -> httpx.Response:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=source)) as client:
        return client.get(url, timeout=30)


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ended the connection, which a timeout of the socket would not."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_idle_connections_keep_nobody_out():
    with door_of(max_connections=20, client_share=0.5, head_s=300) as url, ExitStack() as stack:
        idle = [stack.enter_context(connect(url)) for _ in range(60)]
        assert get(url).status_code == 200, "also from the same address"
        for number in range(2, 8):
            idle += [stack.enter_context(connect(url, f"127.0.0.{number}")) for _ in range(30)]
        assert get(url, "127.0.0.9").status_code == 200
        assert all(map(is_closed, idle[:40])), "the oldest made room"


def test_an_address_has_its_share_and_a_proxy_has_all():
    with door_of(max_connections=8, client_share=0.25, head_s=300) as url, ExitStack() as stack:
        first, *_ = [stack.enter_context(connect(url)) for _ in range(3)]
        assert is_closed(first)
    with door_of(max_connections=8, client_share=0.25, head_s=300, proxies=("127.0.0.1",)) as url, ExitStack() as stack:
        first, *_ = [stack.enter_context(connect(url)) for _ in range(8)]
        first.sendall(GET)
        assert first.recv(20).startswith(b"HTTP/1.1 200")


def test_connections_that_are_at_work_stay_and_others_are_refused_in_the_form():
    go_on, begun = threading.Event(), threading.Semaphore(0)

    async def wait(receive):
        begun.release()
        await asyncio.to_thread(go_on.wait, 60)
        return b"done"

    with door_of(wait, max_connections=8, client_share=0.25) as url, ExitStack() as stack:
        working = [stack.enter_context(connect(url)) for _ in range(2)]
        for connection in working:
            connection.sendall(GET)
            assert begun.acquire(timeout=60)
        with connect(url) as more:
            status, headers, body = said(more)
        check_form(status, headers, body, 503)
        assert headers["retry-after"]
        go_on.set()
        for connection in working:
            assert connection.recv(20).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("first", [b"", GET, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"])
def test_a_head_has_a_time_limit_however_it_drips(first):
    """At the opening, after an answer, and where the rest of a body comes after the answer."""
    with door_of(head_s=0.5) as url, connect(url) as connection:
        started = time.monotonic()
        connection.sendall(first)
        if first:
            answer = b""
            while not answer.endswith(b"hello"):
                answer += connection.recv(9999)
        connection.settimeout(0.02)
        drips = iter(b"GET /" + b"a" * 5000)
        while time.monotonic() < started + 30:
            try:
                connection.sendall(bytes([next(drips)]))
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() < started + 5


def test_an_answer_that_nobody_reads_is_given_up():
    over = threading.Event()

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64):  # more than the system keeps for the client
            await send({"type": "http.response.body", "body": b"a" * MEBIBYTE, "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        over.set()

    with door_of(app=app, send_s=0.3) as url, connect(url) as connection:
        connection.sendall(GET)
        assert over.wait(20)


def test_an_answer_that_is_read_slowly_arrives():
    async def much(receive):
        return b"a" * (24 * MEBIBYTE)

    with door_of(much, head_s=0.2, send_s=0.2) as url, connect(url) as connection:
        connection.sendall(GET)
        got = 0
        while got < 24 * MEBIBYTE:
            piece = connection.recv(MEBIBYTE)
            assert piece, f"cut after {got} bytes"
            got += len(piece)
            time.sleep(0.02)


WITH_FEW_FILES = """
import asyncio, resource, sys
from sensorium.serve.http import connections, graceful
from sensorium.serve.settings import Settings

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})

resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
connections.OTHER_FILES, connections.BACKLOG = -10_000, 64  # so that the door lets more in than there are files
listening = connections.Listening()
listening.bind(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
graceful.GracefulServer(graceful.config(app, Settings(client_share=1), lifespan="off"), print).run([listening])
"""


def test_without_files_left_connections_are_refused_and_the_log_stays_small(tmp_path):
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", WITH_FEW_FILES], stdout=subprocess.PIPE, stderr=log)
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        wait_until(lambda: answers(url))
        with ExitStack() as stack:
            many = [stack.enter_context(connect(url)) for _ in range(200)]
            assert sum(map(is_closed, many[-50:])) == 50, "those beyond the files"
            busy = psutil.Process(process.pid)
            busy.cpu_percent()
            assert busy.cpu_percent(0.3) < 60, "it does not spin"
        wait_until(lambda: answers(url))
    finally:
        process.terminate()
        process.wait(30)
    assert (tmp_path / "log").stat().st_size < 2000, (tmp_path / "log").read_text()[:3000]


def answers(url: str) -> bool:
    try:
        return get(url).status_code == 200
    except httpx.HTTPError:
        return False


def test_connections_leave_room_for_other_files(monkeypatch):
    resource = pytest.importorskip("resource")
    for limits, expected in (((256, 4096), 1024), ((1024, 1024), 640), ((64, 64), 8)):
        now = [limits]
        monkeypatch.setattr(resource, "getrlimit", lambda _, now=now: now[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda _, pair, now=now: now.append(pair))
        assert connections.most_connections(Settings()) == expected
        assert now[-1][0] == limits[1]


# Places in the queue


def test_one_client_cannot_take_all_places():
    queue: FairQueue[int] = FairQueue(64)
    assert sum(queue.put("greedy", [n]) for n in range(110)) == 32
    assert all(queue.put("quiet", [n]) for n in range(10))
    for other in range(99):
        queue.put(f"greedy {other}", [0])
    assert len(queue) == 64
    queue.take_of("greedy")
    assert not queue.put("greedy", [0]) and not queue.put("quiet", [0])
    assert queue.put("newcomer", [0]), "what becomes free is for those who have nothing"


def test_places_are_shared_by_key_and_then_by_address():
    queue: FairQueue[int] = FairQueue(64)
    for address in range(40):
        for _ in range(40):
            queue.put(f"1@10.0.0.{address}", [0])
    taken = len(queue)
    assert taken <= 32
    assert sum(queue.put("2@10.0.1.1", [0]) for _ in range(8)) >= 7, "another key"
    queue = FairQueue(64)
    while queue.put("1@10.0.0.1", [0]):
        pass
    assert all(queue.put("1@10.0.0.2", [0]) for _ in range(5)), "another address with the same key"


def test_a_quiet_client_finds_a_place_beside_110_requests(model):
    queue = Scheduler(model.engine, max_batch=1, max_queue=64, request_s=60)
    try:
        with held(queue):
            assert sum(finds_a_place(queue, "greedy", model) for _ in range(110)) < 40
            assert all(finds_a_place(queue, "quiet", model) for _ in range(10))
    finally:
        queue.close()


def test_jobs_of_a_quiet_client_pass_those_of_another():
    desk, go_on, done = Desk(), threading.Event(), []
    try:

        def submit(client: str, job: Any):
            CLIENT.set(client)
            return desk.submit(job)

        def of(client: str, job: Any):
            return copy_context().run(submit, client, job)

        of("greedy", lambda: go_on.wait(60))
        jobs = [of("greedy", lambda n=n: done.append(n)) for n in range(20)]
        jobs.append(of("quiet", lambda: done.append("quiet")))
        cancelled = of("quiet", lambda: done.append("cancelled"))
        cancelled.cancel()
        failed = of("other", lambda: 1 / 0)
        go_on.set()
        for job in jobs:
            job.result(60)
        assert done.index("quiet") <= 2
        assert len(done) == 21
        assert isinstance(failed.exception(60), ZeroDivisionError)
    finally:
        desk.close()


def finds_a_place(queue: Scheduler, client: str, model: Any) -> bool:
    try:
        queue.submit(client, order(model, 3, Inbox()))
    except ApiError as error:
        if error.status != 429:
            raise
        return False
    return True


def test_what_a_request_claims_makes_nobody_another_client():
    def name(host, key=None):
        return name_of_client({"client": (host, 5)}, key)

    assert name("10.0.0.1") == name("::ffff:10.0.0.1") != name("10.0.0.2")
    assert name("2001:db8::1") == name("2001:db8::ffff:1") != name("2001:db8:0:1::1")
    assert name("10.0.0.1", 0) != name("10.0.0.1", 1)
    assert name("fe80::1%eth0") == name("fe80::2")


def test_keys_make_clients_and_invented_keys_do_not(model, monkeypatch):
    seen: list[str] = []
    submit = Scheduler.submit

    def noting(self, client, order):
        seen.append(client)
        submit(self, client, order)

    monkeypatch.setattr(Scheduler, "submit", noting)
    with running({"tiny": model}) as server:
        for number in range(3):
            server.post(CHAT, ask("a", max_tokens=1), headers={"Authorization": f"Bearer {number}"})
    assert len(seen) == 3 and len(set(seen)) == 1
    seen.clear()
    with running({"tiny": model}, api_keys=("a", "b")) as server:
        for header in ("Bearer a", "bearer  a", "Bearer b"):
            assert server.post(CHAT, ask("a", max_tokens=1), headers={"Authorization": header}).status_code == 200
    assert seen[0] == seen[1] != seen[2]


# Bodies in flight


@contextmanager
def unfinished(url: str, size: int, source: str = "127.0.0.1"):
    with connect(url, source) as connection:
        head = [f"POST {CHAT} HTTP/1.1", "Host: localhost", f"Content-Length: {2 * size}", "", ""]
        connection.sendall("\r\n".join(head).encode() + b" " * size)
        yield connection


def test_slow_bodies_hold_no_more_than_is_allowed(model):
    with running({"tiny": model}, max_bodies_bytes=1_000_000, max_body_bytes=500_000) as server, ExitStack() as stack:
        bodies, counted = bodies_of(server), 240_000 - FREE_BYTES
        for number, source in enumerate(("127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.3"), start=1):
            stack.enter_context(unfinished(server.url, 240_000, source))
            wait_until(lambda number=number: bodies.total == number * counted)
            if number == 2:
                more = server.post(CHAT, ask("a" * 300_000))
                check_form(more.status_code, more.headers, more.content, 429)
                assert more.headers["retry-after"]
        with httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.4")) as other:
            full = other.post(server.url + CHAT, json=ask("a" * 480_000))
        check_form(full.status_code, full.headers, full.content, 503)
        assert server.post(CHAT, ask("a", max_tokens=1)).status_code == 200, "small requests always pass"
        stack.close()
        wait_until(lambda: bodies.total == 0)
        assert server.post(CHAT, ask("a" * 300_000)).status_code != 429


def bodies_of(server):
    layer = server.app.middleware_stack
    while not hasattr(layer, "_bodies"):
        layer = getattr(layer, "app", None) or layer._app
    return layer._bodies


def test_a_slow_body_is_given_up(model):
    with running({"tiny": model}, body_s=0.3) as server, unfinished(server.url, 100) as connection:
        connection.settimeout(30)
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


# All of it at full size, in a process of its own

SERVER = """
from serving import tiny_assistant
from sensorium.serve.http.connections import Listening
from sensorium.serve.http.graceful import GracefulServer, config
from sensorium.serve.app import create_app
from sensorium.serve.settings import Settings

app, listening = create_app({"tiny": tiny_assistant()}, Settings()), Listening()
listening.bind(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
GracefulServer(config(app, Settings()), app.state.server.registry.close).run([listening])
"""


class Watch:
    """Asks for the health of a server all the time; the longest answer and the largest memory meanwhile."""

    def __init__(self, url: str, pid: int):
        self.slowest, self.largest, self._go_on = 0.0, 0, True
        self._url, self._process = url, psutil.Process(pid)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._go_on = False
        self._thread.join()

    def _run(self):
        with httpx.Client() as client:
            while self._go_on:
                started = time.monotonic()
                assert client.get(f"{self._url}/health", timeout=60).status_code == 200
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.largest = max(self.largest, self._process.memory_info().rss)
                time.sleep(0.01)


@pytest.mark.slow
def test_hostile_bodies_of_30_megabytes_cost_little_and_the_end_is_heard():
    paths = os.pathsep.join([os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}
    )
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        wait_until(lambda: answers(f"{url}/health"))
        with Watch(url, process.pid) as alone:
            time.sleep(1)
        print(f"health alone {alone.slowest * 1000:.0f} ms")
        idle = psutil.Process(process.pid).memory_info().rss
        for shape, make in HOSTILE.items():
            body, started = make(30_000_000), time.monotonic()
            with Watch(url, process.pid) as watch:
                status = httpx.post(url + CHAT, content=body, headers=JSON, timeout=60).status_code
            took, grown = time.monotonic() - started, (watch.largest - idle) / MEBIBYTE
            print(f"{shape:15} {status} {took:5.2f} s, health {watch.slowest * 1000:4.0f} ms, {grown:4.0f} MiB more")
            assert status in (400, 413)
            assert grown < 400
            assert watch.slowest < 1, "0.1 s on a machine that does nothing else"
        threads = [
            threading.Thread(target=lambda: suppress_post(url, HOSTILE["small parts"](30_000_000))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) in (0, -signal.SIGTERM)
        for thread in threads:
            thread.join()
    finally:
        process.kill()
        process.wait()


def suppress_post(url: str, body: bytes) -> None:
    try:
        httpx.post(url + CHAT, content=body, headers=JSON, timeout=60)
    except httpx.HTTPError:
        logging.getLogger(__name__).info("the server was stopped")
