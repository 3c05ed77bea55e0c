"""What is installed, what is missing and what it would enable, and what the machine offers.

The list of dependencies and extras is read from the package's own metadata, so it is written only once.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path

from sensorium import files, plugins

ENABLES = {
    "svg": "files in SVG, and fetching the data of the recipe `pictograms`",
    "train": "loss curves in TensorBoard and the energy of a training run",
    "gguf": "growing a base model that is stored as GGUF, and exporting one for llama.cpp",
    "fast": "writing several times faster on a CPU, with ONNX Runtime",
    "llamacpp": "running an exported model in llama.cpp, from Python",
    "eval": "grounding evaluation, and the intervals and tests in tables of results",
    "speech": "the recipe of speech: a teacher voice, and an outside recogniser to measure with",
    "video": "clips in MP4, WebM and other containers",
    "structured": "answers of a given form: JSON schemas, tools",
    "serve": "the OpenAI-compatible server and its web page",
    "dev": "the tests, the linter and the type checker",
}
"""What each optional extra of the package is for."""

MAY_BREAK = ("torchvision", "torchaudio", "torchcodec")
"""Packages that Sensorium never needs and that break transformers when their build does not fit torch's."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A required or optional package; ``version`` is None when it is missing."""

    name: str
    version: str | None


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An optional extra of Sensorium: what it is for and the packages it brings."""

    name: str
    enables: str
    packages: tuple[Package, ...]

    @property
    def complete(self) -> bool:
        return all(package.version for package in self.packages)


@dataclass(frozen=True, kw_only=True)
class Device:
    """A place to compute; memory in bytes, None where it cannot be told."""

    name: str
    kind: str
    free_bytes: int | None
    total_bytes: int | None


@dataclass(kw_only=True)
class Report:
    """The result of `examine`. ``problems`` are sentences that say what is wrong and what to do."""

    sensorium: str
    python: str
    system: str
    packages: list[Package] = field(default_factory=list)
    extras: list[Extra] = field(default_factory=list)
    plugins: dict[str, Sequence[str]] = field(default_factory=dict)
    models_in_the_box: list[str] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    threads: int = 0
    cores: int = 0
    busy_cores: float = 0.0
    cache: str = ""
    cache_bytes: int = 0
    cache_free_bytes: int = 0
    problems: list[str] = field(default_factory=list)


def examine() -> Report:
    """Look at the installation and the machine. Nothing is changed and nothing is downloaded."""
    report = Report(
        sensorium=version("sensorium"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )
    _packages(report)
    _plugins(report)
    _models(report)
    _machine(report)
    _cache(report)
    return report


def dependencies() -> dict[str | None, list[str]]:
    """Names of the packages Sensorium asks for: required ones under None, optional ones under their extra."""
    wanted: dict[str | None, list[str]] = {None: []}
    for line in requires("sensorium") or []:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)['"]""", line)
        if name:
            wanted.setdefault(extra.group(1) if extra else None, []).append(name.group())
    return wanted


def _packages(report: Report) -> None:
    wanted = dependencies()
    report.packages = [_package(name) for name in wanted.pop(None)]
    report.extras = [
        Extra(name=name or "", enables=ENABLES.get(name or "", ""), packages=tuple(map(_package, packages)))
        for name, packages in sorted(wanted.items(), key=str)
    ]
    for package in report.packages:
        if package.version is None:
            report.problems.append(f"{package.name} is missing; install Sensorium again: pip install sensorium")
    for name in MAY_BREAK:
        problem = broken(name)
        if problem:
            report.problems.append(problem)


def broken(name: str) -> str | None:
    """A sentence about a package that is installed but cannot be imported; None when it is absent or well."""
    if find_spec(name) is None:
        return None
    try:
        importlib.import_module(name)
    except Exception as error:  # a build that does not fit raises whatever it likes
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return (
            f"{name} {_package(name).version or ''} is installed but does not work ({reason}) and can break "
            f"transformers; Sensorium does not need it: pip uninstall {name}"
        )
    return None


def _package(name: str) -> Package:
    try:
        return Package(name=name, version=version(name))
    except PackageNotFoundError:
        return Package(name=name, version=None)


def _plugins(report: Report) -> None:
    for group in (plugins.MODALITIES, plugins.CODECS):
        kind = group.rsplit(".", 1)[-1]
        report.plugins[kind] = plugins.names(group)
        for name in report.plugins[kind]:
            try:
                plugins.load(group, name)
            except Exception as error:  # an outside plugin may fail in any way
                report.problems.append(f"the plugin {name!r} of {group} cannot be loaded: {error}")


def _models(report: Report) -> None:
    box = Path(__file__).resolve().parent / "weights"
    report.models_in_the_box = sorted(path.parent.name for path in box.glob("*/sensorium.json"))


def _machine(report: Report) -> None:
    report.cores = _usable_cores()
    report.busy_cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    free, total = memory()
    report.devices.append(Device(name=_processor(), kind="cpu", free_bytes=free, total_bytes=total))
    try:
        import torch
    except Exception as error:  # absent, or a broken installation
        report.problems.append(f"torch cannot be imported ({error}); install it again")
        return
    report.threads = torch.get_num_threads()
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        report.devices.append(Device(name=name, kind=f"cuda:{index}", free_bytes=free, total_bytes=total))
    if torch.backends.mps.is_available():
        report.devices.append(Device(name="Apple GPU", kind="mps", free_bytes=None, total_bytes=None))
    if Path("/proc/driver/nvidia").exists() and torch.version.cuda is None:
        report.problems.append(
            "there is an NVIDIA GPU but torch is a build without CUDA, so everything runs on the CPU; "
            "install torch's CUDA build to use the GPU"
        )


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(errors="replace"), re.MULTILINE)
        if found:
            return found.group(1)
    return platform.processor() or platform.machine()


def memory() -> tuple[int | None, int | None]:
    """Free and total bytes of main memory, within the limit of a container where there is one."""
    info = Path("/proc/meminfo")
    if not info.is_file():
        return None, None
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", info.read_text(), re.MULTILINE))
    free, total = int(kilobytes["MemAvailable"]) * 1024, int(kilobytes["MemTotal"]) * 1024
    limit, used = _number("/sys/fs/cgroup/memory.max"), _number("/sys/fs/cgroup/memory.current")
    if limit is not None and used is not None and limit < total:
        return min(free, max(limit - used, 0)), limit
    return free, total


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # no such limit, or "max"
        return None


def _cache(report: Report) -> None:
    cache = files.cache_dir()
    report.cache = str(cache)
    report.cache_bytes = sum(path.lstat().st_size for path in cache.rglob("*") if path.is_file())
    existing = cache
    while not existing.exists():
        existing = existing.parent
    report.cache_free_bytes = shutil.disk_usage(existing).free
    if not os.access(existing, os.W_OK):
        report.problems.append(f"the cache {cache} cannot be written; set SENSORIUM_CACHE to another folder")
