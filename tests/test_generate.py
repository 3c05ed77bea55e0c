"""The engine: every fast path agrees with its slow, obvious twin."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from toys import ToyCodec, tiny_configs
from transformers import AutoModelForCausalLM, LogitsProcessor

from sensorium.engines import Sampling, Token, TorchEngine, Turn, generate, pick, scoring, stream, trie
from sensorium.engines.decoder import PlainDecoder
from sensorium.engines.lean_decoder import LeanDecoder, is_lean
from sensorium.engines.output_head import OutputHead
from sensorium.engines.sampling import contrasted
from sensorium.generate import best_of
from sensorium.stream import Grammar
from sensorium.types import InputError
from sensorium.vocabulary import Vocabulary

TEXT_SIZE, TEXT_STOP, STOP = 300, 290, 1
GRID = ToyCodec("grid", sizes=(24, 12), grid=(4, 3), max_frames=12, modality="grid")
WAVE = ToyCodec("wave", sizes=(20,), grid=None, max_frames=9, modality="wave")
VOCABULARY = Vocabulary.build(TEXT_SIZE, [GRID.facts, WAVE.facts])
KINDS = tuple(tiny_configs())
GREEDY = Sampling(temperature=0, max_tokens=60)
PROMPTS = [[5, 9, 17, 4], [8, 33], [2, 7, 80, 91, 14, 60, 3], [44]]


@cache
def tiny(kind: str):
    config = tiny_configs()[kind]
    config.vocab_size = VOCABULARY.size
    if "gemma" in kind:
        config.final_logit_softcapping = 2.0
    torch.manual_seed(1)
    lm = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in lm.named_parameters():  # small random weights would repeat one id for ever
            if parameter.ndim > 1 and "embed" not in name and "wte" not in name:
                parameter.mul_(12)
            elif name.endswith("bias") or "_norm" in name:
                parameter.add_(torch.rand_like(parameter) * 0.5)  # as after training: neither zero nor one
    return lm


def grammar(want: str | None = None, budget: int | None = 60) -> Grammar:
    return Grammar(VOCABULARY, TEXT_STOP, (STOP,), want=want, budget=budget)


def turns(prompts, wants, sampling=GREEDY, negatives=None) -> list[Turn]:
    negatives = negatives or [None] * len(prompts)
    return [
        Turn(prompt, grammar(want, sampling.max_tokens), sampling, negative).again(number)
        for number, (prompt, want, negative) in enumerate(zip(prompts, wants, negatives, strict=True))
    ]


def write(lm, prompts, wants, sampling=GREEDY, negatives=None, **options):
    return generate(TorchEngine(lm), turns(prompts, wants, sampling, negatives), **options)


class Masked(LogitsProcessor):
    """The grammar as a logits processor of `transformers.generate`, for one row."""

    def __init__(self, rules: Grammar, prompt: int):
        self.rules, self.seen = rules, prompt

    def __call__(self, input_ids, scores):
        for token in input_ids[0, self.seen :].tolist():
            self.rules.advance(token)
        self.seen = input_ids.shape[1]
        out = torch.full_like(scores, -torch.inf)
        for start, stop in self.rules.allowed():
            out[:, start:stop] = scores[:, start:stop]
        return out


def write_slowly(lm, prompt, want, max_tokens=60):
    """Greedy ids by `transformers.generate` over the whole head."""
    ids = torch.tensor([prompt])
    out = lm.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        logits_processor=[Masked(grammar(want), len(prompt))],
        max_new_tokens=max_tokens,
        do_sample=False,
        eos_token_id=STOP,
        pad_token_id=0,
    )
    return out[0, len(prompt) :].tolist()


@pytest.mark.parametrize(
    ("kind", "want"), [*((kind, "grid") for kind in KINDS), ("llama", "wave"), ("llama", "text"), ("gemma3", None)]
)
def test_greedy_ids_equal_transformers_generate_with_a_mask(kind, want):
    made = write(tiny(kind), PROMPTS[:1], [want])[0]
    assert made.ids == write_slowly(tiny(kind), PROMPTS[0], want)


@pytest.mark.parametrize("kind", KINDS)
def test_sliced_head_equals_the_models_logits(kind):
    lm, ids = tiny(kind), torch.tensor([PROMPTS[2]])
    with torch.no_grad():
        full = lm(ids).logits[0].float()
        hidden = lm.base_model(ids).last_hidden_state[0]
    head, ranges = OutputHead(lm), ((3, 50), (300, 301), (320, VOCABULARY.size))
    torch.testing.assert_close(head.logits(hidden, ranges), full[:, head.ids(ranges)])
    torch.testing.assert_close(head.full(hidden), full)


LEAN = ("llama", "llama-tied", "smollm", "qwen2", "qwen3")


@pytest.mark.parametrize("kind", KINDS)
def test_lean_decoder_serves_the_models_it_knows(kind):
    assert is_lean(tiny(kind)) == (kind in LEAN)


@pytest.mark.parametrize("kind", LEAN)
@pytest.mark.parametrize("rows", [PROMPTS[2:3], PROMPTS])
def test_lean_decoder_equals_the_models_own_forward(kind, rows):
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        fast, slow = LeanDecoder(tiny(kind), rows), PlainDecoder(tiny(kind), rows)
        torch.testing.assert_close(fast.hidden, slow.hidden, atol=1e-4, rtol=1e-4)
        for new in (1, 1, 5, *[1] * 70, 3):  # past the room the cache starts with
            ids = torch.randint(VOCABULARY.size, (len(rows), new), generator=generator)
            torch.testing.assert_close(fast.read(ids), slow.read(ids), atol=1e-4, rtol=1e-4)
            if new == 5 and len(rows) > 1:
                rows = [rows[0], rows[2]]
                fast.keep([0, 2])
                slow.keep([0, 2])


def test_a_sliding_window_shorter_than_the_text_is_respected():
    config = tiny_configs()["gemma3"]
    config.vocab_size, config.sliding_window, config.layer_types = VOCABULARY.size, 6, ["sliding_attention"] * 2
    torch.manual_seed(4)
    lm = AutoModelForCausalLM.from_config(config).eval()
    wants = ["grid", None]
    both = write(lm, PROMPTS[1:3], wants)
    assert [made.ids for made in both] == [write_slowly(lm, p, w) for p, w in zip(PROMPTS[1:3], wants, strict=True)]
    answers = labels(20)
    slow = [score_slowly(lm, PROMPTS[2], one) for one in answers]
    assert TorchEngine(lm).score(PROMPTS[2], answers) == pytest.approx(slow, abs=1e-4, rel=1e-5)


@pytest.mark.parametrize("enabled", [True, False])
def test_lean_decoder_honours_an_adapter(enabled):
    from peft import LoraConfig

    lm = AutoModelForCausalLM.from_config(tiny_configs()["qwen2"]).eval()
    with torch.inference_mode():
        bare = LeanDecoder(lm, PROMPTS).hidden
    lm.add_adapter(LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", init_lora_weights=False))
    with torch.inference_mode():
        fast, slow = LeanDecoder(lm, PROMPTS, enabled), PlainDecoder(lm, PROMPTS, enabled)
        torch.testing.assert_close(fast.hidden, slow.hidden, atol=1e-4, rtol=1e-4)
        ids = torch.arange(len(PROMPTS))[:, None]
        torch.testing.assert_close(fast.read(ids), slow.read(ids), atol=1e-4, rtol=1e-4)
    assert torch.allclose(fast.hidden, bare, atol=1e-4) != enabled, "an adapter that is on must matter"


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_cache_equals_reading_all_again(kind):
    lm, text = tiny(kind), torch.randint(VOCABULARY.size, (1, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        decoder = (LeanDecoder if is_lean(lm) else PlainDecoder)(lm, text[:, :7].tolist())
        for end in range(8, 41):
            again = lm.base_model(text[:, :end], use_cache=False).last_hidden_state[:, -1]
            torch.testing.assert_close(decoder.read(text[:, end - 1 : end]), again, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_equals_one_by_one(kind):
    wants = ["grid", "wave", "text", None]
    together = write(tiny(kind), PROMPTS, wants)
    assert together == [write(tiny(kind), [p], [w])[0] for p, w in zip(PROMPTS, wants, strict=True)]
    assert len({len(made.ids) for made in together}) > 1, "rows must end at different times to test that"


def test_batch_of_samples_does_not_depend_on_neighbours():
    sampling = Sampling(seed=5, max_tokens=60)
    both = write(tiny("llama"), PROMPTS[:2], ["grid", None], sampling)
    alone = write(tiny("llama"), PROMPTS[:1], ["grid"], sampling)
    assert both[0] == alone[0]


def test_same_seed_same_ids_other_seed_other_ids():
    def ids(seed):
        return write(tiny("llama"), PROMPTS[:1] * 2, ["grid"] * 2, Sampling(seed=seed))

    assert ids(3) == ids(3)
    assert ids(3) != ids(4)
    assert ids(3)[0] != ids(3)[1], "rows of one batch are different samples"


@pytest.mark.parametrize("max_tokens", range(1, 40))
def test_limit_is_kept_and_spans_are_closed(max_tokens):
    sampling = Sampling(temperature=3.0, seed=max_tokens, max_tokens=max_tokens)
    made = write(tiny("llama"), [PROMPTS[0]] * 3, [None] * 3, sampling)
    for one in made:
        assert 1 <= len(one.ids) <= max_tokens
        assert (one.finish == "stop") == (one.ids[-1] == STOP)
        for layout in VOCABULARY.layouts:
            assert one.ids.count(layout.open_id) == one.ids.count(layout.close_id)
            for start, stop in _between(one.ids, layout):
                layout.codes(one.ids[start:stop])  # raises when it is not whole


def _between(ids, layout):
    opens = [i for i, token in enumerate(ids) if token == layout.open_id]
    return [(start + 1, ids.index(layout.close_id, start)) for start in opens]


def test_a_limit_too_small_for_the_medium_is_refused():
    with pytest.raises(InputError, match="at least 26"):
        write(tiny("llama"), [PROMPTS[0]], ["grid"], Sampling(max_tokens=20))


@pytest.mark.parametrize("kind", ["llama", "gemma2", "gpt2"])
def test_guidance_of_one_is_no_guidance(kind):
    plain = write(tiny(kind), PROMPTS, ["grid", None, "text", "wave"])
    guided = write(tiny(kind), PROMPTS, ["grid", None, "text", "wave"], negatives=[[6], [7, 9, 30], [3, 3], [9]])
    assert plain == guided


def test_guidance_equals_two_separate_forwards():
    lm, prompt, negative, scale = tiny("qwen2"), PROMPTS[2], PROMPTS[1], 2.5
    sampling = Sampling(temperature=0, guidance=scale, max_tokens=60)
    ids, rules = [], grammar("grid")
    while not rules.done:
        with torch.no_grad():
            with_, without = (lm(torch.tensor([[*start, *ids]])).logits[0, -1] for start in (prompt, negative))
        logits = without + scale * (with_ - without) if rules.inside is not None else with_
        allowed = torch.cat([torch.arange(*limits) for limits in rules.allowed()])
        ids.append(int(allowed[logits[allowed].argmax()]))
        rules.advance(ids[-1])
    made = write(lm, [prompt], ["grid"], sampling, negatives=[negative])[0]
    assert made.ids == ids
    assert made.ids != write(lm, [prompt], ["grid"])[0].ids, "guidance must matter here"


def test_guidance_leaves_text_alone():
    sampling = Sampling(temperature=0, guidance=9.0, max_tokens=30)
    made = write(tiny("llama"), PROMPTS[:2], ["text"] * 2, sampling, negatives=[[6], [9, 30]])
    assert made == write(tiny("llama"), PROMPTS[:2], ["text"] * 2, Sampling(temperature=0, max_tokens=30))


def test_contrast_equals_two_separate_forwards():
    lm, prompt, worse, scale = tiny("qwen2"), PROMPTS[2], PROMPTS[0], 1.5
    sampling = Sampling(temperature=0, contrast=scale, max_tokens=30)
    ids, rules = [], grammar("text", 30)
    while not rules.done and len(ids) < 30:
        with torch.no_grad():
            with_, without = (lm(torch.tensor([[*start, *ids]])).logits[0, -1].float() for start in (prompt, worse))
        allowed = torch.cat([torch.arange(*limits) for limits in rules.allowed()])
        chances = with_[allowed].softmax(-1)
        kept = allowed[chances >= 0.1 * chances.max()]
        ids.append(int(kept[((1 + scale) * with_ - scale * without)[kept].argmax()]))
        rules.advance(ids[-1])
    turn = Turn(prompt, grammar("text", 30), sampling, corrupted=worse)
    assert generate(TorchEngine(lm), [turn])[0].ids == ids
    assert ids != write(lm, [prompt], ["text"], replace(sampling, contrast=0.0))[0].ids, "contrast must matter here"


def test_without_contrast_nothing_changes_and_media_never_do():
    for want, contrast in (("text", 0.0), ("grid", 9.0)):
        sampling = Sampling(temperature=0, contrast=contrast, max_tokens=60)
        beside = [Turn(one, grammar(want), sampling, corrupted=[6, 9]) for one in PROMPTS]
        plain = write(tiny("llama"), PROMPTS, [want] * 4)
        assert [one.ids for one in generate(TorchEngine(tiny("llama")), beside)] == [one.ids for one in plain]


def test_guidance_and_contrast_may_be_asked_for_together():
    """Guidance is for media, contrast for text; an answer that may hold both has three lanes."""
    sampling = Sampling(temperature=0, guidance=2.0, contrast=1.0, max_tokens=60)
    asked = [Turn(one, grammar(None), sampling, [6, 7], corrupted=[9, *one[1:]]) for one in PROMPTS]
    assert [len(one.prompts) for one in asked] == [3] * 4
    together = [one.ids for one in generate(TorchEngine(tiny("llama")), asked)]
    assert together == [generate(TorchEngine(tiny("llama")), [one])[0].ids for one in asked]


def test_contrasted_logits_by_hand():
    """What has less than a tenth of the likeliest's chance is ruled out, however odd it is elsewhere."""
    chances = torch.tensor([[0.8, 0.16, 0.04], [0.8, 0.19, 0.01]])
    worse = torch.tensor([[0.9, 0.05, 0.05], [0.9, 0.0999, 0.0001]])
    made = contrasted(chances.log(), worse.log(), torch.tensor([[1.0], [2.0]])).exp()
    expected = [[0.8**2 / 0.9, 0.16**2 / 0.05, 0.0], [0.8**3 / 0.9**2, 0.19**3 / 0.0999**2, 0.0]]
    assert made.numpy() == pytest.approx(torch.tensor(expected).numpy())
    with pytest.raises(InputError, match="contrast is -1"):
        Sampling(contrast=-1)


def test_a_medium_corrects_what_habit_misleads_to():
    """After any code this model prefers yellow, after the one it sees green nearly as much; odd is never likely."""
    yellow, green, odd, seen, other = 20, 21, 22, VOCABULARY.size - 3, VOCABULARY.size - 4
    config = tiny_configs()["llama"]
    config.vocab_size, config.tie_word_embeddings = VOCABULARY.size, False
    lm = AutoModelForCausalLM.from_config(config).eval()
    size = config.hidden_size**0.5
    with torch.no_grad():
        for name, parameter in lm.named_parameters():
            parameter.fill_(1.0 if "norm" in name else 0.0)  # layers add nothing: what is read last is looked at
        rows, head = lm.get_input_embeddings().weight, lm.get_output_embeddings().weight
        rows[seen, 0], rows[other, 1] = size, size
        head[:, :2] = -9 / size
        head[yellow, 0], head[yellow, 1] = 2 / size, 2 / size
        head[green, 0], head[green, 1] = 1.8 / size, -1 / size
        head[odd, 0], head[odd, 1] = -5 / size, -60 / size

    def said(contrast: float) -> int:
        sampling = Sampling(temperature=0, contrast=contrast, max_tokens=1)
        turn = Turn([5, seen], grammar("text", 1), sampling, corrupted=[5, other])
        return generate(TorchEngine(lm), [turn])[0].ids[0]

    assert said(0.0) == yellow and said(0.5) == said(1.0) == green


def test_ids_are_told_as_they_are_written():
    heard: list[Token] = []
    asked = turns(PROMPTS, ["grid", "wave", "text", None])
    made = generate(TorchEngine(tiny("llama")), asked, on_token=heard.append)
    for turn, one in zip(asked, made, strict=True):
        mine = [token for token in heard if token.turn is turn]
        assert [token.id for token in mine] == one.ids
        assert [token.finish for token in mine] == [None] * (len(mine) - 1) + [one.finish]


def test_cancel_keeps_what_was_written():
    heard: list[Token] = []
    full = write(tiny("llama"), PROMPTS[:1], ["grid"])[0]
    part = write(tiny("llama"), PROMPTS[:1], ["grid"], on_token=heard.append, cancelled=lambda: len(heard) >= 7)[0]
    assert part.finish == "cancelled"
    assert part.ids == full.ids[:7]


def test_closing_the_stream_stops_the_work():
    tokens = stream(TorchEngine(tiny("llama")), turns(PROMPTS[:1], ["grid"]))
    assert next(tokens).id == VOCABULARY.layout("grid").open_id
    tokens.close()
    assert list(tokens) == []


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_model_is_not_asked_when_there_is_no_choice(kind, monkeypatch):
    calls, embed = [], torch.nn.Embedding.forward
    table = tiny(kind).get_input_embeddings()
    monkeypatch.setattr(type(table), "forward", lambda self, ids: (calls.append(1), embed(self, ids))[1])
    made = write(tiny(kind), PROMPTS[:1], ["grid"])[0]
    codes = 24
    assert len(made.ids) == codes + 3, "markers and the end of the turn are written"
    tables = 2 if kind == "gpt2" else 1  # positions are embedded as well
    assert len(calls) == codes * tables, "one forward per code; markers and the end cost none"


@pytest.mark.parametrize(("prompt", "negative"), [([], None), ([1], [])])
def test_empty_prompts_are_refused(prompt, negative):
    with pytest.raises(InputError, match="at least one id"):
        Turn(prompt, grammar("text"), GREEDY, negative)


def test_a_turn_is_as_it_was_after_it_was_written():
    (turn,) = turns(PROMPTS[:1], ["grid"])
    first, second = (generate(TorchEngine(tiny("llama")), [turn]) for _ in range(2))
    assert first == second
    assert turn.rules.written == 0


def labels(count: int, longest: int = 6) -> list[list[int]]:
    """Continuations that share prefixes; some are a prefix of another, some occur twice, one is empty."""
    generator = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, longest + 1, (count,), generator=generator).tolist()
    made = [torch.randint(4, (length,), generator=generator).tolist() + [STOP] * (length % 2) for length in lengths]
    return [[], *made, made[0]]


def score_slowly(lm, prompt, continuation) -> float:
    if not continuation:
        return 0.0
    with torch.no_grad():
        logs = lm(torch.tensor([[*prompt, *continuation]])).logits[0].float().log_softmax(-1)
    return sum(float(logs[len(prompt) - 1 + place, token]) for place, token in enumerate(continuation))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [5, 1000])
def test_score_equals_one_forward_each(kind, block, monkeypatch):
    monkeypatch.setattr(scoring, "BLOCK", block)
    monkeypatch.setattr(scoring, "can_read_trees", lambda *_: True)
    scoring._plan.cache_clear()
    lm, answers = tiny(kind), labels(60)
    slow = [score_slowly(lm, PROMPTS[2], one) for one in answers]
    assert TorchEngine(lm).score(PROMPTS[2], answers) == pytest.approx(slow, abs=1e-4, rel=1e-5)


@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_score_without_trees_is_the_same(kind, monkeypatch):
    monkeypatch.setattr(scoring, "can_read_trees", lambda *_: False)
    lm, answers = tiny(kind), labels(40)
    slow = [score_slowly(lm, PROMPTS[0], one) for one in answers]
    engine = TorchEngine(lm)
    assert engine.score(PROMPTS[0], answers) == pytest.approx(slow, abs=1e-4, rel=1e-5)
    assert [one.index for one in engine.best(PROMPTS[0], answers[1:-1], 3)] == _ranked(slow[1:-1])[:3]


def _ranked(scores: list[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda index: -scores[index])


@pytest.mark.parametrize("wanted", [1, 5, 500])
def test_best_equals_ranking_all_scores(wanted, monkeypatch):
    monkeypatch.setattr(scoring, "WIDTH", 3)
    unique = [list(one) for one in sorted({tuple(one) for one in labels(200)} - {()})]
    engine = TorchEngine(tiny("llama"))
    scores, best = engine.score(PROMPTS[1], unique), engine.best(PROMPTS[1], unique, wanted)
    assert [one.index for one in best] == _ranked(scores)[:wanted]
    assert [one.score for one in best] == pytest.approx([scores[one.index] for one in best], abs=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_best_is_exact_when_the_race_is_close(seed, monkeypatch):
    """A made-up model of three ids whose last ids are often near certain, so that prefixes say little."""
    monkeypatch.setattr(scoring, "WIDTH", 2)
    answers = [list(one) for one in product(range(3), repeat=5)]
    root = trie.grow(answers)
    inner = {id(node): node for node in root.inner()}
    logits = torch.randn(1 + len(inner), 3, generator=torch.Generator().manual_seed(seed)) * 4
    tables = {place: scoring.Table(logits[number][None]) for number, place in enumerate([id(root), *inner])}

    def score(answer):
        node, total = root, 0.0
        for token in answer:
            total += tables[id(node)].look_up([0], [token])[0]
            node = node.children[token]
        return total

    class Search(scoring.BestFirst):
        def _sees(self, nodes):
            return nodes

    def read(tokens, depths, nodes):
        return scoring.Table(torch.cat([tables[id(node)]._logits_NV for node in nodes]))

    reader = SimpleNamespace(root=tables[id(root)], read=read)
    best = Search(reader, root, 4).run()
    assert [one.index for one in best] == _ranked([score(answer) for answer in answers])[:4]


def test_best_reads_less_than_all(monkeypatch):
    read = []
    whole = scoring.TreeReader.read
    monkeypatch.setattr(scoring, "WIDTH", 4)
    monkeypatch.setattr(scoring.TreeReader, "read", lambda *args: (read.append(len(args[1])), whole(*args))[1])
    answers = labels(400)[1:]
    TorchEngine(tiny("llama")).best(PROMPTS[1], answers, 2)
    inner = {tuple(one[:end]) for one in answers for end in range(1, len(one))}
    assert 0 < sum(read) < len(inner) / 2


def test_scoring_nothing_gives_nothing():
    engine = TorchEngine(tiny("llama"))
    assert engine.score(PROMPTS[0], []) == []
    assert engine.best(PROMPTS[0], []) == []


LOGITS = torch.tensor([[2.0, 1.0, 0.0, -1.0, -torch.inf]])


def _shares(sampling: Sampling, draws: int = 4000) -> torch.Tensor:
    picks = pick(LOGITS.expand(draws, -1), sampling, sampling.generator())
    return picks.bincount(minlength=5) / draws


def test_pick_samples_the_distribution():
    torch.testing.assert_close(_shares(Sampling()), LOGITS[0].softmax(-1), atol=0.03, rtol=0)
    torch.testing.assert_close(_shares(Sampling(temperature=2)), (LOGITS[0] / 2).softmax(-1), atol=0.03, rtol=0)


def test_pick_cuts_the_tail():
    assert (_shares(Sampling(top_k=2)) > 0).tolist() == [True, True, False, False, False]
    assert (_shares(Sampling(top_p=0.7)) > 0).tolist() == [True, True, False, False, False]
    assert (_shares(Sampling(top_p=0.01)) > 0).tolist() == [True, False, False, False, False]
    assert _shares(Sampling(temperature=0))[0] == 1


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.5}, {"max_tokens": 0}, {"guidance": -1}]
)
def test_sampling_refuses_nonsense(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_best_of_sorts_and_keeps_ties():
    scores = {"a": 1.0, "b": float("nan"), "c": 3.0, "d": 1.0}
    assert best_of(scores, scores.__getitem__) == ["c", "a", "d", "b"]
    assert best_of([], len) == []
