"""The routes that OpenAI's API has for sound: what is said in a recording, and words said aloud."""

from __future__ import annotations

from fastapi import APIRouter

from sensorium.serve.http import audio_speech, audio_transcripts

router = APIRouter()
router.include_router(audio_transcripts.router)
router.include_router(audio_speech.router)
