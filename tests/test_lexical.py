"""The lexical codec family: media as words, whose rows start where the words are."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from test_semantic import TINY, dots, signals
from toys import ToyCodec, tiny_base

from sensorium import plugins
from sensorium.codecs import Learning, Media, load_codec
from sensorium.codecs.contract import check_codec
from sensorium.families.features import FEATURES
from sensorium.families.lexical import LexicalCodec, learn_points
from sensorium.families.net_codec import pixels_to_net
from sensorium.families.numbers import in_words
from sensorium.families.semantic import SemanticCodec, SemanticNet
from sensorium.families.sight import FeatureSight
from sensorium.families.uniform import UniformCodec
from sensorium.model import grow
from sensorium.model.align import start_at_words
from sensorium.stream.said import Said, said
from sensorium.types import Conversation, InputError, Part, Signal, as_message

WORDS = ["red heart", "hello", "this world", "what is"]


@pytest.fixture
def sight() -> SemanticCodec:
    torch.manual_seed(0)
    net = SemanticNet(TINY)
    with torch.no_grad():
        for _ in range(150):
            net(pixels_to_net(torch.from_numpy(dots(64))))
    return SemanticCodec(TINY, net)


@pytest.fixture
def codec(sight: SemanticCodec) -> LexicalCodec:
    values = sight.values(signals(dots(4)))
    return LexicalCodec(sight, WORDS, values, codes=2)


def test_it_keeps_the_contract_and_says_its_words(codec, tmp_path):
    check_codec(codec, signals(dots(6, seed=1)))
    codec.save(tmp_path / "codec")
    again = load_codec(tmp_path / "codec")
    assert again.words(0) == WORDS
    assert again.facts.codebook_sizes == (4,) and again.facts.grid == (2,)


def test_the_best_word_comes_first(codec):
    codes = np.stack(codec.encode(signals(dots(4))))
    assert codes[:, 0].tolist() == [0, 1, 2, 3]
    assert (codes[:, 1] != codes[:, 0]).all()
    with pytest.raises(InputError, match="only reads"):
        codec.decode(list(codes))


def test_what_does_not_fit_is_told(sight):
    with pytest.raises(InputError, match="at least 5 words"):
        LexicalCodec(sight, WORDS, np.zeros((4, 6), np.float32), codes=5)
    with pytest.raises(InputError, match=r"must be \(4, 6\) numbers"):
        LexicalCodec(sight, WORDS, np.zeros((4, 5), np.float32), codes=2)
    with pytest.raises(InputError, match="'semantic', not 'toy'"):
        LexicalCodec(ToyCodec(), WORDS, np.zeros((4, 6), np.float32))


def test_points_tell_words_by_looks_at_few_or_many_media():
    rng = np.random.default_rng(0)
    middles = 3 * rng.standard_normal((5, 6)).astype(np.float32)
    words = np.repeat(np.arange(5), (1, 2, 40, 3, 4))
    points = learn_points(middles[words] + 0.1 * rng.standard_normal((50, 6)).astype(np.float32), words, 5, steps=200)
    unit = np.tanh(0.8 * middles)
    fit = unit / np.linalg.norm(unit, axis=1, keepdims=True) @ (points / np.linalg.norm(points, axis=1)[:, None]).T
    assert fit.argmax(1).tolist() == [0, 1, 2, 3, 4]


def test_it_learns_from_media_with_words():
    pictures = dots(4)
    media = Media.of([Signal(one) for one in np.repeat(pictures, 3, axis=0)], np.repeat(WORDS, 3).tolist())

    def train(net: torch.nn.Module, sample: Callable, loss: Callable) -> None:
        optimizer, rng = torch.optim.Adam(net.parameters(), lr=0.01), np.random.default_rng(0)
        for _ in range(60):
            optimizer.zero_grad()
            sum(loss(net, sample(rng, 16)).values()).backward()
            optimizer.step()

    how = Learning(minutes=0, train=train, say=lambda line: None)
    made = LexicalCodec.learn(
        media, how, modality="image", size_px=16, patch_px=4, widths=(8, 8), blocks=(0, 1), codes=1
    )
    assert made.facts.name == "image-words" and set(made.words(0)) == {
        *WORDS,
        "red",
        "heart",
        "this",
        "world",
        "what",
        "is",
    }
    first = [made.words(0)[codes[0]] for codes in made.encode(signals(pictures))]
    assert all(one in text for one, text in zip(first, WORDS, strict=True))


def test_rows_start_at_the_words_and_move_no_other(codec):
    base = tiny_base()
    table = base.lm.get_input_embeddings().weight.detach().clone()
    grown = grow(base, [ToyCodec(name="toy", modality="series"), codec])
    rows, layout = grown.embedding.rows().detach(), grown.vocabulary.layout("image-words")
    first = layout.starts[0] - grown.vocabulary.text_size
    for number, word in enumerate(WORDS):
        ids = grown.tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        assert torch.allclose(rows[first + number], table[ids].mean(0), atol=1e-5)
    assert torch.equal(grown.embedding.weight, table)


def test_rows_of_numbers_start_at_them_where_the_body_is_not_trained():
    codec = UniformCodec(("x",), bins=9, ranges=[(0, 8)], name="places", modality="boxes")
    for learn, at_words in (("adapter", True), ("full", False)):
        grown = grow(tiny_base(), [codec], learn)
        first = grown.vocabulary.layout("places").starts[0] - grown.vocabulary.text_size
        for side, table in ((grown.embedding, grown.embedding.weight), (grown.head, grown.head.weight)):
            rows = side.rows().detach()[first : first + 9]
            wanted = torch.stack(
                [table[ids].mean(0) for ids in grown.tokenizer([f" {in_words(n)}" for n in range(9)])["input_ids"]]
            )
            assert torch.allclose(rows, wanted, atol=1e-4) == at_words


def conversation(codes: list[int], answer: str, more: int = 0) -> Conversation:
    media = [Part("toy", None, np.array([code]), "reads") for code in codes]
    asked = as_message("user", [*media, "What is it?"])
    return Conversation(
        (asked, as_message("assistant", answer)) + (as_message("user", "Sure?"), as_message("assistant", "yes")) * more
    )


def reading_model(size: int = 12):
    return grow(tiny_base(), [ToyCodec(name="reads", use="read", sizes=(size,), grid=(1,), max_frames=1)])


def test_what_is_said_of_a_medium_is_found():
    grown = reading_model()
    told = (
        conversation([3], "hello", more=1),
        conversation([4, 5], "two"),
        conversation([6], "this world"),
        conversation([3], "hello"),
    )
    rendered = [grown.stream.render(one) for one in told]
    found = said([(one.ids, one.mask) for one in rendered], grown.vocabulary, grown.stream.stop_ids)
    layout = grown.vocabulary.layout("reads")
    assert [ids.tolist() for ids in found.media] == [
        [layout.open_id, layout.starts[0] + code, layout.close_id] for code in (3, 6, 3)
    ]
    assert [grown.tokenizer.decode(list(found.texts[number])).strip() for number in found.text] == [
        "hello",
        "this world",
        "hello",
    ]


def test_rows_turned_to_words_point_to_what_is_said():
    grown = reading_model()
    layout = grown.vocabulary.layout("reads")
    texts = [tuple(grown.tokenizer(one, add_special_tokens=False)["input_ids"]) for one in WORDS]
    media = [np.array([layout.open_id, layout.starts[0] + number, layout.close_id]) for number in range(4)]
    before = {name: value.clone() for name, value in grown.lm.named_parameters() if ".rows." not in name}
    loss = start_at_words(grown, Said(media, texts, np.arange(4)), ["reads"], steps=150, batch=16)
    rows, table = grown.embedding.rows().detach(), grown.embedding.weight
    first = layout.starts[0] - grown.vocabulary.text_size
    words = torch.stack([table[list(text)].mean(0) for text in texts]) - table.mean(0)
    near = torch.nn.functional.normalize(rows[first : first + 4] - table.mean(0), dim=1) @ words.T
    assert near.argmax(1).tolist() == [0, 1, 2, 3]
    assert loss < 0.3 < np.log(4)
    for name, value in before.items():
        assert torch.equal(dict(grown.lm.named_parameters())[name], value), name
    with pytest.raises(InputError, match="at least two short texts"):
        start_at_words(grown, Said(media[:1], texts, np.arange(1)), ["reads"])


def patches_of(pictures: list[Signal]) -> tuple[FeatureSight, np.ndarray]:
    return FeatureSight.fit(pictures, "patches", "image", size_px=16, patch_px=4)


def test_several_may_see_and_what_one_confuses_the_other_tells(sight, tmp_path):
    pictures = signals(dots(4))
    other, seen = patches_of(pictures)
    blind = np.zeros((4, 6), np.float32)  # what the first would see, had it no eyes
    values = np.concatenate([blind, seen], axis=1).repeat(8, axis=0)
    points = learn_points(values, np.arange(4).repeat(8).tolist(), 4, steps=300, blocks=(6, seen.shape[1]))
    codec = LexicalCodec([sight, other], WORDS, points, codes=2)
    assert codec.blocks == (6, 48) and codec.values(pictures).shape == (4, 54)
    weights = [np.linalg.norm(part, axis=1) for part in np.split(points, [6], axis=1)]
    assert all(np.ptp(one) < 1e-4 * one.mean() for one in weights), "a sight counts as much for every word"
    assert weights[1].mean() > 1.3 * weights[0].mean(), "what sees nothing counts less"
    assert np.stack(codec.encode(pictures))[:, 0].tolist() == [0, 1, 2, 3]
    check_codec(codec, pictures)
    codec.save(tmp_path / "codec")
    again = load_codec(tmp_path / "codec")
    np.testing.assert_array_equal(np.stack(again.encode(pictures)), np.stack(codec.encode(pictures)))
    assert again.fingerprint() == codec.fingerprint()


def test_sights_of_two_modalities_are_refused(sight):
    other = FeatureSight("windows", "series", {}, np.zeros(8, np.float32), np.ones(8, np.float32))
    with pytest.raises(InputError, match="one modality, not of image and series"):
        LexicalCodec([sight, other], WORDS, np.zeros((4, 14), np.float32), codes=2)


def test_a_lexical_codec_needs_something_that_sees():
    with pytest.raises(InputError, match="needs something that sees"):
        LexicalCodec([], WORDS, np.zeros((4, 0), np.float32), codes=2)


OLD = {
    "family": "lexical",
    "facts": {
        "name": "image-words",
        "modality": "image",
        "codebook_sizes": [2],
        "grid": [1],
        "max_frames": 1,
        "use": "read",
        "wish": {"size": [4, 4]},
    },
    "config": {
        "name": "image-words",
        "codes": 1,
        "words": ["red", "blue"],
        "sight": {"of": "patches", "modality": "image", "settings": {"size_px": 4, "patch_px": 4}},
    },
    "fingerprint": "57a89d15bf1220f1",
}
"""As it was written when one alone could see."""


def test_folders_of_before_are_loaded(tmp_path):
    mean_C = np.arange(48, dtype=np.float32) / 10
    save_file(
        {"mean": mean_C, "spread": mean_C + 1, "words": np.stack([mean_C, -mean_C])}, tmp_path / "codec.safetensors"
    )
    (tmp_path / "codec.json").write_text(json.dumps(OLD))
    codec = load_codec(tmp_path)
    codec.save(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "codec.json").read_text()) == OLD


def learned(texts: list[str], **names) -> LexicalCodec:
    how = Learning(minutes=0, train=lambda *given, **named: pytest.fail("nothing is trained"), say=lambda line: None)
    media = Media.of(signals(dots(4)), texts)
    return LexicalCodec.learn(media, how, of="patches", modality="image", size_px=16, patch_px=4, codes=1, **names)


@pytest.mark.parametrize("texts", [[], ["a dot"] * 4, ["red", "red", "blue", "green"]])
def test_media_of_which_hardly_anything_is_said_are_refused(texts):
    with pytest.raises(InputError, match="a lexical codec learns from what is said of media; put them into one folder"):
        learned(texts)


def test_what_is_learned_reads():
    assert learned(["red", "red", "blue", "blue"], use="read").words(0) == ["blue", "red"]
    for use in ("write", "both"):
        with pytest.raises(InputError, match=f"only reads; it cannot be learned for the use '{use}'"):
            learned(["red", "red", "blue", "blue"], use=use)


def test_features_are_kept_in_the_numbers_that_are_loaded(tmp_path):
    mean_C = np.arange(48) / 10
    sight = FeatureSight("patches", "image", {"size_px": 4, "patch_px": 4}, mean_C, mean_C + 1)
    codec = LexicalCodec(sight, ["red", "blue"], np.stack([mean_C, -mean_C]), codes=1)
    codec.save(tmp_path / "codec")
    assert load_codec(tmp_path / "codec").fingerprint() == codec.fingerprint()


def test_features_see_nothing_in_no_media():
    sight, _ = patches_of(signals(dots(4)))
    assert sight.values([]).shape == (0, 48)
    with pytest.raises(InputError, match="no medium to learn from"):
        patches_of([])


@pytest.mark.parametrize("mean", [np.nan, np.inf])
def test_means_of_features_are_numbers(mean):
    with pytest.raises(InputError, match="rows of finite numbers, spreads above 0"):
        FeatureSight("patches", "image", {}, np.full(48, mean), np.ones(48))


def test_features_of_another_width_are_told(monkeypatch):
    sight = FeatureSight("patches", "image", {"size_px": 16, "patch_px": 4}, np.zeros(1), np.ones(1))
    with pytest.raises(InputError, match="features 'patches' make rows of 48 numbers, not 1; name others"):
        sight.values(signals(dots(1)))
    monkeypatch.setitem(plugins._registered, (FEATURES, "long"), lambda signal: np.zeros((1, len(signal.array))))
    pictures = [Signal(np.zeros((side, 4, 3), np.uint8)) for side in (4, 5)]
    with pytest.raises(InputError, match="rows of 5 numbers, not 4"):
        FeatureSight.fit(pictures, "long", "image")
