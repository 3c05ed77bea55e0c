"""Sound in chats as OpenAI has it: ``"audio": {"voice": ..., "format": ...}``, and raw samples in a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sensorium.serve.http.audio_files import Raw
from sensorium.serve.http.errors import wrong
from sensorium.serve.http.pieces import Encoder

PCM16 = "pcm16"
DEFAULT_VOICE = "default"


class AudioPieces:
    """See `sensorium.serve.http.pieces.Pieces`."""

    formats: Mapping[str, Callable[[], Encoder]] = {PCM16: Raw}

    def check(self, asked: Mapping[str, Any], streamed: bool) -> None:
        for name in asked:
            if name not in ("voice", "format"):
                raise wrong(f"audio.{name[:100]}", f"audio has a voice and a format, no {name[:100]!r}; leave it out")
        check_voice(asked.get("voice"), "audio.voice")
        if streamed and asked.get("format") != PCM16:
            message = f'a stream tells sound as {PCM16} only: say "format": "{PCM16}", or leave out stream'
            raise wrong("audio.format", message, "unsupported_value")


def check_voice(voice: Any, param: str) -> None:
    """Raises ApiError 400 for a voice other than the model's own, by its name or as ``{"id": NAME}``."""
    name = voice.get("id") if isinstance(voice, Mapping) else voice
    if name not in (None, DEFAULT_VOICE):
        message = f"the models here speak in one voice of their own, {DEFAULT_VOICE!r}, not {str(name)[:40]!r}"
        raise wrong(param, message, "unsupported_value")


pieces = AudioPieces()
