"""OpenAI's audio calls, by its own client, against a server whose model reads and writes sound."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import time
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from serving import Greys, ask, running, tiny_assistant
from sounds import RATE_HZ, Steps, file_of, read, tones

import sensorium as sm

TALK = file_of(tones(0.5, 0.6, 0.8, 0.4, 0.5))
TRANSCRIPTIONS, SPEECH = "/v1/audio/transcriptions", "/v1/audio/speech"


@pytest.fixture(scope="module")
def model():
    return tiny_assistant(codecs=[Steps()])


@pytest.fixture(scope="module")
def server(model):
    models = {
        "tiny": model,
        "blind": tiny_assistant(codecs=[]),
        "painter": tiny_assistant(codecs=[Greys()]),
        "slow": tiny_assistant(codecs=[Steps(streams=False)]),
    }
    with running(models, request_s=60, max_media_bytes=2**20) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def own(model):
    return sm.transcribe(model, TALK)


def listen(client: Any, file: Any = ("talk.wav", TALK), **fields: Any) -> Any:
    return client.audio.transcriptions.create(**{"file": file, "model": "tiny"} | fields)


def test_a_transcription_is_what_the_model_says_of_each_piece(client, own):
    reply = listen(client)
    assert reply.text == own.text != ""
    usage = reply.usage
    assert usage.type == "tokens"
    assert usage.input_token_details.audio_tokens > 40
    assert usage.input_tokens == usage.input_token_details.audio_tokens + usage.input_token_details.text_tokens
    assert listen(client, response_format="text") == own.text + "\n"
    assert listen(client, io.BytesIO(TALK)).text == own.text, "the name of the file says nothing"
    assert listen(client, ("talk.flac", file_of(tones(0.5, 0.6, 0.8, 0.4, 0.5), kind="FLAC"))).text


def test_segments_have_true_times(client, own):
    reply = listen(client, response_format="verbose_json", timestamp_granularities=["segment"], language="fr")
    assert (reply.text, reply.duration, reply.language) == (own.text, 2.8, "fr")
    assert [(one.start, one.end, one.text) for one in reply.segments] == [
        (pytest.approx(one.start_s), pytest.approx(one.end_s), one.text) for one in own.segments
    ]
    assert [one.id for one in reply.segments] == list(range(len(own.segments)))
    assert all(one.avg_logprob < 0 < one.compression_ratio and one.tokens for one in reply.segments)


def test_subtitles_can_be_read_by_others(client, own):
    srt, webvtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    found = list(srt.parse(listen(client, response_format="srt")))
    assert [(one.start.total_seconds(), one.end.total_seconds()) for one in found] == [
        (one.start_s, one.end_s) for one in own.segments
    ]
    cues = webvtt.from_string(listen(client, response_format="vtt")).captions
    assert len(cues) == len(found)


def test_a_streamed_transcription_makes_the_whole(client, own):
    events = list(listen(client, stream=True))
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == own.text
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", own.text)
    assert len(events) > 3
    assert events[-1].usage.output_tokens > 0


def test_translations_ask_for_english(client, model):
    reply = client.audio.translations.create(file=("talk.wav", TALK), model="tiny")
    assert reply.text == sm.transcribe(model, TALK, english=True).text
    verbose = client.audio.translations.create(file=("talk.wav", TALK), model="tiny", response_format="verbose_json")
    assert (verbose.language, verbose.text) == ("en", reply.text)


def test_silence_says_nothing_and_many_pieces_are_written_in_turn(client):
    silence = ("silence.wav", file_of(tones(0.5)))
    assert listen(client, silence).text == ""
    assert listen(client, silence, response_format="srt") == ""
    many = ("many.wav", file_of(tones(*[0.5, 0.2] * 12)))
    reply = listen(client, many, response_format="verbose_json")
    starts = [one.start for one in reply.segments]
    assert starts == sorted(starts) and 6 < len(starts) <= 12
    assert reply.duration == pytest.approx(8.4)


FINE = {"file": ("talk.wav", TALK)}
GRAINS = "timestamp_granularities[]"


@pytest.mark.parametrize(
    ("file", "fields", "param", "said"),
    [
        ({"file": ("a.wav", b"")}, {}, "file", "empty"),
        ({"file": ("a.wav", b"RIFF and no more")}, {}, "file", "sound"),
        ({"file": ("a.mp3", bytes(range(256)) * 40)}, {}, "file", "sound"),
        ({"file": ("a.wav", TALK[:30])}, {}, "file", "sound"),
        ({"file": ("a.wav", bytes(2**20 + 1))}, {}, "file", "more than the 1048576 bytes"),
        ({}, {"file": "text"}, "file", "must be a file"),
        ({"other": ("a.wav", TALK)}, {}, "file", "missing required parameter: file"),
        (FINE | {"other": ("a.wav", TALK)}, {}, "other", "takes no file 'other'"),
        (FINE, {"model": ""}, "model", "missing required parameter: model"),
        (FINE, {"model": "painter"}, "model", "cannot read 'audio'; it can read: image"),
        (FINE, {GRAINS: "word", "response_format": "verbose_json"}, "timestamp_granularities", "times of words"),
        (FINE, {GRAINS: "segment"}, "timestamp_granularities", "verbose_json"),
        (FINE, {"response_format": "diarized_json"}, "response_format", "'json', 'text', 'srt', 'vtt' or"),
        (FINE, {"stream": "true", "response_format": "srt"}, "stream", "text alone"),
        (FINE, {"prompt": "Names: Ada"}, "prompt", "'prompt' is not offered"),
        (FINE, {"keywords[]": "Ada"}, "keywords", "not offered"),
        (FINE, {"include[]": "logprobs"}, "include", "verbose_json"),
        (FINE, {"chunking_strategy[type]": "server_vad"}, "chunking_strategy", "pauses"),
        (FINE, {"temperature": "warm"}, "temperature", "number"),
        (FINE, {"volume": "11"}, "volume", "unknown parameter"),
        (FINE, {"model": ["tiny", "tiny"]}, "model", "more than once"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_wrong_with_a_recording_is_told_in_a_sentence(server, file, fields, param, said):
    fields = {"model": "tiny"} | fields
    if not file:
        file = {"none": ("a.wav", TALK)}
    reply = httpx.post(server.url + TRANSCRIPTIONS, data=fields, files=file, timeout=60)
    error = reply.json()["error"]
    assert reply.status_code == 400, reply.text
    assert error["param"] == param
    assert re.search(said, error["message"]), error["message"]


def test_what_changes_nothing_is_taken(server):
    fields = {
        "model": "tiny",
        "chunking_strategy": "auto",
        "user": "me",
        "prompt": "",
        "language": "en",
        "temperature": "0",
    }
    assert httpx.post(server.url + TRANSCRIPTIONS, data=fields, files=FINE, timeout=60).status_code == 200


def test_bodies_that_are_no_forms_are_refused(server):
    assert server.post(TRANSCRIPTIONS, {"model": "tiny"}).json()["error"]["code"] == "no_form"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"nothing", b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny'):
        reply = httpx.post(server.url + TRANSCRIPTIONS, content=body, headers=kind)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_form"), body
    many = httpx.post(server.url + TRANSCRIPTIONS, data={f"f{n}": "x" for n in range(70)}, files=FINE)
    assert many.status_code == 413
    unknown = httpx.post(server.url + TRANSCRIPTIONS, data={"model": "gpt"}, files=FINE)
    assert unknown.status_code == 404


def test_what_is_too_long_is_refused_in_a_sentence(model):
    minute = file_of(np.zeros((60 * 8000, 1), np.float32), 8000, "FLAC")
    with running({"tiny": model}, max_decoded_bytes=2**20) as server:
        files = {"file": ("a.flac", minute)}
        reply = httpx.post(server.url + TRANSCRIPTIONS, data={"model": "tiny"}, files=files, timeout=60)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "file")
        assert "at most 1048576 are allowed; make it smaller" in reply.json()["error"]["message"]
        assert server.state.kept._free == server.state.settings.workers, "its place is free again"


def test_speech_is_a_file_of_what_the_model_says(client, model):
    with pytest.raises(openai.BadRequestError, match="alloy"):
        client.audio.speech.create(model="tiny", input="hello", voice="alloy")
    own = sm.speak(model, "hello", seed=3)
    for format_ in ("wav", "flac"):
        asked = dict(model="tiny", input="hello", voice="default", response_format=format_, extra_body={"seed": 3})
        samples, rate_hz = read(client.audio.speech.create(**asked).content)
        assert rate_hz == RATE_HZ
        np.testing.assert_allclose(samples, own.array, atol=1e-4)
    raw = client.audio.speech.create(
        model="tiny", input="hello", voice={"id": "default"}, response_format="pcm", extra_body={"seed": 3}
    ).content
    samples = np.frombuffer(raw, "<i2") / 32767
    assert len(samples) == pytest.approx(len(own.array) * 1.5, abs=2)
    assert np.abs(samples).mean() == pytest.approx(np.abs(own.array).mean(), abs=0.02)


def test_speech_comes_while_the_model_speaks(client, server):
    asked = dict(model="tiny", input="hello there. how are you?", voice="default", extra_body={"seed": 3})
    whole = client.audio.speech.create(**asked, response_format="wav").content
    with client.audio.speech.with_streaming_response.create(**asked, response_format="wav") as reply:
        assert reply.headers["content-type"] == "audio/wav"
        pieces = list(reply.iter_bytes(chunk_size=None))
    assert b"".join(pieces) == whole
    assert len(pieces) > 2
    assert whole[4:8] == whole[40:44] == b"\xff" * 4, "nobody knows its length yet"
    slow = client.audio.speech.create(**asked | {"model": "slow", "input": "hello"}, response_format="wav").content
    assert len(slow) == int.from_bytes(slow[4:8], "little") + 8, "a codec that does not stream knows it"


def test_speech_as_events(server):
    asked = {"model": "tiny", "input": "hello", "response_format": "pcm", "stream_format": "sse", "seed": 3}
    with httpx.stream("POST", server.url + SPEECH, json=asked, timeout=60) as reply:
        lines = [line.removeprefix("data: ") for line in reply.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line) for line in lines[:-1]]
    assert [event["type"] for event in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    raw = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert raw == server.post(SPEECH, asked | {"stream_format": "audio"}).content
    assert events[-1]["type"] == "speech.audio.done"
    assert events[-1]["usage"]["total_tokens"] > events[-1]["usage"]["output_tokens"] > 0


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"input": ""}, "input", "at least 1"),
        ({"input": "  "}, None, "no words"),
        ({"input": "x" * 5000}, "input", "4096"),
        ({"voice": "alloy"}, "voice", "'default', not 'alloy'"),
        ({"voice": {"id": "voice_1"}}, "voice", "voice_1"),
        ({"speed": 1.5}, "speed", "speed"),
        ({"speed": math.pi}, "speed", "speed"),
        ({"response_format": "aac"}, "response_format", "its formats: .*wav.*pcm"),
        ({"response_format": "../wav"}, "response_format", "its formats"),
        ({"stream_format": "chunks"}, "stream_format", "'audio' or 'sse'"),
        ({"instructions": "whisper"}, "instructions", "not offered"),
        ({"lang": "en"}, "lang", "unknown parameter"),
        ({"model": "blind"}, "model", "cannot write 'audio'"),
        ({"model": "painter"}, "model", "cannot write 'audio'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_a_wish_for_speech_is_told_in_a_sentence(server, fields, param, said):
    reply = server.post(SPEECH, {"model": "tiny", "input": "hello"} | fields)
    assert reply.status_code == 400, reply.text
    error = reply.json()["error"]
    assert error["param"] == param
    assert re.search(said, error["message"]), error["message"]


def test_another_attempt_says_it_in_another_way(server):
    asked = {"model": "tiny", "input": "hello", "response_format": "pcm"}
    first, again, second = (server.post(SPEECH, asked | {"attempt": number}).content for number in (0, 0, 1))
    assert first == again != second


def test_speech_is_refused_before_it_begins_and_needs_no_model_name(server):
    assert server.post(SPEECH, {"input": "hello", "speed": 1, "instructions": ""}).status_code == 200
    assert server.post(SPEECH, {"model": "gpt", "input": "hello"}).status_code == 404
    with running({"painter": tiny_assistant()}) as other:
        reply = other.post(SPEECH, {"input": "hello"})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "model")


def chat(client: Any, **fields: Any) -> Any:
    asked = {"model": "tiny", "messages": [{"role": "user", "content": "Say: hello"}], "seed": 3}
    return client.chat.completions.create(**asked | {"modalities": ["audio"]} | fields)


def test_a_chat_answers_with_sound_in_openais_form(client, model):
    reply = chat(client, audio={"voice": "default", "format": "wav"})
    audio = reply.choices[0].message.audio
    samples, rate_hz = read(base64.b64decode(audio.data))
    own = model.chat("Say: hello", "audio", seed=3).parts[0]
    np.testing.assert_allclose(samples, own.array, atol=1e-4)
    assert rate_hz == RATE_HZ and audio.id and audio.transcript == ""
    raw = chat(client, audio={"voice": "default", "format": "pcm16"}).choices[0].message.audio
    assert len(base64.b64decode(raw.data)) == pytest.approx(len(own.array) * 3, abs=4)
    content = [{"type": "input_audio", "input_audio": {"data": base64.b64encode(TALK).decode(), "format": "wav"}}]
    with pytest.raises(openai.BadRequestError, match=r"lasts 2\.8 s"):
        chat(client, messages=[{"role": "user", "content": content}])
    content[0]["input_audio"]["data"] = base64.b64encode(file_of(tones(0.1, 0.3))).decode()
    heard = chat(client, messages=[{"role": "user", "content": content}], modalities=["text"], max_tokens=4)
    assert heard.usage.modality_tokens["prompt"]["audio"] == 21


def test_a_streamed_chat_tells_sound_piece_by_piece(client, model):
    asked = dict(modalities=["text", "audio"], audio={"voice": "default", "format": "pcm16"}, temperature=1)
    seed = next(n for n in range(50) if len({part.modality for part in model.chat(
        "Say: hello", ("text", "audio"), seed=n, temperature=1.0, max_tokens=150).parts}) == 2)  # fmt: skip
    whole = chat(client, **asked, seed=seed, max_tokens=150).choices[0].message
    chunks = list(chat(client, **asked, seed=seed, max_tokens=150, stream=True))
    deltas = [choice.delta.model_dump() for chunk in chunks for choice in chunk.choices]
    told = [delta["audio"] for delta in deltas if delta.get("audio")]
    sounds = len([part for part in whole.parts if part["type"] == "audio_url"])
    assert sounds > 0
    assert len({one["id"] for one in told if one.get("data")}) == sounds
    assert len([one for one in told if one.get("expires_at") is not None]) == sounds
    assert "".join(one.get("transcript") or "" for one in told) == whole.content != ""
    assert "".join(delta.get("content") or "" for delta in deltas) == whole.content
    parts = [part for delta in deltas for part in delta.get("parts") or []]
    assert [part["codes"] for part in parts] == [part["codes"] for part in whole.parts if "codes" in part]


def test_streamed_samples_are_those_of_the_whole(client, model):
    whole = chat(client, audio={"voice": "default", "format": "pcm16"}).choices[0].message.audio
    for name in ("tiny", "slow"):
        chunks = chat(client, model=name, audio={"voice": "default", "format": "pcm16"}, stream=True)
        told = [choice.delta.model_dump().get("audio") for chunk in chunks for choice in chunk.choices]
        data = [base64.b64decode(one["data"]) for one in told if one and one.get("data")]
        assert b"".join(data) == base64.b64decode(whole.data)
        assert (len(data) > 1) == (name == "tiny")


@pytest.mark.parametrize(
    ("audio", "stream", "param"),
    [
        ({"voice": "alloy", "format": "wav"}, False, "audio.voice"),
        ({"voice": "default", "format": "wav"}, True, "audio.format"),
        ({"voice": "default"}, True, "audio.format"),
        ({"voice": "default", "format": "aac"}, False, "audio"),
        ({"voice": "default", "format": 5}, False, "audio"),
        ({"voice": "default", "format": {"a": 1}}, False, "audio"),
        ({"voice": "default", "speed": 2}, False, "audio.speed"),
    ],
    ids=str,
)
def test_what_a_chat_says_of_sound_is_done_or_refused(server, audio, stream, param):
    reply = server.post("/v1/chat/completions", ask("hello", modalities=["audio"], audio=audio, stream=stream))
    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["param"] == param


def test_sound_that_is_named_by_its_id_is_not_left_out_in_silence(server):
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "audio": {"id": "audio_1"}}]
    reply = server.post("/v1/chat/completions", {"model": "tiny", "messages": [*history, *history[:1]]})
    assert reply.status_code == 400
    assert "nothing is stored" in reply.json()["error"]["message"]


def test_metrics_tell_the_time_to_the_first_sound_and_how_fast_it_comes(server):
    server.post(SPEECH, {"model": "tiny", "input": "hello", "response_format": "pcm"})
    text = server.get("/metrics").text
    for name in ("sensorium_first_piece_seconds", "sensorium_realtime_factor"):
        (line,) = [
            line for line in text.splitlines() if line.startswith(f'{name}_count{{modality="audio",model="tiny"}}')
        ]
        assert float(line.split()[-1]) > 0


def test_whoever_goes_ends_the_speech_and_gives_back_its_places(server):
    state = server.state
    asked = {"model": "tiny", "input": "hello. " * 200, "response_format": "pcm"}
    with httpx.stream("POST", server.url + SPEECH, json=asked) as reply:
        next(reply.iter_bytes())
    end = time.monotonic() + 20
    while state.registry.get("tiny").scheduler.writing and time.monotonic() < end:
        time.sleep(0.02)
    assert state.registry.get("tiny").scheduler.writing == 0
    assert state.kept._free == state.settings.workers
