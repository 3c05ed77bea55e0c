"""Energy of a run: measured by codecarbon where it is installed, else estimated from CPU time, and labelled so."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

CPU_WATTS = 10.0  # per busy core; between a laptop's and a server's, memory included
JOULES_PER_KWH = 3.6e6
CPU_TIME = f"estimate: CPU time at {CPU_WATTS:g} W a core"


@dataclass(frozen=True)
class Energy:
    """Args:
    kwh: kilowatt-hours so far.
    source: how they were found, e.g. ``"codecarbon (CPU, RAM; process)"``.
    """

    kwh: float = 0.0
    source: str = CPU_TIME

    def __str__(self) -> str:
        return f"{self.kwh * 1000:.3g} Wh ({self.source})"


class Meter:
    """Counts the energy of this process from its making on.

    Args:
        before: what earlier runs used.
        gpu: the GPU this process uses; None for all it can see.
    """

    def __init__(self, before: Energy | None = None, gpu: int | None = None, use_codecarbon: bool = True):
        self.before = before or Energy()
        self._tracker = _tracker(gpu) if use_codecarbon else None
        self._reading = self._tracker.reading if self._tracker else _CpuTime()

    def read(self) -> Energy:
        kwh, source = self._reading()
        known = self.before.kwh > 0 and self.before.source != source
        return Energy(self.before.kwh + kwh, f"{self.before.source}; then {source}" if known else source)

    def close(self) -> None:
        if self._tracker:
            self._tracker.stop()


class _CpuTime:
    def __init__(self) -> None:
        self._start = self._seconds()

    def __call__(self) -> tuple[float, str]:
        return (self._seconds() - self._start) * CPU_WATTS / JOULES_PER_KWH, CPU_TIME

    @staticmethod
    def _seconds() -> float:
        """CPU seconds of this process and all its threads, in user and system mode."""
        times = os.times()
        return times.user + times.system


class _CodeCarbon:
    """codecarbon's tracker in its offline mode; its readings arrive at a handler whenever it is flushed."""

    def __init__(self, gpu: int | None) -> None:
        from codecarbon import OfflineEmissionsTracker
        from codecarbon.output import BaseOutput

        logging.getLogger("codecarbon").setLevel(logging.ERROR)  # after the import, which sets it too

        class Handler(BaseOutput):
            total: Any = None

            def out(self, total: Any, delta: Any) -> None:
                self.total = total

            def live_out(self, total: Any, delta: Any) -> None:
                self.total = total

        self._handler = Handler()
        # The country only matters for grams of CO2, which are not reported: only the user knows the grid.
        self._tracker = OfflineEmissionsTracker(
            country_iso_code="FRA", tracking_mode="process", save_to_file=False, output_handlers=[self._handler],
            allow_multiple_runs=True, log_level="error", measure_power_secs=15, gpu_ids=None if gpu is None else [gpu],
        )  # fmt: skip
        self._tracker.start()

    def reading(self) -> tuple[float, str]:
        self._tracker.flush()
        total = self._handler.total
        parts = {"CPU": total.cpu_energy, "GPU": total.gpu_energy, "RAM": total.ram_energy} if total else {}
        counted = ", ".join(name for name, kwh in parts.items() if kwh) or "nothing yet"
        return (total.energy_consumed if total else 0.0), f"codecarbon, this process: {counted}"

    def stop(self) -> None:
        self._tracker.stop()


def _tracker(gpu: int | None) -> _CodeCarbon | None:
    try:
        return _CodeCarbon(gpu)
    except ImportError:
        return None
    except Exception as error:
        logging.getLogger(__name__).warning("codecarbon could not start (%s); energy is estimated from CPU time", error)
        return None
