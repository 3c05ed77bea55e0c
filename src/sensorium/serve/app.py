"""The application: models and settings in, an ASGI app out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles

from sensorium import plugins
from sensorium.generate import Assistant
from sensorium.serve.garbage import give_back_regularly
from sensorium.serve.http import chat, completions, doors, errors, models, responses, tokens
from sensorium.serve.http.guard import Guard
from sensorium.serve.http.reading import JsonReader
from sensorium.serve.http.replies import ErrorReply
from sensorium.serve.http.server import Server
from sensorium.serve.media.messages import Reader
from sensorium.serve.media.workers import Workers
from sensorium.serve.metrics import Metrics
from sensorium.serve.registry import Registry
from sensorium.serve.settings import Settings

PAGE = Path(__file__).resolve().parent / "page"
ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorReply, "description": "The request is wrong, refused, or must wait."},
    "5XX": {"model": ErrorReply, "description": "The server failed."},
}


def create_app(models_by_name: Mapping[str, Assistant | str], settings: Settings | None = None) -> FastAPI:
    """The server's application; run it with any ASGI server.

    Args:
        models_by_name: what requests call them; a string is loaded as `sensorium.load` does.
        settings: limits and permissions.

    Raises:
        InputError: a model cannot be loaded.
    """
    settings = settings or Settings()
    registry, workers = Registry(models_by_name, settings), Workers(settings)
    metrics = Metrics(registry, workers)
    server = Server(settings, registry, workers, Reader(workers, settings), metrics, JsonReader(settings.max_values))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        giving_back = asyncio.create_task(give_back_regularly())
        yield
        giving_back.cancel()
        server.json.close()
        await workers.close()
        registry.close()

    app = FastAPI(
        title="Sensorium",
        description="OpenAI's API for models that read and write any modality.",
        version=version("sensorium"),
        lifespan=lifespan,
        docs_url=None,  # these pages would load scripts from the internet
        redoc_url=None,
        responses=ERRORS,
        dependencies=[Depends(HTTPBearer(auto_error=False))] if settings.api_keys else [],
    )
    app.state.server = server
    app.add_middleware(Guard, settings=settings, metrics=metrics)
    errors.install(app)
    for topic in (chat, responses, completions, tokens, models, doors):
        app.include_router(topic.router)
    for name in plugins.names(plugins.ROUTES):
        app.include_router(plugins.load(plugins.ROUTES, name))
    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    if not (PAGE / "index.html").is_file():
        return
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")
