"""Settings for all tests: no network, a cache of their own, one thread, the same seeds."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import pytest
from in_browser import chromium


@pytest.fixture(autouse=True)
def own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
):
    """Default tests see an empty cache; slow ones may use what the user has already fetched."""
    if request.node.get_closest_marker("slow") is None:
        monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def same_seeds():
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch):
    """The made-up modality and codec family of the tests are known, as if a package had brought them."""
    if "toys" in sys.modules:
        from toys import Toy, ToyCodec

        from sensorium import plugins

        monkeypatch.setitem(plugins._registered, (plugins.MODALITIES, "toy"), Toy())
        monkeypatch.setitem(plugins._registered, (plugins.CODECS, "toy"), ToyCodec)


@pytest.fixture(scope="module")
def browser():
    with chromium() as made:
        yield made
