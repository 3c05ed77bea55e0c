"""``/v1/models``: which models there are; load and unload them. ``/health`` and ``/metrics``."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request, Response

from sensorium.serve.http.errors import ApiError
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import Health, ModelCard, ModelList, UnloadReply
from sensorium.serve.http.schemas import LoadRequest, UnloadRequest
from sensorium.serve.http.server import Shared

router = APIRouter(route_class=JsonRoute)
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def _admin(request: Request, server: Shared) -> None:
    """Whoever has the key, or sits at this machine; behind a proxy everybody seems to."""
    if server.settings.api_keys:
        return
    host = request.client.host if request.client else ""
    passed_on = any(name in request.headers for name in FORWARDED)
    if not server.settings.on_loopback or host not in ("127.0.0.1", "::1") or passed_on:
        raise ApiError(403, "models are loaded and unloaded only on the server's own machine, or with its API key")


@router.get("/v1/models")
async def models(server: Shared) -> ModelList:
    """The models and what they read and write."""
    return ModelList(data=[served.card() for served in server.registry])


@router.get("/v1/models/{model:path}")
async def model(model: str, server: Shared) -> ModelCard:
    """One model."""
    return server.registry.get(model).card()


@router.post("/v1/models/load", dependencies=[Depends(_admin)])
async def load(body: LoadRequest, server: Shared) -> ModelCard:
    """Load a model beside the others; one that is there already stays as it is."""
    return (await server.registry.load(body.model, body.name)).card()


@router.post("/v1/models/unload", dependencies=[Depends(_admin)])
async def unload(body: UnloadRequest, server: Shared) -> UnloadReply:
    """Forget a model; requests that it has not finished get an error."""
    await server.registry.unload(body.model)
    return UnloadReply(id=body.model, unloaded=True)


@router.get("/health")
async def health(server: Shared) -> Health:
    """Whether the server is up, and with which models."""
    return Health(models=[served.name for served in server.registry])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(server: Shared) -> Response:
    """Counters for Prometheus."""
    return Response(server.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
