"""The pictograms recipe's sources, names, split and drawing, on tiny made-up sets; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recipes.__main__ import find
from recipes.pictograms import pictures
from recipes.pictograms.clipart import Clip, clean_stem, clean_title, read_clip
from recipes.pictograms.concepts import load_pictures
from recipes.pictograms.emoji import Emoji, EmojiNames, key_of
from recipes.pictograms.icons import Namer, flag_key, wanted, whole
from recipes.pictograms.sets import emoji_drawings, emoji_names
from recipes.pictograms.sources import SOURCES, Package, Source
from recipes.pictograms.split import known_root, root_of, split_of

from sensorium.data.iconify import icon_svg
from sensorium.modalities.drawings import Layer, draw, place, place_all
from sensorium.recipe.command import main

TINY = {
    "smiley": ("1F600", "grinning face", 0, []),
    "hand": ("1F44B", "waving hand", 1, ["1F3FB", "1F3FF"]),
    "cook_man": ("1F468-200D-1F373", "man cook", 1, []),
    "cook_woman": ("1F469-200D-1F373", "woman cook", 1, []),
    "apple": ("1F34E", "red apple", 4, []),
    "flag": ("1F1EB-1F1F7", "flag: France", 9, []),
}
FRENCH = {"red apple": "pomme rouge"}
ICONS = {"grinning-face": "red", "waving-hand": "orange", "waving-hand-dark-skin-tone": "brown", "cook": "blue"}
OPAQUE = '<rect x="4" y="4" width="24" height="24" fill="{}"/>'


def emoji_table() -> dict[str, Emoji]:
    made = {}
    for key, label, group, tones in TINY.values():
        for number, tone in [(0, ""), *((1 if t == "1F3FB" else 5, t) for t in tones)]:
            suffix = {0: "", 1: ": light skin tone", 5: ": dark skin tone"}[number]
            full = f"{key}-{tone}" if tone else key
            made[full] = Emoji(
                key=full, label=label + suffix, base=label, group=str(group), tone=number, names={"en": label + suffix}
            )
    return made


def write_emoji_data(folder: Path) -> None:
    """A package in the form of ``emojibase-data`` with the six emoji above."""
    entries = [{"label": "regional indicator A", "hexcode": "1F1E6", "type": 1}]
    for key, label, group, tones in TINY.values():
        names = {1: "light", 5: "dark"}
        skins = [
            {"label": f"{label}: {names[n]} skin tone", "hexcode": f"{key}-{tone}", "tone": n}
            for n, tone in zip((1, 5), tones, strict=False)
        ]
        entries.append({"label": label, "hexcode": key, "group": group, "tags": [label.split()[-1]], "skins": skins})
    for locale in ("en", "fr", "es", "de", "it"):
        (folder / locale / "shortcodes").mkdir(parents=True)
        told = [{**e, "label": FRENCH.get(e["label"], e["label"])} for e in entries] if locale == "fr" else entries
        (folder / locale / "data.json").write_text(json.dumps(told))
    groups = {"0": "smileys-emotion", "1": "people-body", "4": "food-drink", "9": "flags"}
    (folder / "meta").mkdir()
    (folder / "meta" / "groups.json").write_text(json.dumps({"groups": groups}))
    (folder / "meta" / "unicode-names.json").write_text(json.dumps({"1F600": "GRINNING FACE"}))
    for file in ("cldr", "iamcal", "joypixels", "github", "emojibase-legacy"):
        (folder / "en" / "shortcodes" / f"{file}.json").write_text(json.dumps({"1F34E": ["apple", "fruit"]}))


def write_icons(folder: Path, names: dict[str, str], chars: dict[str, str] | None = None) -> None:
    folder.mkdir(parents=True)
    icons = {"width": 32, "height": 32, "icons": {n: {"body": OPAQUE.format(c)} for n, c in names.items()}}
    icons["aliases"] = {"smiley": {"parent": "grinning-face"}} if "grinning-face" in names else {}
    (folder / "icons.json").write_text(json.dumps(icons))
    (folder / "chars.json").write_text(json.dumps(chars or {}))


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> tuple[Source, ...]:
    """Three unpacked sets in a cache of their own: one of emoji, one held out, one of icons."""
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    packages = tmp_path / "packages"
    write_emoji_data(packages / "names-1")
    write_icons(packages / "emoji-1", ICONS, {"1f469-200d-1f373": "cook"})
    write_icons(packages / "held-1", {"unheard-of": "red", "apple": "green", "flag-for-france": "blue"})
    write_icons(packages / "icons-1", {"red-apple": "purple", "widget-9": "teal", "twin": "teal", "acme-logo": "black"})
    facts = {"licence": "MIT", "author": "A. Body", "url": "https://example.org"}
    made = (
        Source(
            style="emoji", family="emoji", package=Package(name="emoji", version="1"), kind="emoji", tier="A", **facts
        ),
        Source(style="held", family="held", package=Package(name="held", version="1"), kind="emoji", tier="C", **facts),
        Source(
            style="icons", family="icons", package=Package(name="icons", version="1"), kind="icons", tier="B", **facts
        ),
    )
    from recipes.pictograms import sets

    monkeypatch.setattr(sets, "EMOJI_DATA", Package(name="names", version="1"))
    monkeypatch.setattr(sets, "EMOJI_SOURCES", made[:2])
    return made


# --- roots and split


@pytest.mark.parametrize(
    ("labels", "root"),
    [
        (["man astronaut", "woman astronaut", "astronaut", "astronaut: dark skin tone"], "astronaut"),
        (["person running", "man running facing right", "woman running: medium-light skin tone"], "running"),
        (["man: red hair", "woman: dark skin tone, red hair", "person: red hair"], "red hair"),
        (["man", "woman", "person", "boy", "girl"], "person"),
        (["kiss: woman, man", "kiss: man, man"], "kiss"),
        (["family: man, woman, girl", "family"], "family"),
        (["merman", "mermaid", "merperson"], "mermaid"),
        (["old man", "old woman", "older person"], "old"),
        (["prince", "princess"], "royal"),
    ],
)
def test_variants_of_a_concept_share_a_root(labels, root):
    assert {root_of(label) for label in labels} == {root}


def test_different_concepts_keep_different_roots():
    assert len({root_of(label) for label in ("red heart", "blue heart", "snowman", "human", "flag: Mali")}) == 5
    assert root_of("flag: Isle of Man") == "flag isle of man"


def test_split_is_stable_and_has_the_stated_shares():
    assert [split_of(root) for root in ("volcano", "broom", "red heart")] == ["test", "test", "train"]
    sides = [split_of(f"thing {number}") for number in range(20_000)]
    assert sides.count("test") / 20_000 == pytest.approx(0.08, abs=0.01)
    assert sides.count("val") / 20_000 == pytest.approx(0.04, abs=0.01)
    assert sides == [split_of(f"thing {number}") for number in range(20_000)]


def test_flags_are_in_train():
    roots = [f"flag country {number}" for number in range(500)]
    assert {split_of(root) for root in roots} == {"train"}
    assert {split_of(f"pennant {number}", "flags") for number in range(500)} == {"train"}


def test_held_out_families_are_never_trained_on():
    assert {source.style for source in SOURCES if source.held_out} == {"openmoji", "emojione-v1"}


def test_a_title_that_speaks_of_a_known_concept_lies_on_its_side():
    roots = {"crocodile", "fox", "red apple"}
    assert known_root("Two crocodiles by the river", roots) == "crocodile"
    assert known_root("foxes", roots) == "fox"
    assert known_root("shiny red apple", roots) == "red apple"
    assert known_root("cheese board", roots) == "cheese board"


# --- names


def test_an_icon_is_found_however_its_set_spells_it():
    names = EmojiNames(emoji_table())
    assert key_of("1f3f3-fe0f-200d-1f308") == "1F3F3-200D-1F308"
    for spelling in ("waving-hand-dark-skin-tone", "waving-hand-dark", "waving-hand-tone5", "wavinghanddark"):
        assert names.find(spelling) == "1F44B-1F3FF", spelling
    assert names.find("flag-for-flag-france") == names.find("flag-for-france") == "1F1EB-1F1F7"
    assert names.find("grinning-face-dark") is None
    assert names.find("unheard-of") is None


def test_flag_codes():
    assert flag_key("fr") == "1F1EB-1F1F7"
    assert flag_key("gb-eng") == "1F3F4-E0067-E0062-E0065-E006E-E0067-E007F"


def test_names_come_in_several_languages_and_short_codes_only_for_emoji_sets(tiny):
    names = emoji_names()
    assert names.emoji["1F34E"].names == {"en": "red apple", "fr": "pomme rouge"} | dict.fromkeys(
        ("es", "de", "it"), "red apple"
    )
    assert names.find("fruit") == "1F34E"
    assert emoji_names(short_codes=False).find("fruit") is None
    assert names.find("smiley") == "1F600"
    assert "1F1E6" not in names.emoji


def test_the_hexcode_table_of_a_set_wins_over_the_names_of_its_icons(tiny):
    labels = {drawing.key: drawing.label for drawing in emoji_drawings(tiny[0], emoji_names())}
    assert labels["1F469-200D-1F373"] == "woman cook"
    assert labels["1F44B-1F3FF"] == "waving hand: dark skin tone"


def test_icons_bear_an_emojis_names_or_their_own_or_none():
    labels = EmojiNames(emoji_table())
    namer = Namer(labels, labels)
    facts = {"style": "s", "family": "s", "package": Package(name="s"), "kind": "icons"}
    facts |= {"licence": "MIT", "tier": "A", "author": "", "url": ""}
    made = {
        naming: namer.drawing(Source(naming=naming, **facts), key="k", name="stomach-ache", svg="", category="health")
        for naming in ("own", "words", "emoji")
    }
    assert [made[naming].label for naming in ("own", "words", "emoji")] == ["stomach ache", "", ""]
    known = namer.drawing(Source(**facts), key="k", name="red_apple", svg="", category="health")
    assert (known.label, known.root, known.category) == ("red apple", "red apple", "4")
    assert namer.drawing(Source(naming="words", **facts), key="k", name="red-face", svg="").label == "red face"


def test_wanted_icons_are_the_largest_of_each_name_and_no_brand_marks():
    icons = {
        "width": 16,
        "icons": {
            "bell-16": {"body": ""},
            "bell-48": {"body": "", "width": 48},
            "google-16": {"body": ""},
            "old-16": {"body": "", "hidden": True},
            "cup-16": {"body": ""},
            "cup-outline": {"body": ""},
        },
    }
    source = Source(
        style="s", family="s", package=Package(name="s"), kind="icons", licence="MIT", tier="A", author="", url="",
        only=r".*-\d+", drop=r"-\d+$", one_per_name=True,
    )  # fmt: skip
    assert wanted(source, icons) == {"bell-48": "bell", "cup-16": "cup"}


# --- clip art


def clip_svg(licence: str = "http://web.resource.org/cc/PublicDomain", body: str = "") -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg"><metadata><rdf:RDF xmlns:rdf="r" xmlns:cc="c" xmlns:dc="d">'
        f'<cc:Work><dc:title>Clipart by A. Body - pear 02 (B and W)</dc:title><cc:license rdf:resource="{licence}"/>'
        "<dc:subject><rdf:Bag><rdf:li>fruit</rdf:li><rdf:li>hash</rdf:li></rdf:Bag></dc:subject></cc:Work></rdf:RDF>"
        f"</metadata>{body}</svg>"
    )


def test_clip_art_must_be_public_domain_drawings():
    clip = read_clip("food/pear_02.svg", clip_svg())
    assert clip is not None
    assert (clean_title(clip), clip.keywords) == ("pear", ("fruit",))
    assert read_clip("p.svg", clip_svg("http://creativecommons.org/licenses/GPL/2.0/")) is None
    assert read_clip("p.svg", clip_svg(body='<image href="photo.jpg"/>')) is None
    assert read_clip("p.svg", "<svg") is None


def test_clip_art_titles():
    italian = Clip(place="a/orso_01.svg", svg="", title="Orso", author="Architetto Francesco", keywords=())
    assert clean_title(italian) == ""
    series = Clip(place="food/green_pear_bw_03.svg", svg="", title="fruits", author="Nicu Body", keywords=())
    assert clean_stem(series) == "green pear"


# --- drawing


def test_drawings_are_centred_on_white_with_a_margin():
    picture = place(
        draw('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">' + OPAQUE.format("red") + "</svg>"), 0.75
    )
    assert picture.shape == (64, 64, 3)
    ink = np.argwhere((picture != 255).any(axis=2))
    assert (ink.min(axis=0) == 3).all()
    assert (ink.max(axis=0) == 60).all()
    assert tuple(picture[32, 32]) == (255, 0, 0)
    assert tuple(picture[0, 0]) == (255, 255, 255)


def test_small_drawings_of_a_set_stay_small_unless_they_lie_anyhow_on_a_page():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><rect width="{0}" height="{0}"/></svg>'
    pictures_of = list(place_all([draw(svg.format(size)) for size in (100, 100, 100, 25)]))
    assert (pictures_of[3] == 0).all(axis=2).sum() < 0.1 * (pictures_of[0] == 0).all(axis=2).sum()
    layer = draw(svg.format(25), fit=True)
    assert isinstance(layer, Layer)
    assert layer.extent == 1.0


def test_millimetres_are_understood_and_what_cannot_be_drawn_gives_none():
    assert draw('<svg xmlns="http://www.w3.org/2000/svg" width="20mm" height="20mm"><rect width="9" height="9"/></svg>')
    assert draw("<svg") is None
    assert draw('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>') is None


def test_mirrored_aliases_are_drawn_mirrored():
    icons = {"width": 32, "height": 32, "icons": {"left": {"body": '<rect width="8" height="32" fill="red"/>'}}}
    icons["aliases"] = {"right": {"parent": "left", "hFlip": True}}
    assert "translate(32.0 0.0) scale(-1 1)" in icon_svg(icons, "right")
    assert "transform" not in icon_svg(icons, "left")


def test_what_fades_in_later_is_shown():
    assert 'opacity="1"' in whole('<g opacity="0"><animate/></g>')
    assert 'stop-opacity="0"' in whole('<stop stop-opacity="0"/><animate/>')
    assert whole('<g opacity="0"/>') == '<g opacity="0"/>'


# --- the table


def test_the_table_keeps_pictures_rows_split_and_attribution_together(tiny):
    folder = pictures.make(tiny, lambda _: None)
    rows = load_pictures(named=("emoji", "own", ""))
    pixels = np.load(folder / "pixels-64.npy")
    assert pixels.shape == (len(rows), 64, 64, 3)
    assert [row.medium for row in rows] == list(range(len(rows)))
    assert {row.style: row.held_out for row in rows} == {"emoji": False, "held": True, "icons": False}
    by_name = {(row.style, row.label): row for row in rows}
    assert by_name["held", "flag: France"].names["en"] == "flag: France"
    assert [row.toned for row in rows if row.label == "waving hand"] == [False, True]
    red, blue = by_name["emoji", "grinning face"].medium, by_name["held", "flag: France"].medium
    assert pixels[red, 32, 32].tolist() == [255, 0, 0]
    assert pixels[blue, 32, 32].tolist() == [0, 0, 255]
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row.group, set()).add(row.split)
    assert all(len(side) == 1 for side in sides.values())
    icons = [row.source for row in rows if row.style == "icons"]
    assert icons == ["icons: red-apple", "icons: widget-9"]  # no brand mark, and the same pixels once only
    assert [row.named for row in rows if row.style == "icons"] == ["emoji", ""]
    assert [p.label for p in load_pictures() if p.style == "icons"] == ["red apple"]
    attribution = (folder / "ATTRIBUTION.md").read_text()
    assert "evaluation only" in next(line for line in attribution.splitlines() if line.startswith("| [held]"))


def test_a_second_run_draws_nothing_and_gives_the_same_rows(tiny, monkeypatch):
    folder = pictures.make(tiny, lambda _: None)
    first = (folder / "pixels-64.npy").read_bytes(), (folder / "pictures.parquet").read_bytes()

    def fail(*_):
        raise AssertionError("drawn again")

    monkeypatch.setattr(pictures, "draw", fail)
    pictures.make(tiny, lambda _: None)
    assert first == ((folder / "pixels-64.npy").read_bytes(), (folder / "pictures.parquet").read_bytes())


def test_a_changed_drawing_is_drawn_again(tiny, tmp_path):
    pictures.make(tiny[:1], lambda _: None)
    path = tmp_path / "packages" / "emoji-1" / "icons.json"
    path.write_text(path.read_text().replace('"red', '"lime').replace('\\"red', '\\"lime'))
    folder = pictures.make(tiny[:1], lambda _: None)
    colours = np.load(folder / "pixels-64.npy")[:, 32, 32].tolist()
    assert [0, 255, 0] in colours
    assert [255, 0, 0] not in colours


# --- fetching


def test_a_source_that_cannot_be_fetched_is_told_in_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SENSORIUM_CACHE", str(tmp_path))
    assert main(["pictograms"], find, ["pictograms", "data"]) == 2
    assert "npm is needed" in capsys.readouterr().err


def test_every_source_of_the_table_has_what_attribution_needs():
    assert len({source.style for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.licence
        assert source.author
        assert source.url.startswith("https://")
        assert source.tier in "ABC"
        assert (source.tier == "C") == ("-SA-" in source.licence)
