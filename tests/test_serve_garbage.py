"""What is unloaded is gone, and what the server started with costs no pass of the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from serving import tiny_assistant

from sensorium.serve.garbage import set_apart
from sensorium.serve.registry import Registry
from sensorium.serve.settings import Settings


@pytest.fixture
def no_passes():
    """The collector runs when it is told to only, and nothing stays set apart."""
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.mark.parametrize("apart", [False, True])
def test_an_unloaded_model_leaves_memory(no_passes, apart):
    registry = Registry({"tiny": tiny_assistant(), "other": tiny_assistant()}, Settings())
    weights = weakref.ref(registry.get("tiny").model.lm)
    if apart:
        set_apart()
    asyncio.run(registry.unload("tiny"))
    assert weights() is None
    assert bool(gc.get_freeze_count()) == apart
    registry.close()


def test_what_was_there_at_the_start_is_not_looked_at_again(no_passes):
    before = len(gc.get_objects())
    set_apart()
    assert len(gc.get_objects()) < before / 100
