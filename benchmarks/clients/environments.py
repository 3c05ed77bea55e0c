"""An environment for each client, made once and kept: a venv for Python, a folder with node_modules for Node."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INSTALL_S = 900


@dataclass(frozen=True)
class Client:
    """One client.

    Attributes:
        name: what the command line calls it.
        title: as the table has it.
        file: the calls, run in the environment.
        packages: what is installed, at exact versions.
    """

    name: str
    title: str
    file: str
    packages: tuple[str, ...]

    @property
    def is_node(self) -> bool:
        return self.file.endswith(".mjs")

    @property
    def version(self) -> str:
        """Of its first package."""
        return self.packages[0].rpartition("@" if self.is_node else "==")[2]


def all_clients() -> dict[str, Client]:
    """The clients of ``clients.toml`` by name."""
    told = tomllib.loads((HERE / "clients.toml").read_text(encoding="utf-8"))
    return {name: Client(name, one["title"], one["file"], tuple(one["packages"])) for name, one in told.items()}


def command(client: Client, cache: Path) -> list[str]:
    """How to run the client's calls; its environment is made or made again when its packages changed.

    Raises:
        subprocess.CalledProcessError: something could not be installed.
    """
    folder = cache / client.name
    marker, wanted = folder / "installed.json", json.dumps(client.packages)
    if not marker.is_file() or marker.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        print(f"{client.name}: installing {' '.join(client.packages)}", file=sys.stderr, flush=True)
        (_install_node if client.is_node else _install_python)(client, folder)
        marker.write_text(wanted, encoding="utf-8")
    if not client.is_node:
        return [str(folder / "bin" / "python"), str(HERE / client.file)]
    for file in HERE.glob("*.mjs"):  # Node looks for packages beside the file
        shutil.copy(file, folder)
    return ["node", str(folder / client.file)]


def _install_python(client: Client, folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_S)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *client.packages], check=True, timeout=INSTALL_S)


def _install_node(client: Client, folder: Path) -> None:
    (folder / "package.json").write_text('{"type": "module", "private": true}', encoding="utf-8")
    npm = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--save-exact"]
    subprocess.run([*npm, *client.packages], cwd=folder, check=True, timeout=INSTALL_S)


def variables(url: str, key: str, model: str) -> dict[str, str]:
    """What a file of calls finds in its environment, and no more: no key, address or package of ours by chance."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE") if name in os.environ
    }
    folder = ROOT / "src" / "sensorium" / "weights" / model
    given = {"URL": f"{url}/v1", "KEY": key, "MODEL": model, "PICTURE": heart(), "TOKENIZER": str(folder)}
    return kept | {f"SENSORIUM_CLIENTS_{name}": value for name, value in given.items()} | {"PYTHONUTF8": "1"}


def heart() -> str:
    """A picture that the small model names with certainty, as a data URI."""
    y, x = np.mgrid[0:64, 0:64] / 32.0 - 1
    pixels = np.full((64, 64, 3), 255, np.uint8)
    pixels[(x**2 + (0.1 - y) ** 2 - 0.5) ** 3 - x**2 * (0.1 - y) ** 3 < 0] = (220, 20, 40)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
