"""OpenAI's client for Python: what it hears and says. Whom it asks hears what it has said itself."""

from __future__ import annotations

import base64

import openai
from calls import HEARING, KEY, MODEL, SAID, URL, call, check, is_said, is_sound, is_text, user

client = openai.OpenAI(base_url=URL, api_key=KEY)
create = client.chat.completions.create
TWO_SENTENCES = "It is late. We are going home."
WAV = {"voice": "default", "format": "wav"}


def recording() -> tuple[str, bytes]:
    made = client.audio.speech.create(model=MODEL, voice="default", input=SAID, response_format="wav")
    return "said.wav", made.content


@call
def speech():
    return is_sound(recording()[1])


@call
def speech_stream():
    asked = {"model": MODEL, "voice": "default", "input": TWO_SENTENCES, "response_format": "wav"}
    with client.audio.speech.with_streaming_response.create(**asked) as reply:
        pieces = list(reply.iter_bytes(chunk_size=None))
    check(len(pieces) > 1, [len(piece) for piece in pieces])
    return f"{len(pieces)} pieces: {is_sound(b''.join(pieces))}"


@call
def transcription():
    return is_said(client.audio.transcriptions.create(model=MODEL, file=recording()).text)


@call
def transcription_times():
    told = client.audio.transcriptions.create(model=MODEL, file=recording(), response_format="verbose_json")
    check(all(0 <= one.start < one.end <= told.duration + 0.01 for one in told.segments), told)
    subtitles = client.audio.transcriptions.create(model=MODEL, file=recording(), response_format="srt")
    check(subtitles.startswith("1\n00:00:0") and " --> " in subtitles, subtitles)
    return is_said(" ".join(one.text for one in told.segments))


@call
def transcription_stream():
    events = list(client.audio.transcriptions.create(model=MODEL, file=recording(), stream=True))
    said = "".join(one.delta for one in events if one.type == "transcript.text.delta")
    check(events[-1].type == "transcript.text.done" and events[-1].text == said, events[-1])
    return is_said(said)


@call
def translation():
    return is_said(client.audio.translations.create(model=MODEL, file=recording()).text)


@call
def hearing():
    heard = {"data": base64.b64encode(recording()[1]).decode(), "format": "wav"}
    asked = [{"type": "input_audio", "input_audio": heard}, {"type": "text", "text": HEARING}]
    return is_said(create(model=MODEL, messages=user(asked), temperature=0).choices[0].message.content)


@call
def saying():
    reply = create(model=MODEL, messages=user(f"Say: {SAID}"), modalities=["audio"], audio=WAV)
    return f"message.audio: {is_sound(base64.b64decode(reply.choices[0].message.audio.data))}"


@call
def saying_stream():
    raw = WAV | {"format": "pcm16"}
    asked = create(model=MODEL, messages=user(f"Say: {SAID}"), modalities=["audio"], audio=raw, stream=True)
    told = [one.delta.audio for piece in asked for one in piece.choices if getattr(one.delta, "audio", None)]
    check(told[-1].expires_at is not None, told[-1])
    pieces = [base64.b64decode(one.data) for one in told if one.data]
    return f"delta.audio, {len(pieces)} pieces: {is_sound(b''.join(pieces), rate_hz=24_000)}"


@call
def words_or_sound():
    asked = user("What is the capital of France?")
    message = create(model=MODEL, messages=asked, modalities=["text", "audio"], audio=WAV).choices[0].message
    if message.audio is not None:
        return f"spoken: {is_sound(base64.b64decode(message.audio.data))}"
    return f"in words alone: {is_text(message.content)}"


@call
def voice():
    client.audio.speech.create(model=MODEL, voice="alloy", input=SAID)


@call
def mute():
    client.audio.speech.create(model=MODEL, voice="default", input=SAID)


@call
def deaf():
    client.audio.transcriptions.create(model=MODEL, file=("hello.wav", b"RIFF"))
