"""Which models are asked: names, folders, addresses of endpoints, scripts; from the command line or a list in YAML."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from sensorium.checked import NAME, Range, checked, told
from sensorium.grounding.scripts import SCRIPTS
from sensorium.types import InputError

WAIT_S = 20.0
MOST_CONTRAST = 100


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """A model to be asked.

    Args:
        name: as the report calls it.
        model: a model in the box, a folder or a Hub id; of an endpoint the model's own name, "" for its first;
            ``script:oracle`` and the like for scripts; ``inspect:PROVIDER/MODEL`` for any that inspect_ai knows.
        url: of an endpoint with OpenAI's API, e.g. ``http://127.0.0.1:8000/v1``; "" for a model in this process.
        key_variable: environment variable with the endpoint's key.
        questions: file that the script ``n-gram`` has learned from.
        engine: that a model in this process writes with.
        contrast: that a model in this process answers with, see `sensorium.engines.Sampling`.
        blind: it takes text alone, so it is asked without the media.
        parallel: requests at a time.
    """

    name: NAME
    model: str = ""
    url: str = ""
    key_variable: NAME = ""
    questions: str = ""
    engine: NAME = "torch"
    contrast: Annotated[float, Range(0, MOST_CONTRAST)] = 0.0
    blind: bool = False
    parallel: Annotated[int, Range(1, 256)] = 4

    @property
    def script(self) -> str:
        return self.model.removeprefix("script:") if self.model.startswith("script:") else ""

    @property
    def is_endpoint(self) -> bool:
        return bool(self.url)

    @property
    def is_ours(self) -> bool:
        """Whether it is a model of ours in this process."""
        return not self.is_endpoint and not self.model.startswith(("script:", "inspect:"))


def spec_of(said: str) -> ModelSpec:
    """A model as the command line has it: a name, ``URL`` or ``URL#MODEL``, ``script:NAME``, ``script:n-gram:FILE``."""
    if said.startswith(("http://", "https://")):
        url, _, model = said.partition("#")
        return ModelSpec(name=model or url.split("//")[1], model=model, url=url)
    if said.startswith("script:"):
        _, script, *file = said.split(":", 2)
        if script not in SCRIPTS:
            raise InputError(f"there is no script {script!r}; there are {', '.join(SCRIPTS)}")
        return ModelSpec(name=script, model=f"script:{script}", questions=file[0] if file else "")
    return ModelSpec(name=Path(said).name if Path(said).is_dir() else said.removeprefix("inspect:"), model=said)


def read_specs(path: Path) -> list[ModelSpec]:
    """The models of a YAML list.

    Raises:
        InputError: it is missing, no list, an entry is wrong, or two have the same name.
    """
    try:
        import yaml
    except ImportError as error:
        raise InputError("lists of models need PyYAML; install it with `pip install 'sensorium[eval]'`") from error
    if not path.is_file():
        raise InputError(f"there is no list of models at {path}")
    with told(f"{path} is no list of models"):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        return checked(said, list[ModelSpec], "it")


def with_contrast(specs: Sequence[ModelSpec], contrast: float) -> list[ModelSpec]:
    """The models of ours once more, with contrast; none where it is 0."""
    if not 0 <= contrast <= MOST_CONTRAST:
        raise InputError(f"contrast is {contrast:g}, it must be from 0 (none) to {MOST_CONTRAST}")
    ours = [one for one in specs if one.is_ours and not one.blind and not one.contrast and contrast]
    return [replace(one, name=f"{one.name}, contrast {contrast:g}", contrast=contrast) for one in ours]


def distinct(specs: Sequence[ModelSpec]) -> list[ModelSpec]:
    """The specs; InputError where there are none, or two have the same name."""
    if not specs:
        raise InputError("no model is named; give --model or --models")
    names = [one.name for one in specs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two models are called {name!r}; give them different names in a list (--models FILE.yaml)"
            )
    return list(specs)


def reached(spec: ModelSpec) -> ModelSpec:
    """The spec of an endpoint that answers, with its model's name.

    Raises:
        InputError: nothing answers, it is too slow, says no JSON, refuses, or has no such model.
    """
    if not spec.is_endpoint:
        return spec
    names = [str(one.get("id")) for one in _asked(spec).get("data", []) if isinstance(one, dict)]
    if not spec.model and not names:
        raise InputError(f"{spec.url}/models lists no model; name one: {spec.url}#MODEL")
    if spec.model and names and spec.model not in names:
        raise InputError(f"{spec.url} has no model {spec.model!r}; it has {', '.join(names[:10])}")
    return replace(spec, model=spec.model or names[0])


def key_of(spec: ModelSpec) -> str:
    if spec.key_variable and not os.environ.get(spec.key_variable):
        raise InputError(f"the key of {spec.name} is to be in ${spec.key_variable}, which is not set")
    return os.environ.get(spec.key_variable, "none") if spec.key_variable else "none"


def _asked(spec: ModelSpec) -> dict[str, Any]:
    address = f"{spec.url.rstrip('/')}/models"
    request = Request(address, headers={"Authorization": f"Bearer {key_of(spec)}"})
    try:
        with urlopen(request, timeout=WAIT_S) as reply:
            found = json.loads(reply.read())
    except HTTPError as error:
        if error.code in (404, 405, 429) or error.code >= 500:
            return {"data": [{"id": spec.model}] if spec.model else []}
        raise InputError(f"{address} answers {error.code} {error.reason}; check the key and the address") from error
    except TimeoutError as error:
        raise InputError(f"{address} did not answer within {WAIT_S:g} s; is the server overloaded?") from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"nothing answers at {address} ({reason}); start the server or correct the address") from error
    except ValueError as error:
        raise InputError(
            f"{address} does not answer in JSON; is it an OpenAI-compatible endpoint? (/v1 at the end)"
        ) from error
    return found if isinstance(found, dict) else {}
