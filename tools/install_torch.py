"""Install torch before anything else asks for it, as a CPU build where there is no NVIDIA GPU.

    .venv/bin/python tools/install_torch.py [auto|cpu|gpu]

The version is the one in constraints.txt. Where the user's own package sources offer a CPU build it is taken;
otherwise ``uv`` knows where torch's makers keep theirs. Standard library only: it runs in an empty environment.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parent.parent / "constraints.txt"


def main(wish: str = "auto") -> None:
    wanted = tested_version()
    gpu = wish == "gpu" or (wish == "auto" and has_nvidia_gpu())
    if installed(wanted, gpu):
        return
    print(f"installing torch {wanted} ({'CUDA' if gpu else 'CPU'} build)", flush=True)
    for command in attempts(wanted, gpu):
        if run(command) and installed(wanted, gpu):
            return
    sys.exit(
        f"torch {wanted} could not be installed. Check the network and the package sources, or put torch into "
        ".venv yourself (a CPU build unless you have an NVIDIA GPU), and run the command again."
    )


def tested_version() -> str:
    found = re.search(r"^torch==([\d.]+)", CONSTRAINTS.read_text(), re.MULTILINE)
    assert found, "constraints.txt names no torch"
    return found.group(1)


def has_nvidia_gpu() -> bool:
    if Path("/proc/driver/nvidia/version").exists():
        return True
    smi = shutil.which("nvidia-smi")
    return smi is not None and subprocess.run([smi, "-L"], capture_output=True, check=False).returncode == 0


def installed(wanted: str, gpu: bool) -> bool:
    """Whether torch is there in the right version; a CPU build does not do where a GPU is asked for."""
    try:
        there = version("torch")
    except PackageNotFoundError:
        return False
    return there.split("+")[0] == wanted and not (gpu and there.endswith("+cpu"))


def attempts(wanted: str, gpu: bool) -> list[list[str]]:
    """Commands to try in turn."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, "--quiet"]
    get_uv = [*pip, "uv"]
    if gpu:
        return [get_uv, [*uv, "--reinstall-package=torch", "--torch-backend=auto", f"torch=={wanted}"],
                [*pip, f"torch=={wanted}"]]  # fmt: skip
    if sys.platform != "linux":  # elsewhere the usual build is a CPU build already
        return [[*pip, f"torch=={wanted}"]]
    return [[*pip, f"torch=={wanted}+cpu"], get_uv, [*uv, "--torch-backend=cpu", f"torch=={wanted}"]]


def run(command: list[str]) -> bool:
    """Run one attempt; what it printed is shown only when it failed."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        last = (result.stdout.strip().splitlines() or ["no reason given"])[-1]
        print(f"  {' '.join(command[1:])}: {last}", flush=True)
    return result.returncode == 0


if __name__ == "__main__":
    main(*sys.argv[1:2])
