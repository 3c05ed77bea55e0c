"""Write constraints.txt: the versions in this environment of everything Sensorium and its extras need.

.venv/bin/python tools/lock.py
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TARGET = Path(__file__).resolve().parent.parent / "constraints.txt"
HEAD = "# Tested versions, written by tools/lock.py. torch is installed first, see tools/install_torch.py.\n"


def main() -> None:
    pins: dict[str, str] = {}
    extras = distribution("sensorium").metadata.get_all("Provides-Extra") or []
    collect("sensorium", tuple(extras), pins)
    pins.pop("sensorium")
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    TARGET.write_text(HEAD + "".join(lines))
    print(f"{len(lines)} packages in {TARGET}")


def collect(name: str, extras: tuple[str, ...], pins: dict[str, str]) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return
    seen = canonicalize_name(name) in pins
    pins[canonicalize_name(name)] = package.version.split("+")[0]
    for line in package.requires or []:
        wanted = Requirement(line)
        needed = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in (*extras, ""))
        if needed and not (seen and not extras):
            collect(wanted.name, tuple(wanted.extras), pins)


if __name__ == "__main__":
    main()
