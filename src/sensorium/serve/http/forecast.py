"""``POST /v1/timeseries/forecast``: how series go on, in the form of KServe's time series API."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal, Self

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, FiniteFloat, model_validator

from sensorium.generate.forecast import GO_ON, Continuation, continuation
from sensorium.modalities import modality
from sensorium.serve.http.fields import Name, String, items
from sensorium.serve.http.reading import JsonRoute
from sensorium.serve.http.replies import Usage
from sensorium.serve.http.server import Server, Shared, new_id
from sensorium.serve.registry import Served
from sensorium.types import InputError, Part, Signal

router = APIRouter(route_class=JsonRoute)
SERIES = "series"
SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86400, "W": 604800}
"""Seconds of a step by KServe's frequency; longer ones have no fixed number."""
Level = FiniteFloat


class SeriesInput(BaseModel):
    """What is known of one series; a row of several numbers is a sample of several channels."""

    type: Literal["univariate_time_series", "multivariate_time_series"] = "univariate_time_series"
    name: String = Field(max_length=500)
    series: (
        Annotated[list[FiniteFloat], items(100_000)]
        | Annotated[list[Annotated[list[FiniteFloat], items(1000)]], items(100_000)]
    ) = Field(min_length=2)
    frequency: str = Field("h", max_length=20, description="Of its samples: s, min, h, D, W, or any other name.")
    start_timestamp: str | None = Field(None, max_length=100)

    def signal(self) -> Signal:
        """The series as a medium; InputError when its rows differ in length."""
        try:
            array = np.array(self.series, dtype=np.float32)
        except ValueError as error:
            raise InputError(
                f"the series {self.name!r} has rows of different lengths; give one number a channel"
            ) from error
        seconds = SECONDS.get(self.frequency)
        return modality(SERIES).check(Signal(array, rate_hz=None if seconds is None else 1 / seconds))


class ForecastOptions(BaseModel):
    """How far, and how sure.

    ``request`` is what the model was taught to go on at, ``deviations`` whether it was taught with series in standard
    deviations from their mean; both beyond KServe.
    """

    horizon: int = Field(ge=1, le=10_000, description="Steps to come.")
    quantiles: Annotated[list[float], items(99)] = [0.1, 0.5, 0.9]
    samples: int | None = Field(
        None, ge=1, description="Continuations that are drawn; default: as many as are allowed for all inputs."
    )
    temperature: float = Field(1.0, ge=0, le=100)
    seed: int = Field(0, ge=0, le=2**31)
    request: String = Field(GO_ON, max_length=1000)
    deviations: bool = False

    @model_validator(mode="after")
    def _check_levels(self) -> Self:
        if not all(0 < level < 1 for level in self.quantiles):
            raise ValueError("quantiles lie between 0 and 1, e.g. [0.1, 0.5, 0.9]")
        return self


class ForecastRequest(BaseModel):
    model: Name
    inputs: Annotated[list[SeriesInput], items(16, least=1)]
    options: ForecastOptions


class ForecastContent(BaseModel):
    """One number a step, or with several channels one row; ``quantiles`` by their level."""

    mean_forecast: list[Any]
    frequency: str
    start_timestamp: str | None
    quantiles: dict[str, list[Any]]


class ForecastOutput(BaseModel):
    type: Literal["time_series_forecast"] = "time_series_forecast"
    name: str
    content: list[ForecastContent]


class ForecastReply(BaseModel):
    id: str
    created_at: int
    status: Literal["completed"] = "completed"
    error: None = None
    model: str
    outputs: list[ForecastOutput]
    usage: Usage


@router.post("/v1/timeseries/forecast")
async def forecast(body: ForecastRequest, request: Request, server: Shared) -> ForecastReply:
    """How series go on: mean and quantiles of several continuations, each written by the model."""
    served = server.registry.get(body.model)
    samples = body.options.samples or max(1, server.settings.max_answers // len(body.inputs))
    server.check(samples * len(body.inputs), None)

    async def work() -> ForecastReply:
        made = [await served.at_desk(_started, one, body.options, served, server) for one in body.inputs]
        writing = server.write(request, served, [one.turn for one in made], answers=samples)
        written, usage = await server.written(served, writing, samples)
        groups = [written[first : first + samples] for first in range(0, len(written), samples)]
        ids = [[[token.id for token in answer.tokens] for answer in group] for group in groups]
        outputs = [
            await served.at_desk(_output, *each, body.options) for each in zip(body.inputs, made, ids, strict=True)
        ]
        return ForecastReply(
            id=new_id("forecast"), created_at=int(time.time()), model=served.name, outputs=outputs, usage=usage
        )

    return await server.finish(request, work())


def _started(known: SeriesInput, options: ForecastOptions, served: Served, server: Server) -> Continuation:
    how: dict[str, Any] = options.model_dump(include={"request", "deviations", "temperature", "seed"})
    try:
        made = continuation(served.model, Part(SERIES, known.signal()), options.horizon, **how)
    except InputError as error:
        raise InputError(f"series {known.name!r}: {error}") from error
    server.check(1, made.turn.sampling.max_tokens)
    return made


def _output(known: SeriesInput, made: Continuation, ids: list[list[int]], options: ForecastOptions) -> ForecastOutput:
    found = made.forecast([made.rows(one) for one in ids], options.quantiles or [0.5])
    flat = found.mean.shape[1] == 1

    def listed(rows: np.ndarray) -> list[Any]:
        return (rows[:, 0] if flat else rows).astype(float).tolist()

    content = ForecastContent(
        mean_forecast=listed(found.mean),
        frequency=known.frequency,
        start_timestamp=known.start_timestamp,
        quantiles={f"{level:g}": listed(rows) for level, rows in zip(options.quantiles, found.quantiles, strict=False)},
    )
    return ForecastOutput(name=known.name, content=[content])
