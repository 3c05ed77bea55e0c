"""The models that are served, by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Annotated, Any, TypeVar

from sensorium.checked import Range, checked
from sensorium.engines import make_engine
from sensorium.generate import Assistant
from sensorium.model import resolve
from sensorium.serve.garbage import collect
from sensorium.serve.http.errors import ApiError
from sensorium.serve.http.replies import ModelCard
from sensorium.serve.settings import Settings
from sensorium.serve.writing.desk import Desk
from sensorium.serve.writing.scheduler import Scheduler
from sensorium.serve.writing.shared_time import SharedTime

T = TypeVar("T")
MOST_CARD_BYTES = 2**20


class Served:
    """A model with a thread that writes and a thread at a desk, where media are encoded and answers decoded.

    Attributes:
        reads, writes: modalities beside text, in the order of the model's codecs.
        named_ids: ids of special tokens and codes, which have names instead of text.
    """

    def __init__(self, name: str, model: Assistant, settings: Settings, languages: list[str] | None = None):
        self.name, self.model, self.languages, self.created = name, model, languages, int(time.time())
        shared = SharedTime()
        self.scheduler = Scheduler(
            model.engine,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            request_s=settings.request_s,
            shared=shared,
        )
        self._desk = Desk(shared)
        self.named_ids = frozenset(model.tokenizer.added_tokens_decoder)
        facts = [layout.facts for layout in model.vocabulary.layouts]
        self.reads = list(dict.fromkeys(fact.modality for fact in facts if fact.use != "write"))
        self.writes = list(dict.fromkeys(fact.modality for fact in facts if fact.use != "read"))

    async def at_desk(self, function: Callable[..., T], *args: Any) -> T:
        """What a function of the model returns, which waits for its client's turn.

        Raises:
            ApiError: 503, the model is going.
        """
        gone = ApiError(503, f"the model {self.name!r} has just been unloaded", code="model_unloaded")
        try:
            future = self._desk.submit(function, *args)
        except RuntimeError as error:
            raise gone from error
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise gone from error  # nobody cancelled whoever waits: `close` cancelled the call

    def card(self) -> ModelCard:
        reads, writes = ["text", *self.reads], ["text", *self.writes]
        can: Any = {"reads": reads, "writes": writes, "thinks": self.model.thinking is not None}
        return ModelCard(id=self.name, created=self.created, languages=self.languages, **can)

    def close(self) -> None:
        """End both threads; unfinished requests get an error."""
        self.scheduler.close()
        self._desk.close()


class Registry:
    """Args:
    models: by the name that requests use; what is not loaded yet by name, folder or Hub id.
    """

    def __init__(self, models: Mapping[str, Assistant | str], settings: Settings):
        self._settings = settings
        self._served = {name: self._serve(name, model) for name, model in models.items()}
        self._first = frozenset(self._served)  # names of models that were there from the start
        self._loading = asyncio.Lock()

    def __iter__(self):
        return iter(list(self._served.values()))

    def get(self, name: str) -> Served:
        """A model by name; ApiError 404 naming those that are there."""
        if name in self._served:
            return self._served[name]
        known = ", ".join(map(repr, self._served)) or "none"
        raise ApiError(404, f"no model {name[:100]!r} here; models: {known}", param="model", code="model_not_found")

    def _serve(self, name: str, model: Assistant | str) -> Served:
        if isinstance(model, Assistant):
            return Served(name, model, self._settings)
        loaded = Assistant.load(model)
        loaded.engine = make_engine(loaded.lm, self._settings.engine)
        return Served(name, loaded, self._settings, languages_of(model))

    async def load(self, model: str, name: str | None) -> Served:
        """Load a model by name, folder or Hub id, unless its name is taken already."""
        name = name or name_of(model)
        async with self._loading:
            if name not in self._served:
                self._served[name] = await asyncio.to_thread(self._serve, name, model)
            return self._served[name]

    async def unload(self, name: str) -> None:
        """Take a model away; its memory goes back to the system, once the last request has let go of it.

        Raises:
            ApiError: 404, there is none.
        """
        await asyncio.to_thread(self._taken(name))
        await asyncio.to_thread(collect, name in self._first)

    def _taken(self, name: str) -> Callable[[], None]:
        """How a model that is served no more is closed; nothing here holds it afterwards."""
        served = self.get(name)
        del self._served[name]
        return served.close

    def close(self) -> None:
        for served in self:
            served.close()
        self._served.clear()


def name_of(model: str) -> str:
    """What a model is called unless it is given a name: the last part of its folder or Hub id."""
    return PurePath(model).name or model


def languages_of(model: str) -> list[str] | None:
    """What the model's card says of its languages."""
    from huggingface_hub import ModelCard as HubCard

    readme = resolve(model) / "README.md"
    with suppress(Exception):  # a card is for people: a damaged one tells nothing
        text = readme.read_text(encoding="utf-8") if readme.stat().st_size < MOST_CARD_BYTES else ""
        found = HubCard(text, ignore_metadata_errors=True).data.get("language")
        found = [found] if isinstance(found, str) else found
        return checked(found, Annotated[list[Annotated[str, Range(1, 64)]], Range(0, 1000)] | None, "language")
    return None
