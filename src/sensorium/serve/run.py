"""Running the server until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from sensorium.device import share_freed_memory
from sensorium.types import InputError

SWITCH_S = 0.0005
"""For which a thread of Python keeps the others waiting; a request changes threads a dozen times."""


def run(models: Sequence[str], **options: Any) -> None:
    """Load models and serve them.

    Args:
        models: names, folders or Hub ids; ``NAME=MODEL`` gives one a name.
        options: fields of `Settings`.

    Raises:
        InputError: an extra is missing, a model cannot be loaded, the address is taken.
    """
    share_freed_memory()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        from sensorium.serve.app import create_app
        from sensorium.serve.garbage import set_apart
        from sensorium.serve.http.graceful import GracefulServer, config
        from sensorium.serve.settings import Settings
    except ImportError as error:
        raise InputError(
            f"the server needs packages that are missing ({error.name}): pip install 'sensorium[serve]'"
        ) from error
    settings, named = Settings(**options), _named(models)
    listening = _listen(settings.host, settings.port)
    app = create_app(named, settings)
    app.openapi()  # made once: a tenth of a second, which would hold up everybody when it is first asked for
    set_apart()
    sys.setswitchinterval(SWITCH_S)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    port = listening.getsockname()[1]
    shown = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"serving {', '.join(named)} at http://{shown}:{port}", flush=True)
    if not settings.on_loopback and not settings.api_keys:
        print("anybody who can reach this address can use it: give --api-key to ask for a key", flush=True)
    GracefulServer(config(app, settings), app.state.server.registry.close).run(sockets=[listening])


def _named(models: Sequence[str]) -> dict[str, str]:
    """The models by the names that requests use."""
    named: dict[str, str] = {}
    for model in models:
        name, equals, rest = model.partition("=")
        name, place = (name, rest) if equals else (PurePath(model).name or model, model)
        if name in named:
            raise InputError(f"two models would be called {name!r}; give one another name, NAME={place}")
        named[name] = place
    return named


def _listen(host: str, port: int) -> socket.socket:
    from sensorium.serve.http.connections import Listening

    try:
        family, kind, number, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = Listening(family, kind, number)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host} port {port} ({error.strerror}); choose another with --port"
        ) from error
    return listening
