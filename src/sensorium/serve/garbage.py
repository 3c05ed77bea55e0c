"""What Python's garbage collector does while a server runs: it holds up every thread for as long as it takes.

A pass over all objects, those of the libraries and of the models included, takes a third of a second, and a request of
many small values is enough to set one off. So what is there once the server has started is set apart from all passes.
"""

from __future__ import annotations

import asyncio
import gc

from sensorium.device import give_back_freed_memory

GIVE_BACK_S = 60


def set_apart() -> None:
    """Leave all that is there now out of later passes."""
    gc.collect()
    gc.freeze()


def collect(set_apart_too: bool) -> None:
    """Free what nobody uses, models above all, which are full of cycles; their memory goes back to the system.

    Args:
        set_apart_too: look among what was set apart as well, which takes longer.
    """
    looks_there = set_apart_too and gc.get_freeze_count() > 0
    if looks_there:
        gc.unfreeze()
    gc.collect()
    if looks_there:
        gc.freeze()
    give_back_freed_memory()


async def give_back_regularly() -> None:
    """Return to the system, once a minute, what lies free between pieces of memory in use."""
    while True:
        await asyncio.sleep(GIVE_BACK_S)
        await asyncio.to_thread(give_back_freed_memory)
