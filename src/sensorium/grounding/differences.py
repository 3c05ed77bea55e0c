"""What differs between the facts of two media, aspect by aspect, and facts in words.

A difference is only what both facts know: where one does not say all, its silence denies nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from sensorium.data.facts import Facts, Thing
from sensorium.grounding.twins import ASPECTS
from sensorium.grounding.wording import SPATIAL, a, number, phrase, plural, single

NEGATIONS = frozenset((
    "no", "not", "never", "none", "nothing", "without", "nobody", "isn't", "aren't", "doesn't", "cannot", "can't",
))  # fmt: skip
AUXILIARIES = frozenset(("is", "are", "does", "do", "can"))
ARTICLES = frozenset(("a", "an", "the"))
PLACES = frozenset(chain.from_iterable(one.split() for one in SPATIAL)) | ASPECTS["direction"]


@dataclass(frozen=True)
class Difference:
    """In words what one has and the other has not, by aspect: {"colour": "red star / blue star"}; empty if nothing."""

    by_aspect: dict[str, str]

    @property
    def aspects(self) -> tuple[str, ...]:
        return tuple(sorted(self.by_aspect))

    @property
    def words(self) -> str:
        return "; ".join(f"{aspect}: {said}" for aspect, said in sorted(self.by_aspect.items()))

    def is_about(self, words: Sequence[str]) -> bool:
        """Whether it names one of the words; of several words in one, all in a row."""
        return any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", self.words, re.IGNORECASE) for one in words)


def difference(one: Facts, other: Facts) -> Difference:
    """What differs.

    Of two media with one thing each whose names are captions, the words that differ say in what; see `of_captions`.
    Aspects: those of things and of the setting; "object" (one thing for another), "existence" (a thing more),
    "number", "binding" (the same values, on other things), "relation", "action".
    """
    return Difference(dict(differences(one, other)))


def differences(one: Facts, other: Facts) -> Iterator[tuple[str, str]]:
    """As `difference`, aspect by aspect; the first ones cost less than all."""
    if is_caption(one) and is_caption(other):
        first, second = one.things[0], other.things[0]
        if first.name not in second.synonyms and second.name not in first.synonyms:
            yield from of_captions(first.name, second.name).items()
        return
    yield from _of_setting(one, other)
    yield from _of_things(one, other)


def is_caption(facts: Facts) -> bool:
    """Whether all that is known is the name of a single thing."""
    return len(facts.things) == 1 and not facts.things[0].attributes and not facts.setting and not facts.events


def of_captions(one: str, other: str) -> dict[str, str]:
    """In what two captions differ, by the words that only one of them has; nothing where case and articles differ.

    "order" where the words are the same; "words" where more than one differs and no table knows them.
    """
    first, second = _words(one), _words(other)
    gone, come = Counter(first) - Counter(second), Counter(second) - Counter(first)
    said = f"{one} / {other}"
    if not gone and not come:
        return {} if first == second else {"order": said}
    changed = {*gone, *come}
    denied = {"negation": said} if changed & NEGATIONS else {}
    changed -= NEGATIONS | AUXILIARIES if denied else set()
    if denied and not changed:
        return denied
    for aspect, known in (*ASPECTS.items(), ("relation", PLACES)):
        if changed <= known:
            return denied | {aspect: said}
    if any(word in ASPECTS["number"] for word in changed) and _one_stem(changed - ASPECTS["number"]):
        return denied | {"number": said}
    return denied | {"object" if sum(gone.values()) <= 1 and sum(come.values()) <= 1 else "words": said}


def _words(caption: str) -> list[str]:
    return [word for word in re.findall(r"[\w'’]+", caption.lower().replace("’", "'")) if word not in ARTICLES]


def _one_stem(words: set[str]) -> bool:
    """Whether words are a noun and its plural, or nothing."""
    return len(words) < 3 and len({re.sub(r"e?s$", "", word) for word in words}) <= 1


def _of_setting(one: Facts, other: Facts) -> Iterator[tuple[str, str]]:
    for aspect in one.setting.keys() & other.setting.keys():
        if set(one.setting[aspect]) != set(other.setting[aspect]):
            yield aspect, f"{', '.join(one.setting[aspect])} / {', '.join(other.setting[aspect])}"


def _of_things(one: Facts, other: Facts) -> Iterator[tuple[str, str]]:
    first, second = _counts(one), _counts(other)
    if first is None or second is None:
        return
    gone, come = _surely(first - second, one, other), _surely(second - first, other, one)
    if gone or come:
        said = f"{_listed(gone) or 'nothing'} / {_listed(come) or 'nothing'}"
        if gone.total() == come.total():
            yield "object", said
        else:
            yield ("number" if first.keys() == second.keys() else "existence"), said
        yield from _of_values(one, other)
        return
    if first != second:
        return
    yield from _of_attributes(one, other)
    if "relations" in one.complete and "relations" in other.complete:
        yield from _changed("relation", _relations(one), _relations(other))
    if "events" in one.complete and "events" in other.complete:
        yield from _changed("action", _events(one), _events(other))


def _counts(facts: Facts) -> Counter[str] | None:
    """How often there is each thing; None where there is a crowd that nobody counted."""
    found: Counter[str] = Counter()
    for thing in facts.things:
        if thing.count is None:
            return None
        found[thing.name] += thing.count
    return found


def _surely(more: Counter[str], one: Facts, other: Facts) -> Counter[str]:
    """Of what one has more of, that which the other is known not to have."""
    there = {name for thing in other.things for name in thing.synonyms}
    known = "things" in other.complete
    return Counter({name: n for name, n in more.items() if (known or name in other.absent) and name not in there})


def _listed(things: Counter[str]) -> str:
    return ", ".join(f"{number(count)} {name}" for name, count in sorted(things.items()))


def _of_attributes(one: Facts, other: Facts) -> Iterator[tuple[str, str]]:
    """Aspects of which things of a name have other values; "binding" where the values are only given to others."""
    known = [aspect for aspect in _aspects(one) if _all_have(one, aspect) and _all_have(other, aspect)]
    same = True
    for aspect in known:
        first, second = _valued(one, aspect), _valued(other, aspect)
        if first != second:
            moved = Counter(value for _, value in first.elements()) == Counter(value for _, value in second.elements())
            yield "binding" if moved else aspect, _sides(first, second)
            same = False
    if same:
        yield from _changed("binding", _phrases(one, known), _phrases(other, known))


def _of_values(one: Facts, other: Facts) -> Iterator[tuple[str, str]]:
    """Aspects of which things of other names, or numbers, have other values: one has some that the other has not, and
    the other way round, or as many things have others."""
    for aspect in _aspects(one):
        if _all_have(one, aspect) and _all_have(other, aspect):
            first, second = (Counter(value for _, value in _valued(facts, aspect).elements()) for facts in (one, other))
            gone, come = first - second, second - first
            if gone and come:
                yield aspect, f"{', '.join(sorted(gone))} / {', '.join(sorted(come))}"


def _aspects(facts: Facts) -> list[str]:
    return sorted({aspect for thing in facts.things for aspect in thing.attributes} - {"other"})


def _all_have(facts: Facts, aspect: str) -> bool:
    return aspect in facts.complete or all(thing.attributes.get(aspect) for thing in facts.things)


def _valued(facts: Facts, aspect: str) -> Counter[tuple[str, str]]:
    return Counter((thing.name, " ".join(sorted(thing.attributes.get(aspect, ())))) for thing in facts.things)


def _phrases(facts: Facts, aspects: Sequence[str]) -> Counter[str]:
    return Counter(
        " ".join((*(" ".join(sorted(thing.attributes.get(one, ()))) for one in aspects), thing.name))
        for thing in facts.things
    )


def _sides(first: Counter[tuple[str, str]], second: Counter[tuple[str, str]]) -> str:
    gone, come = (", ".join(sorted(f"{v or 'no'} {n}" for n, v in one)) for one in (first - second, second - first))
    return f"{gone} / {come}"


def _changed(aspect: str, first: Counter[str], second: Counter[str]) -> Iterator[tuple[str, str]]:
    if first != second:
        gone, come = (", ".join(sorted(one)) or "nothing" for one in (first - second, second - first))
        yield aspect, f"{gone} / {come}"


def _relations(facts: Facts) -> Counter[str]:
    names = [thing.name for thing in facts.things]
    return Counter(
        f"{names[one.subject]} {one.predicate} {' and '.join(names[index] for index in one.objects)}"
        for one in facts.relations
    )


def _events(facts: Facts) -> Counter[str]:
    return Counter(f"{facts.things[one.subject].name} {one.what} {one.direction}".strip() for one in facts.events)


def described(facts: Facts) -> str:
    """The facts as a caption: what there is, what it does, where it is, and the setting.

    A caption that is the name of a single thing stays as it is.
    """
    if is_caption(facts):
        return facts.things[0].name
    said = [_together(facts), *sorted(_events(facts)), *_one_way(facts)]
    said += [f"{aspect} {', '.join(values)}" for aspect, values in facts.setting.items()]
    return "; ".join(one for one in said if one)


def _together(facts: Facts) -> str:
    """ "a red star and two blue rings"."""
    counts: Counter[str] = Counter()
    for thing in facts.things:
        counts[_phrase(thing)] += thing.count or 2
    said = [a(one) if count == 1 else f"{number(count)} {plural(one)}" for one, count in counts.items()]
    return " and ".join(said) or "nothing"


def _phrase(thing: Thing) -> str:
    values = {aspect: single(thing, aspect) for aspect in thing.attributes}
    return phrase({"name": thing.name} | {aspect: value for aspect, value in values.items() if value})


def _one_way(facts: Facts) -> list[str]:
    """Relations, each said once: of what is left of another it is not said that the other is right of it."""
    names = [thing.name for thing in facts.things]
    found: dict[tuple[int, ...], str] = {}
    for one in facts.relations:
        pair = tuple(sorted((one.subject, *one.objects)))
        objects = " and ".join(f"the {names[index]}" for index in one.objects)
        found.setdefault(pair, f"the {names[one.subject]} is {one.predicate} {objects}")
    return list(found.values())
