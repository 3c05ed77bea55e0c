"""Where ratings of words and real sentences come from.

The ratings are trained on. The sentences are fetched when a model is measured, and never trained on.
"""

from __future__ import annotations

from sensorium.data.fetch import Credit, Package

LEXICON = Package(name="vaderSentiment", registry="pypi", version="3.3.2", only="vaderSentiment/")
REVIEWS = Package(name="sentiment", version="5.0.2")

CREDITS = (
    Credit(
        name="VADER lexicon", package=LEXICON, author="C. J. Hutto and E. Gilbert (2014)", licence="MIT",
        url="https://github.com/cjhutto/vaderSentiment", use="whether words are positive, as ten people rated them",
    ),
    Credit(
        name="Sentiment labelled sentences", package=REVIEWS,
        author="D. Kotzias and others (2015); package by Andrew Sliwinski", licence="CC-BY-4.0, package MIT",
        url="https://archive.ics.uci.edu/dataset/331/sentiment+labelled+sentences",
        use="evaluation only, never trained on",
    ),
)  # fmt: skip
