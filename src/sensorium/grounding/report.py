"""The report of an evaluation: JSON with everything, Markdown, and one HTML page that stands alone."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sensorium.evaluate import Mark
from sensorium.files import atomic_file
from sensorium.grounding.asking import Asked, Asking
from sensorium.grounding.media import parts
from sensorium.grounding.question import Question
from sensorium.grounding.summary import comparisons, gains, summary, verdict
from sensorium.modalities import modality

MISSES = 12
"""Examples of wrong answers shown for each model, in turn by aspect."""
PREVIEW_PX = 128


@dataclass(frozen=True)
class Report:
    """Everything that was found, as JSON; and the questions, for the examples."""

    said: dict[str, Any]

    @classmethod
    def of(cls, asking: Asking, asked: Sequence[Asked], command: str) -> Report:
        gained = gains(asked)
        rows = [summary(one) for one in asked]
        shown = [row for row in rows if row["condition"] == "model"]
        return cls(
            {
                "about": _about(asking, asked, command),
                "verdicts": [verdict(row, gained) for row in shown],
                "rows": rows,
                "gains": gained,
                "comparisons": comparisons(asked),
                "misses": [_misses(asking, one) for one in asked if one.view.kind == "model"],
            }
        )

    def save(self, out: Path) -> Path:
        """Write ``report.html``, ``report.json`` and ``report.md``; the path of the first."""
        from sensorium.grounding.page import page
        from sensorium.grounding.tables import markdown

        data = json.dumps(self.said, indent=1, ensure_ascii=False) + "\n"
        for name, text in (("report.json", data), ("report.md", markdown(self.said)), ("report.html", page(self.said))):
            with atomic_file(out / name) as path:
                path.write_text(text, encoding="utf-8")
        return out / "report.html"


def _about(asking: Asking, asked: Sequence[Asked], command: str) -> dict[str, Any]:
    content = json.dumps([one.to_json() for one in asking.questions], sort_keys=True)
    kinds: dict[str, int] = {}
    for one in asking.questions:
        kinds[one.task] = kinds.get(one.task, 0) + 1
    packages = ("sensorium", "inspect-ai", "transformers", "torch")
    return {
        "command": command,
        "questions": len(asking.questions),
        "media": len({one.medium for one in asking.questions}),
        "tasks": kinds,
        "digest": hashlib.sha256(content.encode()).hexdigest()[:16],
        "models": [vars(spec) for spec in dict.fromkeys(one.spec for one in asked)],
        "versions": {name: version(name) for name in packages} | {"python": platform.python_version()},
    }


def _misses(asking: Asking, asked: Asked) -> dict[str, Any]:
    known = {one.id: one for one in asking.questions}
    wrong: dict[tuple[str, str], list[Mark]] = {}
    for mark in asked.run.marks:
        if not mark.right and mark.question in known:
            wrong.setdefault((mark.more["task"], mark.aspect), []).append(mark)
    chosen: list[Mark] = []
    while len(chosen) < MISSES and any(wrong.values()):
        chosen += [marks.pop(0) for marks in wrong.values() if marks]
    return {
        "model": asked.spec.name,
        "examples": [_example(asking, known[one.question], one) for one in chosen[:MISSES]],
    }


def _example(asking: Asking, question: Question, mark: Mark) -> dict[str, Any]:
    part = parts(question, asking.folder)[0]
    kind = modality(part.modality)
    return {
        "task": question.task,
        "aspect": question.aspect,
        "tier": question.tier,
        "text": question.text,
        "options": list(question.options),
        "said": mark.said if mark.outcome == "answered" else f"{mark.said} ({mark.outcome})",
        "truth": question.answer,
        "preview": kind.preview_uri(kind.open(part.data), PREVIEW_PX),
    }
