"""The data card of a set of questions: what is in it, whether answers are balanced, and what words alone give away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sensorium.data.facts import Facts
from sensorium.grounding.prior import Guess, guesses
from sensorium.grounding.question import Question


@dataclass(frozen=True)
class Card:
    """Args:
    questions: of the set.
    facts: that they were written from.
    seed: of the set.
    """

    questions: Sequence[Question]
    facts: Sequence[Facts]
    seed: int

    @property
    def duplicates(self) -> int:
        """Questions whose medium, words, form and options another one has, too."""
        return len(self.questions) - len({one.id for one in self.questions})

    def unbalanced(self) -> int:
        """Groups in which one answer is right more often than another."""
        groups: dict[str, Counter[str]] = {}
        for one in self.questions:
            if one.group:
                groups.setdefault(one.group, Counter())[one.answer] += 1
        return sum(len(set(counts.values())) > 1 for counts in groups.values())

    def places(self) -> dict[int, list[int]]:
        """How often the right answer stands first, second, ...; by number of options."""
        found: dict[int, list[int]] = {}
        for one in self.questions:
            if one.options:
                found.setdefault(len(one.options), [0] * len(one.options))[one.options.index(one.answer)] += 1
        return dict(sorted(found.items()))

    def guesses(self) -> list[Guess]:
        return guesses(self.questions)

    def to_markdown(self) -> str:
        sources = Counter((one.source or "not said", one.licence or "not said") for one in self.facts)
        lines = [
            "# Data card",
            "",
            f"{len(self.questions)} questions about {len({one.medium for one in self.questions})} media, written from "
            f"facts by `sensorium eval questions` with seed {self.seed}.",
            "",
            "| source | licence | media |",
            "|---|---|---|",
            *(f"| {source} | {licence} | {count} |" for (source, licence), count in sources.items()),
            "",
            *self._table(),
            "",
            f"Duplicates: {self.duplicates}. Groups in which an answer is right more often than another: "
            f"{self.unbalanced()}.",
            "",
            *(
                f"Where the right one of {size} options stands: {', '.join(map(str, counts))} times."
                for size, counts in self.places().items()
            ),
            "",
            "A reader of the words alone (naive Bayes, learned from the other half of the questions):",
            "",
            "| task | right (95 % interval) | chance | guessable |",
            "|---|---|---|---|",
            *(
                f"| {one.what} | {one.rate} | {100 * one.chance:.1f} % | {'yes' if one.guessable else 'no'} |"
                for one in self.guesses()
            ),
        ]
        return "\n".join(lines) + "\n"

    def _table(self) -> list[str]:
        kinds = Counter((one.task, one.aspect, one.tier) for one in self.questions)
        answers: dict[tuple[str, str, str], Counter[str]] = {}
        for one in self.questions:
            answers.setdefault((one.task, one.aspect, one.tier), Counter())[one.answer] += 1
        lines = [
            "| task | aspect | wrong answers | questions | answers | the most frequent one |",
            "|---|---|---|---|---|---|",
        ]
        for kind, count in sorted(kinds.items()):
            best = answers[kind].most_common(1)[0][1] / count
            lines.append(f"| {' | '.join(kind)} | {count} | {len(answers[kind])} | {100 * best:.1f} % |")
        return lines
