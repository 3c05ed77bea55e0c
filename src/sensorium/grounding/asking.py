"""Asking models everything, and going on where a killed run stopped: what was answered is not asked again.

A run leaves in its folder ``logs/`` (inspect_ai's, one a model and condition), ``cache/`` (answers), ``costs.json``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensorium.evaluate import Run, read_log
from sensorium.files import atomic_file
from sensorium.grounding.chair import Chair
from sensorium.grounding.media import parts
from sensorium.grounding.question import Question
from sensorium.grounding.specs import ModelSpec, key_of, reached
from sensorium.grounding.views import View
from sensorium.training.energy import Energy, Meter
from sensorium.types import InputError

RETRIES = 4
"""Of a request that an endpoint failed, each after a longer wait."""
TIMEOUT_S = 120


@dataclass(frozen=True)
class Cost:
    """Args:
    seconds: that the model took to answer, summed over requests.
    input_tokens, output_tokens: as it counts them; 0 where it does not.
    requests: answered.
    energy: of this process while a model in it was asked; None for endpoints.
    """

    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    energy: Energy | None = None

    def to_json(self) -> dict[str, Any]:
        energy = None if self.energy is None else {"wh": round(1000 * self.energy.kwh, 6), "source": self.energy.source}
        return {**vars(self), "seconds": round(self.seconds, 3), "energy": energy}


@dataclass(frozen=True)
class Asked:
    """What one model under one condition answered."""

    spec: ModelSpec
    view: View
    run: Run
    cost: Cost


@dataclass(frozen=True)
class Asking:
    """An evaluation.

    Args:
        questions: and ``folder``, that their media are relative to.
        file: the questions' own, for scripts.
        out: folder of the run.
        chair: knows what captions may name.
        say: hears what goes on.
        wait_s: of one request.
    """

    questions: Sequence[Question]
    folder: Path
    file: Path
    out: Path
    chair: Chair
    say: Callable[[str], None] = print
    retries: int = RETRIES
    timeout_s: int = TIMEOUT_S

    def all(self, specs: Iterable[ModelSpec], views: Callable[[ModelSpec], Sequence[View]]) -> list[Asked]:
        """Every model under every view of it; endpoints and media are looked for before anything is asked.

        Raises:
            InputError: an endpoint is not reached, a medium is missing, or as `one`.
        """
        known = [reached(spec) for spec in specs]
        for question in self.questions:
            parts(question, self.folder)
        return [self.one(spec, view) for spec in known for view in views(spec)]

    def one(self, spec: ModelSpec, view: View) -> Asked:
        """The answers of a model under a view: those of a finished log, or asked now.

        Raises:
            InputError: no question got an answer; the first reason is told.
        """
        place = self._place(spec, view)
        log = self._finished(place)
        if log is None:
            self.say(f"{spec.name}, {view.condition}: asking {len(self.questions)} questions")
            log = self._ask(spec, view, place)
        run = replace(read_log(log), model=spec.name, condition=view.condition, task="grounding")
        if not run.marks:
            raise InputError(f"{spec.name} answered none of {run.failed} questions: {_first_error(log)}")
        return Asked(spec, view, run, self._cost(log, place))

    def _place(self, spec: ModelSpec, view: View) -> str:
        """Where the log of a model, a view and these very questions lies."""
        asked = [one.to_json() for one in self.questions]
        said = json.dumps([vars(spec), view.condition, asked], sort_keys=True)
        named = re.sub(r"\W+", "-", f"{spec.name}-{view.condition}").strip("-").lower()
        return f"{named}-{hashlib.sha256(said.encode()).hexdigest()[:10]}"

    def _finished(self, place: str) -> Path | None:
        """The newest log at a place that is complete, and in which nothing failed."""
        from inspect_ai.log import read_eval_log

        for path in sorted((self.out / "logs" / place).glob("*.eval"), reverse=True):
            try:
                log = read_eval_log(str(path))
            except Exception:  # cut short by a kill; its answers are in the cache
                continue
            if log.status == "success" and log.samples and not any(sample.error for sample in log.samples):
                return path
        return None

    def _ask(self, spec: ModelSpec, view: View, place: str) -> Path:
        from inspect_ai import eval as inspect_eval

        from sensorium.grounding.harness import task

        with self._environment(), self._metered(spec, place):
            (log,) = inspect_eval(
                task(self.questions, self.folder, View("blind") if spec.blind else view, self.chair),
                model=self._model(spec),
                log_dir=str(self.out / "logs" / place),
                display="none",
                log_level="error",
                fail_on_error=False,
                max_retries=self.retries,
                timeout=self.timeout_s * (self.retries + 1),
                attempt_timeout=self.timeout_s,
                max_connections=1 if not spec.is_endpoint else spec.parallel,
                max_samples=1 if not spec.is_endpoint else spec.parallel,
                log_realtime=False,
            )
        if log.status == "cancelled":
            raise KeyboardInterrupt
        if log.status == "error":
            raise InputError(
                f"{spec.name} could not be asked: {log.error.message if log.error else 'no reason is given'}"
            )
        return Path(str(log.location).removeprefix("file://"))

    def _model(self, spec: ModelSpec) -> Any:
        from inspect_ai.model import get_model

        import sensorium.grounding.registry  # noqa: F401

        if spec.script:
            return get_model(f"scripted/{spec.script}", questions=spec.questions or str(self.file))
        if spec.is_endpoint:
            return get_model(f"openai-api/endpoint/{spec.model}", base_url=spec.url, api_key=key_of(spec))
        if spec.model.startswith("inspect:"):
            return get_model(spec.model.removeprefix("inspect:"))
        return get_model(f"sensorium/{spec.model}", engine=spec.engine, contrast=spec.contrast)

    @contextmanager
    def _environment(self) -> Any:
        """Answers are cached in the run's folder; the cache and the logging of this process are as before afterwards.

        inspect_ai makes itself a handler of everything that is logged here, and lets through errors alone.
        """
        before = os.environ.get("INSPECT_CACHE_DIR")
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        os.environ["INSPECT_CACHE_DIR"] = str((self.out / "cache").absolute())
        try:
            yield
        finally:
            root.setLevel(level)
            root.handlers[:] = handlers
            if before is None:
                del os.environ["INSPECT_CACHE_DIR"]
            else:
                os.environ["INSPECT_CACHE_DIR"] = before

    @contextmanager
    def _metered(self, spec: ModelSpec, place: str) -> Any:
        """Notes the energy of a model in this process; a second run adds to what the first one used."""
        if spec.is_endpoint or spec.script:
            yield
            return
        meter = Meter(before=self._energies().get(place), use_codecarbon=False)
        try:
            yield
        finally:
            found = {name: vars(one) for name, one in {**self._energies(), place: meter.read()}.items()}
            meter.close()
            with atomic_file(self.out / "costs.json") as path:
                path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")

    def _energies(self) -> Mapping[str, Energy]:
        path = self.out / "costs.json"
        return {name: Energy(**one) for name, one in json.loads(path.read_text()).items()} if path.is_file() else {}

    def _cost(self, log: Path, place: str) -> Cost:
        from inspect_ai.log import read_eval_log

        outputs = [
            event.output
            for sample in read_eval_log(str(log)).samples or []
            for event in sample.events
            if event.event == "model"
        ]
        usages = [one.usage for one in outputs if one.usage is not None]
        return Cost(
            sum(one.time or 0.0 for one in outputs),
            sum(one.input_tokens for one in usages),
            sum(one.output_tokens for one in usages),
            len(outputs),
            self._energies().get(place),
        )


def _first_error(log: Path) -> str:
    from inspect_ai.log import read_eval_log

    errors = (sample.error.message for sample in read_eval_log(str(log)).samples or [] if sample.error)
    return " ".join(next(errors, "no reason is given").split())[:300]
