"""The recipe of sounds: kinds by names, features, few examples and neighbours worked by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from recipes.sounds import codec, evaluate, naming
from recipes.sounds.evaluate import View, few_shot, likeness, precision, views_of_codes
from recipes.sounds.notes import Note
from recipes.sounds.samples import KINDS, LONGEST_S, Sound, group_of, kind_of, log_mel, read_sounds, told
from sounds import file_of

from sensorium import plugins
from sensorium.evaluate import Results
from sensorium.families.features import FEATURES
from sensorium.types import InputError, Signal

RATE_HZ = 16000


@pytest.mark.parametrize(
    ("name", "kind", "group"),
    [
        ("bd_haus", "bass drum", "bd_haus"),
        ("elec_soft_kick", "bass drum", "elec_soft_kick"),
        ("elec_snare", "snare", "elec_snare"),
        ("elec_filt_snare", "snare", "elec_filt_snare"),
        ("drum_tom_hi_soft", "tom", "drum_tom_hi"),
        ("tabla_tas3", "tabla", "tabla_tas"),
        ("tabla_na_o", "tabla", "tabla_na"),
        ("loop_amen_full", "loop", "loop_amen"),
        ("perc_bell2", "bell", "perc_bell"),
        ("bd_808", "bass drum", "bd"),
        ("misc_crow", "", "misc_crow"),
    ],
)
def test_kinds_and_groups_are_told_by_names(name, kind, group):
    assert (kind_of(name), group_of(name)) == (kind, group)


def test_no_name_is_of_two_kinds():
    import re

    names = (
        "bd_haus",
        "drum_bass_hard",
        "sn_dub",
        "drum_cymbal_soft",
        "elec_cymbal",
        "elec_bell",
        "bass_hit_c",
        "elec_blip2",
    )
    assert all(sum(bool(re.match(pattern, name)) for pattern in KINDS.values()) == 1 for name in names)


def tone(hz: float, seed: int, level: float = 0.5) -> Signal:
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    noise = np.random.default_rng(seed).normal(0, 0.01, len(time))
    return Signal((level * np.sin(2 * np.pi * hz * time) + noise)[:, None].astype(np.float32), float(RATE_HZ))


def test_a_sound_is_told_by_its_tones_not_by_its_level():
    quiet, loud, higher = (log_mel(one) for one in (tone(300, 0, 0.1), tone(300, 0, 0.8), tone(2500, 0)))
    assert quiet.shape == (25, 32)
    assert quiet.mean(0).argmax() == loud.mean(0).argmax() < higher.mean(0).argmax()
    assert np.abs(quiet.max() - loud.max()) < 1e-6 and quiet.max() == 0


def test_points_are_means_and_deviations_over_time():
    found = told([np.array([[0.0], [2.0]]), np.array([[4.0], [4.0]])])
    np.testing.assert_allclose(found, [[-1, 1], [1, -1]], atol=1e-4)


KIND = ["a", "a", "b", "b", "b"]
GROUP = ["p", "q", "r", "s", "s"]
POINTS = np.array([[1, 0], [1, 0.2], [0, 1], [0.2, 1], [1, 0.1]])  # the last lies among the others' kind


def test_examples_are_never_of_the_group_that_is_asked():
    right, which = few_shot([View(POINTS, range(5))], KIND, GROUP, 1, 40, seed=0)
    by_place = {place: {value for value, its in zip(right, which, strict=True) if its == place} for place in range(5)}
    assert by_place[3] == {1.0}, "its kind is known from r alone, not from the odd one of its own group"
    assert by_place[4] == {0.0}
    assert by_place[0] == {0.0, 1.0}, "right, unless the odd one stands for the other kind"
    assert len(right) < 5 * 40


def test_precision_worked_by_hand(monkeypatch):
    monkeypatch.setattr(evaluate, "NEAREST", 1)
    found, chance = precision([View(POINTS, [0, 2, 4])], KIND, GROUP)
    # the nearest of 0 is the odd one (b); of 2 it is 3; of 4, but for its own group, it is 0 or 1 (a)
    assert found == [0.0, 1.0, 0.0]
    assert chance == pytest.approx((1 / 4 + 2 / 4 + 1 / 3) / 3)


def test_likeness_is_of_directions():
    np.testing.assert_allclose(
        likeness(np.array([2.0, 0]), np.array([[3.0, 0], [0, 1], [-1, 0], [0, 0]])), [1, 0, -1, 0]
    )


def test_codes_tell_kinds_that_differ_and_shuffled_kinds_are_at_chance():
    kinds = {"low": 300.0, "high": 2500.0}
    sounds = [
        Sound(f"{kind}_{n}", kind, f"{kind}_{n}", tone(hz * (1 + 0.03 * n), n))
        for kind, hz in kinds.items()
        for n in range(6)
    ]
    plugins.register(FEATURES, evaluate.FEATURE, log_mel)
    views = views_of_codes(sounds, 16, 0, evaluate.FEATURE)
    assert sorted(place for view in views for place in view.asked) == list(range(12))
    results = evaluate.measure(sounds, {"codes": views}, draws=10, seed=0)
    rows = {
        (row.measure.split(",")[1] if "heard" in row.measure else "precision", row.condition): row.value
        for row in results.rows
    }
    assert rows[" 1 of each heard", "codes"].value > 0.95
    assert rows["precision", "codes"].value > 0.95
    assert rows[" 1 of each heard", "codes, kinds shuffled"].value < 0.8


def test_samples_are_read_cut_and_left_out_where_there_are_few(tmp_path):
    for name in ("bd_one", "bd_two", "bd_two2", "sn_one"):
        seconds = 6 if name == "bd_one" else 1
        samples = np.sin(np.arange(RATE_HZ * seconds) / 9)[:, None].astype(np.float32) / 2
        (tmp_path / f"{name}.flac").write_bytes(file_of(samples, RATE_HZ, "flac"))
    found = read_sounds(tmp_path, fewest=2)
    assert [(one.name, one.group) for one in found] == [
        ("bd_one", "bd_one"),
        ("bd_two", "bd_two"),
        ("bd_two2", "bd_two"),
    ]
    assert len(found[0].signal.array) == LONGEST_S * RATE_HZ
    with pytest.raises(InputError, match="python -m recipes sounds data"):
        read_sounds(tmp_path, fewest=3)


# --- names


def test_sounds_that_are_learned_from_come_in_two_views_with_noise_and_voices(monkeypatch, tmp_path):
    notes = [Note(kind, "fluid 0", tone(300, n)) for n, kind in enumerate(codec.KINDS[:2])]
    monkeypatch.setattr(codec, "played", lambda split, count, seed: notes if split == "train" else pytest.fail(split))
    monkeypatch.setattr(codec, "OF_A_KIND", 2)
    monkeypatch.setattr(codec, "trained_on", lambda: [SimpleNamespace(path=f"{n}.wav") for n in range(4)])
    monkeypatch.setattr(codec, "clips_folder", lambda: tmp_path)
    for n in range(4):
        (tmp_path / f"{n}.wav").write_bytes(file_of(tone(200 + n, n).array, RATE_HZ, "wav"))
    found = list(codec.named(0))
    assert [codec.WORDS[number] for _, number in found] == [
        *(kind for kind in codec.KINDS[:2] for _ in range(2)), *["noise"] * 4, *["voice"] * 4
    ]  # fmt: skip
    assert all(one.rate_hz == RATE_HZ and one.array.dtype == np.float32 for one, _ in found)
    assert all(np.array_equal(found[n][0].array, notes[n // 2].signal.array) == (n % 2 == 0) for n in range(4))
    assert codec.called("piano") == "a piano" and codec.called("noise") == "noise"


def test_names_of_sounds_never_heard_are_counted(monkeypatch):
    asked = [naming.Named("piano", tone(300, 1)), naming.Named("organ", tone(2500, 2))]
    monkeypatch.setattr(naming, "held_out", lambda each, seed: iter([("there", asked)]))
    notes = [Note("piano", "", tone(310, 3)), Note("bird", "", tone(2400, 4)), Note("bird", "", tone(2600, 5))]
    monkeypatch.setattr(naming, "played", lambda *given: notes)
    places = [codec.WORDS.index(word) for word in ("piano", "bird", "organ")]
    monkeypatch.setattr(
        naming, "sound_words", lambda: SimpleNamespace(encode=lambda some: [np.array(places)] * len(some))
    )
    results = Results()
    naming.name_by_codec(results, 1, 0)
    found = {row.condition: row.value.value for row in results.rows}
    assert found == {"sound-words, first": 0.5, "sound-words, any of 3": 1.0, "nearest neighbour on spectra": 0.5}


def test_a_model_is_asked_for_the_name():
    talk = naming.conversation(naming.Named("wood block", tone(300, 1)))
    assert talk.messages[0].text == naming.ASK and talk.messages[1].text == "a wood block"
    assert set(naming.SAMPLED.values()) <= set(codec.WORDS) and set(naming.SAMPLED) <= set(KINDS)
