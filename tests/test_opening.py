"""Media that crash, hold up or flood whoever opens them do so in a process of their own, at every door."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pyarrow as pa
import pytest
from bad_media import CRASHES, NEVER_ENDS
from PIL import Image
from pyarrow import parquet
from serving import png, tiny_assistant
from toys import Toy
from typer.testing import CliRunner

import sensorium as sm
from sensorium import plugins
from sensorium.cli import app
from sensorium.data.codes import Encoder
from sensorium.data.lint import lint
from sensorium.learning.media import find_media
from sensorium.modalities import Wish, modality
from sensorium.opening import apart
from sensorium.opening.protocol import Answer
from sensorium.types import Conversation, InputError, Message, Part

SQUARE = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="4" fill="red"/></svg>'
image = modality("image")


@pytest.fixture
def workers(monkeypatch):
    """Processes of this test alone."""
    monkeypatch.setattr(apart, "_workers", apart._Workers())
    yield apart._workers
    apart._workers.close()


def test_risky_media_are_opened_in_another_process_and_are_the_same(workers, tmp_path):
    (tmp_path / "a.png").write_bytes(png(8))
    image.open(tmp_path / "a.png")
    assert apart.pids() == [], "what is harmless is opened right here"
    (tmp_path / "a.svg").write_bytes(SQUARE)
    found = image.open(tmp_path / "a.svg", Wish(size=(16, 16)))
    (first,) = apart.pids()
    assert found == image.fit(image.read(SQUARE, "it"), Wish(size=(16, 16)))
    assert image.open(SQUARE) == image.read(SQUARE, "it")
    assert apart.pids() == [first], "the next medium goes to the same process"


def test_what_a_bad_medium_is_called_and_told_is_as_ever(workers, tmp_path):
    (tmp_path / "b.svg").write_bytes(b"<svg><image href='/etc/passwd'/></svg>")
    with pytest.raises(InputError, match=r"b\.svg is an SVG that draws another file"):
        image.open(tmp_path / "b.svg")
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match="several frames"):
        assert image.open(buffer.getvalue()).array[0, 0].tolist() == [255, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image.open(SQUARE)


def test_a_medium_that_crashes_its_decoder_gets_a_sentence_that_names_it(workers, tmp_path):
    (tmp_path / "deep.svg").write_bytes(CRASHES)
    with pytest.raises(InputError, match=r"deep\.svg made its decoder crash"):
        image.open(sm.Image(tmp_path / "deep.svg").data)
    assert apart.pids() == []
    assert image.open(SQUARE).array.any()


def test_a_medium_that_computes_for_ever_is_given_up(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "CPU_S", 0.2)
    (tmp_path / "noise.svg").write_bytes(NEVER_ENDS)
    with pytest.raises(InputError, match=r"noise\.svg takes more than 0\.2 s of computing to open"):
        image.open(tmp_path / "noise.svg")
    assert image.open(SQUARE).array.any()


def test_a_process_that_is_stuck_without_computing_is_given_up(workers, monkeypatch):
    image.open(SQUARE)
    monkeypatch.setattr(apart, "WALL_S", 0.1)
    os.kill(apart.pids()[0], signal.SIGSTOP)
    with pytest.raises(InputError, match=r"the picture takes more than 0\.1 s to open"):
        image.open(SQUARE)


def test_an_end_from_outside_is_told_as_that(workers, monkeypatch):
    image.open(SQUARE)
    monkeypatch.setattr(apart, "job", lambda *_: os.kill(apart.pids()[0], signal.SIGKILL) or b"")
    with pytest.raises(InputError, match="was killed"):
        image.open(SQUARE)
    monkeypatch.undo()
    assert image.open(SQUARE).array.any()


def test_one_that_died_between_two_media_is_replaced(workers):
    image.open(SQUARE)
    (first,) = apart.pids()
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
    assert image.open(SQUARE).array.any()
    assert first not in apart.pids()


def test_ctrl_c_in_the_middle_leaves_no_half_answer_behind(workers, monkeypatch):
    image.open(SQUARE)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Answer, "of", interrupted)
    with pytest.raises(KeyboardInterrupt):
        image.open(SQUARE)
    monkeypatch.undo()
    assert image.open(SQUARE) == image.read(SQUARE, "it")


def test_threads_open_media_at_the_same_time(workers):
    expected, found = image.read(SQUARE, "it"), []
    threads = [threading.Thread(target=lambda: found.append(image.open(SQUARE))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6
    assert len(apart.pids()) <= apart.MOST
    assert image.open(SQUARE) == expected, "a process outlives the thread that started it"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_workers_of_its_own(workers):
    image.open(SQUARE)
    before = apart.pids()
    child = os.fork()
    if child == 0:
        ok = apart.pids() == [] and bool(image.open(SQUARE).array.any()) and apart.pids() != before
        apart._workers.close()
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert image.open(SQUARE).array.any() and apart.pids() == before


def test_a_small_table_that_unpacks_to_a_large_one_is_refused(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "MEMORY_BYTES", 200 * 2**20)
    parquet.write_table(pa.table({"a": np.zeros(4 * 10**7, np.int8)}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 10**6
    with pytest.raises(InputError, match=r"a\.parquet"):
        modality("series").open(tmp_path / "a.parquet")


def test_an_array_file_that_only_claims_to_be_large_is_refused():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
    with pytest.raises(InputError, match="is no table of numbers"):
        modality("series").open(buffer.getvalue())


def test_what_only_this_program_knows_is_opened_here(workers, monkeypatch):
    class Local(Toy):
        name = "local"

        def is_risky(self, data):
            return True

    monkeypatch.setitem(plugins._registered, (plugins.MODALITIES, "local"), Local())
    assert modality("local").open(b"1 2\n3 4").array.tolist() == [[1, 2], [3, 4]]
    assert Toy().open(b"1 2\n3 4").array.tolist() == [[1, 2], [3, 4]]
    assert apart.pids() == []


def test_a_file_in_the_current_folder_is_no_code(workers, tmp_path, monkeypatch):
    for name in ("numpy", "json", "sensorium"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\nraise SystemExit")
    monkeypatch.chdir(tmp_path)
    assert image.open(SQUARE).array.any()
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def deep(tmp_path):
    """The path of a file that crashes its decoder."""
    path = tmp_path / "deep.svg"
    path.write_bytes(CRASHES)
    return path


def test_lint_lists_a_medium_that_crashes_and_goes_on(workers, deep, tmp_path):
    (tmp_path / "good.svg").write_bytes(SQUARE)
    with (tmp_path / "chats.jsonl").open("w") as file:
        for name in ("deep", "good"):
            shown = [{"type": "image", "image": f"{name}.svg"}, {"type": "text", "text": f"{name}?"}]
            turns = [{"role": "user", "content": shown}, {"role": "assistant", "content": "Yes."}]
            file.write(json.dumps({"messages": turns}) + "\n")
    report = lint(tmp_path / "chats.jsonl")
    (problem,) = report.problems
    assert (problem.line, report.good) == (1, 1)
    assert "deep.svg made its decoder crash" in problem.sentence
    told = CliRunner().invoke(app, ["data", "lint", str(tmp_path / "chats.jsonl")])
    assert told.exit_code == 1 and "deep.svg made its decoder crash" in told.output


def test_every_other_door_tells_a_medium_that_crashes_in_a_sentence(workers, deep, tmp_path):
    model, part = tiny_assistant(), sm.Image(deep)
    talk = Conversation((Message("user", (part,)), Message("assistant", (Part("text", "A square."),))))
    doors = {
        "chat and generate": lambda: model.chat([part, "What is this?"]),
        "train": lambda: Encoder(model.senses, tmp_path / "codes").encode([talk]),
        "a part that is saved": lambda: part.save(tmp_path / "a.png"),
        "a part in a notebook": part._repr_png_,
    }
    for door, use in doors.items():
        with pytest.raises(InputError, match=r"deep\.svg made its decoder crash"):
            use()
        assert apart.pids() == [], door
    told = CliRunner().invoke(app, ["encode", str(deep)])
    assert told.exit_code == 2 and "deep.svg made its decoder crash" in told.output
    said: list[str] = []
    assert list(find_media(str(tmp_path), "image", said.append).media(said.append)) == []
    assert "deep.svg made its decoder crash" in said[0]


def test_a_system_without_these_signals_limits_and_forks_can_still_import_and_open():
    code = """
import os, signal, sys, torch
del signal.SIGPROF, signal.setitimer, os.register_at_fork, os.fork
sys.modules["resource"] = None
from sensorium.modalities import modality, opener
from sensorium.opening import apart
import sensorium.serve.media.workers
with opener._computing_at_most(1):
    opener._limit(1)
square = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="8" height="4" fill="red"/></svg>'
assert modality("image").open(square).array.any()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_process_that_cannot_be_started_is_told(workers, monkeypatch):
    monkeypatch.setattr(apart, "READY", b"other")
    with pytest.raises(InputError, match="no process to open such media could be started"):
        image.open(SQUARE)
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(InputError, match=r"could be started .*No such file"):
        image.open(SQUARE)


ASKERS = {
    "a program": """
from sensorium.opening import apart
image.open(SQUARE)
print(*apart.pids(), flush=True)
image.open(NEVER_ENDS)
""",
    "a server": """
import asyncio
from sensorium.serve.media.workers import Workers
from sensorium.serve.settings import Settings
workers = Workers(Settings(workers=1, open_s=300, open_cpu_s=300))
async def use():
    await workers.open("image", SQUARE)
    opening = asyncio.ensure_future(workers.open("image", NEVER_ENDS))
    print(*workers.pids, flush=True)
    await opening
asyncio.run(use())
""",
}
BEFORE = """
from bad_media import NEVER_ENDS
from sensorium.modalities import modality
image, SQUARE = modality("image"), b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="8" height="4"/></svg>'
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when its medium has had its time")
@pytest.mark.parametrize("asker", ASKERS.values(), ids=list(ASKERS))
def test_a_worker_ends_with_whoever_asked_it_even_while_it_computes(asker):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*filter(None, sys.path)])}
    with subprocess.Popen([sys.executable, "-c", BEFORE + asker], stdout=subprocess.PIPE, env=environment) as program:
        assert program.stdout is not None
        worker = os.pidfd_open(int(program.stdout.readline()))
        assert select.select([worker], [], [], 1)[0] == [], "it computes"
        program.kill()
        assert select.select([worker], [], [], 5)[0] == [worker]
        os.close(worker)
