"""An evaluation from files and names: what the command ``sensorium eval grounding`` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensorium.checked import checked
from sensorium.grounding.asking import Asking
from sensorium.grounding.chair import Chair, synonyms_of
from sensorium.grounding.question import Question, TaskName, read_questions, sampled
from sensorium.grounding.report import Report
from sensorium.grounding.specs import ModelSpec, distinct, read_specs, spec_of, with_contrast
from sensorium.grounding.views import CONTROLS, CURVE, View
from sensorium.types import InputError


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Args:
    questions: file of them.
    out: folder of the run.
    models: as the command line says them; ``file`` a list in YAML, beside.
    limit: questions of each task; None for all.
    tasks: empty for all.
    controls, curve: further conditions for every model but scripts.
    synonyms: file with a table of them, for captions.
    seed: of the choice of questions.
    contrast: models in this process are also asked with this much of it, see `sensorium.engines.Sampling`.
    """

    questions: Path
    out: Path
    models: Sequence[str] = ()
    file: Path | None = None
    limit: int | None = None
    tasks: Sequence[str] = ()
    controls: bool = True
    curve: bool = False
    synonyms: Path | None = None
    seed: int = 0
    contrast: float = 0.0

    def run(self, command: str = "", say: Callable[[str], None] = print) -> Path:
        """The path of the page.

        Raises:
            InputError: files are missing or wrong, an endpoint cannot be reached, a model answers nothing.
        """
        named = [*map(spec_of, self.models), *(read_specs(self.file) if self.file else [])]
        specs = distinct([*named, *with_contrast(named, self.contrast)])
        asking = self.asking(say)
        asked = asking.all(specs, self.views)
        return Report.of(asking, asked, command).save(self.out)

    def asking(self, say: Callable[[str], None] = print) -> Asking:
        every = read_questions(self.questions)
        wanted = {checked(one, TaskName, f"task {one!r}") for one in self.tasks}
        chosen = [one for one in every if not wanted or one.task in wanted]
        chosen = chosen if self.limit is None else sampled(chosen, self.limit, self.seed)
        if not chosen:
            raise InputError(f"{self.questions} has no question of {', '.join(self.tasks)}")
        return Asking(chosen, self.questions.parent, self.questions, self.out, self._chair(every), say)

    def views(self, spec: ModelSpec) -> Sequence[View]:
        more = [*(CONTROLS if self.controls else ()), *(CURVE if self.curve else ())]
        return [View(), *([] if spec.script or spec.blind else more)]

    def _chair(self, questions: Sequence[Question]) -> Chair:
        names = sorted({name for one in questions if one.task == "caption" for name in one.also})
        if self.synonyms is None:
            return Chair(names, {})
        if not self.synonyms.is_file():
            raise InputError(f"there is no table of synonyms at {self.synonyms}")
        return Chair(names, synonyms_of(self.synonyms.read_text(encoding="utf-8")))
