"""OpenAI's own client hears and speaks with a model behind a server: what comes back, and how long it takes.

    sensorium serve MODEL --port 8123
    PYTHONPATH=. python benchmarks/openai_audio.py http://127.0.0.1:8123/v1 --model MODEL --out results/speech

Held-out clips of the recipe `speech` are transcribed (as JSON, and streamed) and put into a chat as ``input_audio``;
their words are said (WAV), and the recipe's outside recogniser writes down what it hears. Subtitles must parse.
Prints error rates of letters and medians of seconds as Markdown; ``--out`` takes them (``openai_audio.md``).
"""

from __future__ import annotations

import argparse
import base64
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import openai
import soundfile
from recipes.speech.clips import Clip, folder, read_manifest
from recipes.speech.errors import counted, rate_of
from recipes.speech.recogniser import Recogniser
from recipes.speech.sound import read_sound

from sensorium.modalities.speech_words import WHAT_IS_SAID
from sensorium.types import Signal

Call = Callable[[Clip], str]


def calls(client: openai.OpenAI, model: str, recognise: Recogniser) -> Mapping[str, Call]:
    """What is asked about a clip, by what it is called; each gives text."""
    transcribe = client.audio.transcriptions.create

    def sound(clip: Clip) -> tuple[str, bytes]:
        made = io.BytesIO()
        signal = read_sound(folder() / clip.path)
        soundfile.write(made, signal.array, round(signal.rate_hz or 0), format="WAV")
        return "clip.wav", made.getvalue()

    def streamed(clip: Clip) -> str:
        events: Any = transcribe(model=model, file=sound(clip), stream=True)
        return "".join(one.delta for one in events if one.type == "transcript.text.delta")

    def subtitled(clip: Clip) -> str:
        import srt

        found: Any = transcribe(model=model, file=sound(clip), response_format="srt")
        return " ".join(one.content for one in srt.parse(found))

    def chatted(clip: Clip) -> str:
        heard = {"data": base64.b64encode(sound(clip)[1]).decode(), "format": "wav"}
        content: Any = [{"type": "input_audio", "input_audio": heard}, {"type": "text", "text": WHAT_IS_SAID}]
        reply = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": content}], temperature=0
        )
        return reply.choices[0].message.content or ""

    def said(clip: Clip) -> str:
        reply = client.audio.speech.create(model=model, input=clip.text, voice="default", response_format="wav")
        samples, rate_hz = soundfile.read(io.BytesIO(reply.content), dtype="float32", always_2d=True)
        return recognise([Signal(samples, float(rate_hz))], [clip.lang])[0]

    return {
        "audio.transcriptions": lambda clip: transcribe(model=model, file=sound(clip)).text,
        "audio.transcriptions, streamed": streamed,
        "audio.transcriptions, srt": subtitled,
        "chat.completions with input_audio": chatted,
        "audio.speech, heard by the recogniser": said,
    }


def row(name: str, call: Call, clips: list[Clip]) -> str:
    texts, took_s = [], []
    for clip in clips:
        began = perf_counter()
        texts.append(call(clip))
        took_s.append(perf_counter() - began)
    wrong = rate_of(*counted([clip.text for clip in clips], texts, "letters", [clip.lang for clip in clips]))
    return f"| {name} | {wrong} | {median(took_s):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    clips = [clip for clip in read_manifest() if clip.part == "test"][: asked.clips]
    client = openai.OpenAI(base_url=asked.url, api_key="any", max_retries=0, timeout=600)
    lines = ["| call | letters wrong | seconds, median |", "|---|---|---|"]
    for name, call in calls(client, asked.model, Recogniser()).items():
        lines.append(row(name, call, clips))
        print(lines[-1], flush=True)
    if asked.out:
        (asked.out / "openai_audio.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
