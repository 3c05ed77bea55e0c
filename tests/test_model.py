"""Growing, folding, saving and loading; invariants 3 and 4 of the design."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from toys import ToyCodec, random_toy, tiny_base, tiny_configs

from sensorium.model import Base, Model, grow
from sensorium.model.adapter import Adapter
from sensorium.model.folder import read_rows
from sensorium.model.rows import CodebookRows, LaterRows
from sensorium.types import Conversation, InputError, Part, as_message

CODECS = [ToyCodec("toy", "write"), ToyCodec("toy-read", "read", sizes=(5,), grid=(3,), max_frames=3)]


def shaken(grown):
    """The model after 'training': every trainable tensor moved."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameters in grown.parameters_to_train().values():
            for parameter in parameters:
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    return grown.eval()


def some_ids(grown, rows=2, length=11):
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, grown.vocabulary.size, (rows, length), generator=generator)


@pytest.mark.parametrize("learn", ["rows", "adapter", "full"])
@pytest.mark.parametrize("kind", sorted(tiny_configs()))
def test_fold_and_save_give_the_logits_of_the_training_form(kind, learn, tmp_path):
    grown = shaken(grow(tiny_base(kind), CODECS, learn=learn))
    ids = some_ids(grown)
    with torch.inference_mode():
        expected = grown(ids)
        assert expected.shape[-1] == grown.vocabulary.size
        folded = grown.fold()
        torch.testing.assert_close(folded.lm(ids).logits, expected, rtol=1e-4, atol=1e-5)
        loaded = Model.load(folded.save(tmp_path / "model"))
        torch.testing.assert_close(loaded.lm(ids).logits, expected, rtol=1e-4, atol=1e-5)
    assert type(loaded.lm).__name__ == type(grown.lm).__name__
    assert loaded.vocabulary == grown.vocabulary


@pytest.mark.parametrize("kind", ["llama-tied", "gemma3", "gpt2"])
def test_text_rows_come_first_and_unchanged(kind):
    base = tiny_base(kind)
    text_in, text_out = base.lm.get_input_embeddings().weight.clone(), base.lm.get_output_embeddings().weight.clone()
    lm = shaken(grow(base, CODECS)).fold().lm
    assert torch.equal(lm.get_input_embeddings().weight[:300], text_in)
    assert torch.equal(lm.get_output_embeddings().weight[:300], text_out)


@pytest.mark.parametrize("kind", ["smollm", "qwen3", "gemma2", "gpt2"])
def test_rows_mode_leaves_every_base_weight_bit_identical(kind):
    base = tiny_base(kind)
    before = {name: value.clone() for name, value in base.lm.state_dict().items()}
    grown = shaken(grow(base, CODECS, learn="rows"))
    assert set(grown.parameters_to_train()) == {"rows"}
    after = grown.fold().lm.state_dict()
    for name, value in before.items():
        assert torch.equal(after[name][: len(value)], value), name


def test_a_training_step_moves_rows_and_nothing_else():
    grown = grow(tiny_base("llama-tied"), CODECS, learn="rows")
    frozen = {name: value.clone() for name, value in grown.named_parameters() if not value.requires_grad}
    optimizer = torch.optim.SGD(grown.parameters_to_train()["rows"], lr=1.0)
    ids = torch.arange(grown.vocabulary.size)[None]
    before = {name: value.clone() for name, value in grown.train_state().items()}
    grown.token_loss(grown.hidden(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).mean().backward()
    optimizer.step()
    assert all(torch.equal(value, dict(grown.named_parameters())[name]) for name, value in frozen.items())
    assert all(not torch.equal(value, before[name]) for name, value in grown.train_state().items())


def test_of_one_codec_the_later_codes_may_be_all_that_is_learned(tmp_path):
    codec = ToyCodec("said", "both", sizes=(6,), grid=None, max_frames=2, modality="said")
    grown = shaken(grow(tiny_base(), [codec, *CODECS], learn="adapter"))
    before = {name: value.clone() for name, value in grown.fold().lm.state_dict().items()}
    grown.learn_only("said", 4)
    (rows,) = grown.parameters_to_train()["rows"]
    assert set(grown.parameters_to_train()) == {"rows"} and rows.shape[0] == 2
    ids = torch.arange(grown.vocabulary.size)[None]
    grown.token_loss(grown.hidden(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).mean().backward()
    torch.optim.SGD([rows], lr=1.0).step()
    later = slice(grown.vocabulary.layout("said").starts[0] + 4, grown.vocabulary.layout("said").stop)
    for name, value in grown.fold().lm.state_dict().items():
        differs = (value != before[name]).flatten(1).any(1) if value.ndim > 1 else value != before[name]
        assert not differs.any() or (value.shape[0] == grown.vocabulary.size and differs[later].all()), name
        if differs.any():
            differs[later] = False
            assert not differs.any(), name


def test_packed_documents_do_not_see_each_other():
    grown = grow(tiny_base("llama"), CODECS).eval()
    one, two = some_ids(grown, 1, 7), some_ids(grown, 1, 9)
    positions = torch.cat([torch.arange(7), torch.arange(9)])[None]
    with torch.inference_mode():
        packed = grown.hidden(torch.cat([one, two], dim=1), positions)
        torch.testing.assert_close(packed[:, :7], grown.hidden(one), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(packed[:, 7:], grown.hidden(two), rtol=1e-5, atol=1e-6)
        seen = grown.hidden(torch.cat([one, two], dim=1))
    assert not torch.allclose(seen[:, 7:], packed[:, 7:], atol=1e-3)


@pytest.mark.parametrize(("kind", "apart"), [("llama", True), ("gpt2", True), ("bloom", False)])
def test_models_that_mix_packed_documents_are_found_out(kind, apart):
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(vocab_size=300, hidden_size=32, n_layer=2, n_head=4)
    base = Base(BloomForCausalLM(config), tiny_base().tokenizer) if kind == "bloom" else tiny_base(kind)
    assert grow(base, CODECS).keeps_documents_apart() == apart


def test_neighbouring_codes_share_what_they_learn():
    grown = grow(tiny_base("llama"), CODECS, init="mean")
    rows = grown.embedding.rows.parts[1]
    with torch.no_grad():
        before = rows().clone()
        rows.shared[0] += 1.0
    moved = (rows() - before).abs().sum(dim=1) > 0
    assert moved.tolist() == [True] + [False] * 7


@pytest.mark.parametrize(("common", "least", "most"), [(True, 0.95, 1.0), (False, 0.0, 0.5)])
def test_codes_that_never_come_keep_to_their_words(common, least, most):
    """A softmax pushes down what is not meant, and Adam as far as what is: rows that learn apart are lost."""
    torch.manual_seed(0)
    words_NH = 0.02 * torch.randn(62, 32)
    part = CodebookRows.about_words(words_NH, output=True) if common else CodebookRows(None, words_NH.clone(), 32)
    seen_N = torch.arange(0, 62, 2)
    optimizer = torch.optim.Adam(part.parameters(), lr=5e-4)
    for _ in range(150):
        loss = torch.nn.functional.cross_entropy(60 * words_NH[seen_N] @ part().T, seen_N)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right_N = (words_NH @ part().T).argmax(1) == torch.arange(62)
    assert least <= right_N[1::2].float().mean() <= most


def test_rows_about_words_go_on_from_any_rows():
    part = CodebookRows.about_words(torch.randn(62, 32), output=True)
    rows_NH = torch.randn(62, 32)
    part.start_at(rows_NH)
    torch.testing.assert_close(part().detach(), rows_NH)
    assert [name for name, _ in part.named_parameters()] == ["shared"]


def test_rows_of_which_the_first_are_held_go_on_from_any_rows():
    part = LaterRows(torch.randn(5, 4), 2).to(torch.bfloat16)
    rows_NH = torch.randn(5, 4)
    part.start_at(rows_NH)
    wanted = rows_NH.to(torch.bfloat16)
    rows_NH.zero_()
    assert torch.equal(part().detach(), wanted), "in its own number format, and apart from what was given"
    assert [tuple(one.shape) for one in part.parameters()] == [(3, 4)]


def test_a_codec_that_only_reads_stays_silent_through_one_row():
    grown = grow(tiny_base("llama"), CODECS)
    layout = grown.vocabulary.layout("toy-read")
    rows = grown.head.rows()[layout.open_id - 300 : layout.stop - 300]
    assert torch.equal(rows, rows[:1].expand_as(rows))


def test_train_state_round_trip_and_refusal():
    grown, other = grow(tiny_base("llama"), CODECS), grow(tiny_base("llama", seed=5), CODECS)
    shaken(grown)
    other.load_train_state(grown.train_state())
    assert all(torch.equal(value, other.train_state()[name]) for name, value in grown.train_state().items())
    with pytest.raises(InputError, match="does not fit this model"):
        grow(tiny_base("llama"), CODECS[:1]).load_train_state(grown.train_state())


def test_rows_alone_can_be_shipped_and_put_on_their_base(tmp_path):
    path = tmp_path / "base"
    base = tiny_base("llama-tied")
    base.lm.save_pretrained(path)
    base.tokenizer.save_pretrained(path)
    grown = shaken(grow(path, CODECS, learn="adapter"))
    ids = some_ids(grown)
    with torch.inference_mode():
        expected = grown(ids)
        folder = grown.fold().save_rows(tmp_path / "rows")
        assert not (folder / "model.safetensors").exists()
        torch.testing.assert_close(Model.load(folder).lm(ids).logits, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="is not the base"):
        Model.load(folder, base=tiny_base("llama-tied", seed=9))


def test_of_a_codec_that_is_never_written_one_output_row_is_kept(tmp_path):
    path = tmp_path / "base"
    base = tiny_base("llama-tied")
    base.lm.save_pretrained(path)
    base.tokenizer.save_pretrained(path)
    reads = ToyCodec(name="reads", modality="image", use="read")
    grown = shaken(grow(path, [reads, ToyCodec(name="writes", modality="series")], learn="adapter"))
    ids, folder = some_ids(grown), grown.fold().save_rows(tmp_path / "rows")
    kept, layout = load_file(folder / "rows.safetensors"), grown.vocabulary.layout("reads")
    assert len(kept["input"]) - len(kept["output"]) == layout.stop - layout.open_id - 1
    with torch.inference_mode():
        expected = grown(ids)
        torch.testing.assert_close(Model.load(folder).lm(ids).logits, expected, rtol=1e-4, atol=1e-5)
    rows = grown.head.rows().detach().clone()
    save_file({"input": kept["input"], "output": rows}, tmp_path / "rows.safetensors")  # as earlier versions did
    assert torch.equal(read_rows(tmp_path, grown.vocabulary)["output"], rows)


def test_an_adapter_names_its_base_as_users_know_it(tmp_path):
    base = tiny_base("llama")
    base.lm.config._name_or_path = base.lm.name_or_path = "/somebodys/own/folder"
    folder = grow(base, CODECS, learn="adapter").fold().save_rows(tmp_path / "rows")
    config = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llama"


def test_without_the_adapter_text_is_the_bases_own():
    base = tiny_base("llama")
    ids = torch.arange(5, 20)[None]
    with torch.inference_mode():
        expected = base.lm(ids).logits
        model = shaken(grow(base, CODECS, learn="adapter")).fold()
        with Adapter(model.lm).switched(False):
            torch.testing.assert_close(model.lm(ids).logits[..., :300], expected, rtol=1e-5, atol=1e-6)
        with Adapter(model.lm).switched(True):
            assert not torch.allclose(model.lm(ids).logits[..., :300], expected, atol=1e-3)


def test_encode_uses_the_reading_codec_for_questions_and_the_writing_one_for_answers():
    model = grow(tiny_base("llama"), CODECS).fold()
    seen, drawn = random_toy(CODECS[1], 3), random_toy(CODECS[0], 4)
    conversation = Conversation((as_message("user", Part("toy", seen)), as_message("assistant", Part("toy", drawn))))
    question, answer = (message.parts[0] for message in model.senses.encode(conversation).messages)
    assert (question.codec, answer.codec) == ("toy-read", "toy")
    (decoded,) = model.senses.decode([Part("toy", codes=drawn.ravel(), codec="toy")])
    np.testing.assert_array_equal(decoded.array, drawn)


@pytest.fixture
def saved(tmp_path):
    return grow(tiny_base("llama"), CODECS).fold().save(tmp_path / "model")


def test_a_checkpoint_cut_short_is_refused_in_one_sentence(saved):
    weights = saved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(InputError, match="cut short or damaged"):
        Model.load(saved)


def test_a_codec_that_disagrees_with_the_model_is_refused(saved):
    shutil.rmtree(saved / "codecs" / "toy")
    ToyCodec("toy", "write", sizes=(8, 5)).save(saved / "codecs" / "toy")
    with pytest.raises(InputError, match="not the one the model was trained with"):
        Model.load(saved)


def unsealed(head):
    """What a head file says, without its checksums."""
    data = json.loads(head.read_text())
    return {name: value for name, value in data.items() if name not in ("checksums", "seal")}


def test_format_1_is_still_read(saved):
    """It wrote out every fact, with null where the length is free."""
    expected = Model.load(saved)
    head = saved / "sensorium.json"
    data = unsealed(head)
    defaults = {"frame_rate_hz": None, "use": "both", "grid": None}
    data["vocabulary"]["codecs"] = [defaults | facts for facts in data["vocabulary"]["codecs"]]
    head.write_text(json.dumps(data | {"format": 1}))
    for file in saved.glob("codecs/*/codec.json"):
        codec = json.loads(file.read_text())
        file.write_text(json.dumps(codec | {"facts": defaults | codec["facts"]}))
    loaded = Model.load(saved)
    assert loaded.vocabulary == expected.vocabulary
    ids = torch.arange(20)[None]
    assert torch.equal(loaded.lm(ids).logits, expected.lm(ids).logits)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"vocabulary": None}, "is damaged"),
        ({"vocabulary": {"text_size": 300, "codecs": [{"name": "toy"}]}}, "is damaged"),
        ({"base": "somewhere"}, "is damaged"),
        ({"codecs": None}, "is damaged"),
        ({"adapter": "../../elsewhere"}, "the adapter of the model in"),
    ],
)
def test_a_head_file_that_lacks_something_or_points_elsewhere_is_refused(saved, changes, sentence):
    head = saved / "sensorium.json"
    head.write_text(json.dumps(unsealed(head) | changes))
    with pytest.raises(InputError, match=sentence):
        Model.load(saved)


def test_a_damaged_head_file_and_a_foreign_format_are_refused(saved):
    head = saved / "sensorium.json"
    data = json.loads(head.read_text())
    head.write_text(json.dumps(data | {"format": 99}))
    with pytest.raises(InputError, match="format 99"):
        Model.load(saved)
    head.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        Model.load(saved)


def test_saving_over_a_model_replaces_it_whole(saved):
    (saved / "stray").write_text("old")
    grow(tiny_base("llama", seed=3), CODECS).fold().save(saved)
    assert not (saved / "stray").exists() and (saved / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(codecs=[]), "at least one codec"),
        (dict(codecs=["toy"]), "must be a list of codecs"),
        (dict(codecs=CODECS[0]), "must be a list of codecs"),
        (dict(codecs=CODECS, learn="some"), "learn must be one of"),
        (dict(codecs=[CODECS[0], CODECS[0]]), "two codecs"),
    ],
)
def test_growing_wrongly_is_explained(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        grow(tiny_base("llama"), **arguments)


def test_a_base_that_is_not_there_or_damaged_is_explained(tmp_path):
    with pytest.raises(InputError, match="no causal language model could be loaded"):
        grow(tmp_path, CODECS)
    with pytest.raises(InputError, match="no such file or folder, so it was taken for a Hub id"):
        grow(tmp_path / "nowhere", CODECS)
    base = tiny_base("llama")
    base.lm.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match="cut short or damaged"):
        grow(tmp_path, CODECS)


def test_the_same_seed_grows_the_same_rows():
    one, same, other = (
        grow(tiny_base("llama"), CODECS, learn="adapter", seed=seed).train_state() for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one[next(iter(one))], other[next(iter(one))])


def test_a_base_is_grown_only_once_in_place():
    base = tiny_base("llama")
    grow(base, CODECS)
    with pytest.raises(InputError, match="grown in place already"):
        grow(base, CODECS)


MORE = ToyCodec("toy-more", "both", sizes=(6,), grid=(2,), max_frames=2, modality="more")


@pytest.mark.parametrize("learn", ["rows", "adapter", "full"])
@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt2", "gemma3"])
def test_a_grown_model_goes_on_where_it_stands_and_takes_more_codecs(kind, learn, tmp_path):
    first = shaken(grow(tiny_base(kind), CODECS, learn=learn))
    folder, ids = first.export(tmp_path / "first"), some_ids(first)
    with torch.inference_mode():
        expected = first(ids)
    for codecs in ([], [MORE]):
        again = grow(folder, codecs, learn=learn).eval()
        with torch.inference_mode():
            torch.testing.assert_close(again(ids)[..., : first.vocabulary.size], expected, rtol=1e-4, atol=1e-5)
        assert again.vocabulary.layouts[:2] == first.vocabulary.layouts
        assert again.parameters_to_train().keys() == first.parameters_to_train().keys()
        shaken(again)
        wider = some_ids(again)
        with torch.inference_mode():
            moved = again(wider)
            loaded = Model.load(again.export(tmp_path / f"again-{len(codecs)}"))
            torch.testing.assert_close(loaded.lm(wider).logits, moved, rtol=1e-4, atol=1e-5)
        assert list(loaded.codecs) == [codec.facts.name for codec in [*CODECS, *codecs]]


def test_training_rows_further_leaves_text_and_adapter_bit_identical(tmp_path):
    folder = shaken(grow(tiny_base("llama"), CODECS, learn="adapter")).export(tmp_path / "first")
    before, again = Model.load(folder), grow(folder, [MORE], learn="rows")
    after, text = shaken(again).fold(), again.vocabulary.text_size
    assert after.has_adapter
    kept = after.lm.state_dict()
    for name, value in before.lm.state_dict().items():
        new_rows = value.shape[0] == before.vocabulary.size
        assert torch.equal(kept[name][:text] if new_rows else kept[name], value[:text] if new_rows else value), name


def test_a_codec_that_the_model_has_cannot_be_added_again(tmp_path):
    folder = grow(tiny_base("llama"), CODECS).export(tmp_path / "first")
    with pytest.raises(InputError, match="toy"):
        grow(folder, [CODECS[0]])


def test_a_tokenizer_without_an_end_is_refused():
    base = tiny_base("llama", template=None)
    base.tokenizer.eos_token = None
    with pytest.raises(InputError, match="give it an eos_token"):
        grow(base, CODECS)


def test_an_adapter_on_any_layers_warns_of_nothing(recwarn):
    for kind in ("llama", "gpt2"):
        grow(tiny_base(kind), CODECS, learn="adapter")
    assert not [str(one.message) for one in recwarn if "fan_in_fan_out" in str(one.message)]


def test_a_base_in_half_precision_stays_one_and_answers():
    base = tiny_base("llama-tied")
    base.lm.to(torch.bfloat16)
    lm = shaken(grow(base, CODECS)).fold().lm
    assert {value.dtype for value in lm.state_dict().values()} == {torch.bfloat16}
    assert lm(torch.tensor([[5, 301]])).logits.isfinite().all()


def test_a_base_without_a_chat_template_is_exported_with_the_one_it_was_trained_with(tmp_path):
    from transformers import AutoTokenizer

    grown = grow(tiny_base("gpt2", template=None), CODECS)
    conversation = Conversation((as_message("user", "hello"),))
    grown.export(tmp_path / "plain")
    plain = AutoTokenizer.from_pretrained(tmp_path / "plain")
    ids = plain.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_dict=False
    )
    assert ids == grown.stream.render(conversation, reply=True).ids.tolist()


def test_a_base_in_memory_is_taken_as_it_is():
    base = tiny_base("llama")
    assert isinstance(base, Base)
    assert grow(base, CODECS).tokenizer is base.tokenizer
