"""Training: it learns, stops when told, resumes exactly, and refuses what does not fit."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import ToyCodec, tiny_base
from train_run import config, loader, samples, tiny_grown, train

from sensorium.data import pack
from sensorium.model import grow
from sensorium.training import Batch, BatchLoss, NextTokenLoss, TrainConfig, fit, read_log
from sensorium.training import losses as losses_module
from sensorium.training.energy import Energy, Meter
from sensorium.training.muon import orthogonal
from sensorium.training.schedule import lr_share
from sensorium.types import InputError

SCRIPT = Path(__file__).with_name("train_run.py")


def weights(grown):
    return {name: value.clone() for name, value in grown.train_state().items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def losses(out):
    return [line["loss"] for line in read_log(out / "log.jsonl")]


def a_batch(grown):
    return Batch.of(pack(samples(grown, 9), 48), slice(None), torch.device("cpu"))


def loss_of(grown, loss=None):
    found = (loss or NextTokenLoss())(grown, a_batch(grown))
    return found, float(found.total.detach() / found.weight)


@pytest.mark.parametrize("learn", ["rows", "adapter", "full"])
def test_the_loss_falls(learn, tmp_path):
    grown = tiny_grown(learn)
    _, before = loss_of(grown)
    frozen = {name: value.clone() for name, value in grown.named_parameters() if not value.requires_grad}
    result = fit(grown, loader(grown), config(max_steps=30, lr=1e-2), tmp_path)
    _, after = loss_of(grown)
    assert after < 0.75 * before
    assert (result.stopped, result.steps) == ("steps", 30)
    assert all(torch.equal(value, frozen[name]) for name, value in grown.named_parameters() if name in frozen)


def test_after_training_the_smallest_numbers_are_numbers_again(tmp_path):
    """While it trains a CPU takes them for zero, which is faster; the rest of the program is to have them."""
    grown = tiny_grown()
    fit(grown, loader(grown), config(max_steps=1), tmp_path)
    assert (torch.tensor([torch.finfo(torch.float32).tiny]) / 2).item() > 0


def test_muon_learns_too_and_moves_matrices_only_by_muon(tmp_path):
    train(tmp_path, max_steps=30, optimizer="muon", lr=1e-2)
    assert losses(tmp_path)[-1] < 0.75 * losses(tmp_path)[0]
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "checkpoints" / "step-00000030" / "optimizer.safetensors")
    by_muon = {key.removesuffix("/momentum") for key in stored if key.endswith("/momentum")}
    assert "lm.model.layers.0.mlp.up_proj.weight" in by_muon
    assert not any("embed" in name or "head" in name or "norm" in name or ".rows." in name for name in by_muon)


def test_orthogonal_brings_singular_values_near_one():
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 16, 40)))
    assert values.min() > 0.5
    assert values.max() < 1.5


def test_losses_per_kind_sum_up_and_stand_beside_their_uniform_baseline(tmp_path):
    grown = tiny_grown()
    found, _ = loss_of(grown)
    assert found.nats_K.sum() == pytest.approx(float(found.total), rel=1e-5)
    assert found.tokens_K.sum() == found.weight
    result = fit(grown, loader(grown), config(max_steps=3, log_every=3), tmp_path)
    (line,) = read_log(tmp_path / "log.jsonl")
    total = sum(kind["nats"] * kind["tokens"] for kind in line["kinds"].values())
    assert total / sum(kind["tokens"] for kind in line["kinds"].values()) == pytest.approx(line["loss"], rel=1e-5)
    assert result.kinds["toy"].uniform_nats == pytest.approx((log(8) + log(4)) / 2)
    assert result.kinds["text"].uniform_nats == pytest.approx(log(grown.vocabulary.text_size))
    assert "uniform" in str(result)


def test_a_kind_may_weigh_less(tmp_path):
    grown = tiny_grown()
    plain, _ = loss_of(grown)
    text_only, _ = loss_of(grown, NextTokenLoss({"toy": 0.0}))
    assert float(text_only.total) == pytest.approx(float(plain.nats_K[0]), rel=1e-5)
    with pytest.raises(InputError, match="'smell'"):
        loss_of(grown, NextTokenLoss({"smell": 2.0}))


def test_logits_in_chunks_give_the_same_loss_and_gradient():
    grown = tiny_grown()
    gradients = []
    for at_once in (2**28, 7 * grown.vocabulary.size):
        found, _ = loss_of(grown, NextTokenLoss(logits_at_once=at_once))
        gradients.append([found.total, *torch.autograd.grad(found.total, list(grown.parameters()))])
    for whole, chunked in zip(*gradients, strict=True):
        torch.testing.assert_close(chunked, whole, rtol=1e-4, atol=1e-5)


def test_only_positions_with_a_target_meet_the_head(monkeypatch):
    grown = tiny_grown()
    seen, genuine = [], losses_module.cross_entropy
    monkeypatch.setattr(
        losses_module, "cross_entropy", lambda hidden, *rest: seen.append(len(hidden)) or genuine(hidden, *rest)
    )
    batch = a_batch(grown)
    NextTokenLoss()(grown, batch)
    assert seen == [len(batch.targets_N)]
    assert seen[0] < batch.ids_BT.numel()


def test_kill_9_and_resume_is_the_uninterrupted_run_bit_for_bit(tmp_path):
    changes = {"max_steps": 16, "save_every": 2, "ema": 0.9}
    straight, _ = train(tmp_path / "straight", **changes)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "killed"), "16", "0.1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log_file, deadline = tmp_path / "killed" / "log.jsonl", time.monotonic() + 200
    while len(read_log(log_file)) < 7:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert 7 <= len(read_log(log_file)) < 16
    resumed, result = train(tmp_path / "killed", **changes)
    assert result.steps == 16
    assert losses(tmp_path / "killed") == losses(tmp_path / "straight")
    assert_same(weights(resumed), weights(straight))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("learn", ["rows", "adapter"])
def test_stopping_and_going_on_changes_nothing(learn, optimizer, tmp_path):
    straight, _ = train(tmp_path / "straight", learn, optimizer=optimizer, log_every=4)
    grown = tiny_grown(learn)
    stop_after(grown, tmp_path / "stopped", 6, optimizer=optimizer, log_every=4)
    resumed, _ = train(tmp_path / "stopped", learn, optimizer=optimizer, log_every=4)
    assert_same(weights(resumed), weights(straight))
    assert losses(tmp_path / "stopped")[-2:] == losses(tmp_path / "straight")[-2:]


def stop_after(grown, out, steps, **changes):
    """A run that is asked to stop, politely, after so many batches."""
    batches = loader(grown)
    genuine, count = batches.__next__, 0

    class Counting(type(batches)):
        def __next__(self):
            nonlocal count
            count += 1
            if count == steps:
                os.kill(os.getpid(), signal.SIGTERM)
            return genuine()

    batches.__class__ = Counting
    return fit(grown, batches, config(**changes), out)


def test_a_polite_signal_stops_with_a_checkpoint_and_the_handlers_come_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    result = stop_after(tiny_grown(), tmp_path, 3)
    assert (result.stopped, result.steps) == ("signal", 3)
    assert result.checkpoint.is_dir()
    assert signal.getsignal(signal.SIGTERM) is before


def test_only_the_last_two_checkpoints_are_kept_and_hold_no_pickle(tmp_path):
    train(tmp_path, max_steps=7, save_every=1)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-00000006", "step-00000007"]
    files = [path for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files), "others may read what is saved"


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json"])
def test_a_checkpoint_cut_short_is_noticed_and_the_one_before_is_used(name, tmp_path, caplog):
    straight, _ = train(tmp_path / "straight", max_steps=8, save_every=2)
    train(tmp_path / "cut", max_steps=8, save_every=2)
    damaged = tmp_path / "cut" / "checkpoints" / "step-00000008" / name
    damaged.write_bytes(damaged.read_bytes()[:-20])
    resumed, result = train(tmp_path / "cut", max_steps=8, save_every=2)
    assert name in caplog.text
    assert "the one before is used" in caplog.text
    assert result.steps == 8
    assert_same(weights(resumed), weights(straight))
    for path in (tmp_path / "cut" / "checkpoints").rglob("state.json"):
        path.write_text("")
    with pytest.raises(InputError, match=r"every checkpoint in .* is damaged"):
        train(tmp_path / "cut", max_steps=8)


def test_a_full_disk_is_one_sentence_and_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    import errno

    import safetensors.torch

    train(tmp_path, max_steps=2)
    genuine = safetensors.torch.save_file

    def full(tensors, path):
        genuine(tensors, path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(InputError, match="the disk is full"):
        train(tmp_path, max_steps=4)
    monkeypatch.undo()
    _, result = train(tmp_path, max_steps=4)
    assert result.steps == 4
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["step-00000002", "step-00000004"]


def test_another_model_is_refused_in_a_sentence(tmp_path):
    train(tmp_path, "rows", max_steps=2)
    for grown, words in (
        (tiny_grown("rows", sizes=(8, 5)), r"codec 'toy' has codebook_sizes \[8, 5\], but .* trained with \[8, 4\]"),
        (tiny_grown("rows", name="other"), "trained with codec 'toy', which this model lacks"),
        (tiny_grown("adapter"), "another way of learning"),
        (tiny_grown("rows", seed=9), "another base model"),
    ):
        with pytest.raises(InputError, match=words):
            fit(grown, None, config(max_steps=4), tmp_path)


def test_other_weights_of_a_codec_are_refused(tmp_path, monkeypatch):
    train(tmp_path, max_steps=2)
    grown = tiny_grown()
    monkeypatch.setattr(grown.codecs["toy"], "tensors", lambda: {"scale": np.ones(1)})
    with pytest.raises(InputError, match="other weights"):
        fit(grown, loader(grown), config(max_steps=4), tmp_path)


def test_the_time_budget_is_kept_over_all_resumes(tmp_path):
    _, result = train(tmp_path, max_steps=None, minutes=1 / 60, pause_s=0.02)
    assert result.stopped == "time"
    assert 1 <= result.seconds < 10
    _, again = train(tmp_path, max_steps=None, minutes=1 / 60)
    assert again.steps == result.steps
    more_s = result.seconds + 0.5  # a busy machine may overrun the first budget
    _, longer = train(tmp_path, max_steps=None, minutes=more_s / 60, pause_s=0.02)
    assert longer.steps > result.steps
    assert more_s <= longer.seconds < more_s + 10


def test_finite_data_end_the_run(tmp_path):
    grown = tiny_grown()
    batches = loader(grown)
    batches.epochs = 1
    assert fit(grown, batches, config(max_steps=10**6), tmp_path).stopped == "data"


def test_a_loss_that_is_no_number_stops_before_it_is_saved(tmp_path):
    grown = tiny_grown()
    plain, calls = NextTokenLoss(), []

    def breaks(model, batch):
        calls.append(1)
        found = plain(model, batch)
        return found._replace(total=found.total * float("nan")) if len(calls) == 5 else found

    with pytest.raises(InputError, match="no longer a number at step 5; lower lr"):
        fit(grown, loader(grown), config(save_every=2), tmp_path, loss=breaks)
    assert max(p.name for p in (tmp_path / "checkpoints").iterdir()) == "step-00000004"


def test_any_loss_function_may_be_passed_in(tmp_path):
    grown = tiny_grown()

    def small_rows(model, batch):
        kinds = torch.zeros(len(model.vocabulary.kinds))
        return BatchLoss(model.embedding.rows().square().sum(), torch.ones(()), kinds, kinds)

    fit(grown, loader(grown), config(), tmp_path, loss=small_rows)
    assert losses(tmp_path)[-1] < losses(tmp_path)[0]


def test_the_average_of_the_weights_is_given_back(tmp_path):
    plain, _ = train(tmp_path / "plain")
    averaged, _ = train(tmp_path / "ema", ema=0.5)
    assert losses(tmp_path / "plain") == losses(tmp_path / "ema")
    one, other = weights(plain), weights(averaged)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_schedules_warm_up_and_fall_to_zero_at_the_end():
    for schedule in ("linear", "cosine", "trapezoid"):
        by_steps = TrainConfig(max_steps=100, minutes=1, warmup=10, schedule=schedule)
        by_time = TrainConfig(minutes=1, warmup=10, schedule=schedule)
        assert lr_share(by_steps, 0, 0.0) == pytest.approx(0.1, rel=0.05)
        assert lr_share(by_steps, 100, 0.0) == pytest.approx(0)
        assert lr_share(by_steps, 50, 59.0) == lr_share(by_steps, 50, 0.0)
        assert lr_share(by_time, 50, 60.0) == pytest.approx(0)
        assert lr_share(by_time, 10**6, 15.0) == lr_share(by_steps, 25, 0.0)
    trapezoid = TrainConfig(max_steps=100, warmup=0, schedule="trapezoid", cooldown=0.2)
    assert [lr_share(trapezoid, step, 0) for step in (0, 79, 90)] == pytest.approx([1, 1, 0.5])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "give minutes or max_steps"),
        ({"minutes": 0}, "minutes must be more than 0"),
        ({"max_steps": 5, "schedule": "square"}, "schedule must be one of"),
        ({"max_steps": 5, "lr": {"head": 1.0}}, "group 'head'"),
        ({"max_steps": 5, "lr": -1e-3}, "lr must be 0 or more, and finite, not -0.001"),
        ({"max_steps": 5, "lr": {"rows": float("nan")}}, "lr must be 0 or more"),
        ({"max_steps": 5, "warmup": -1}, "warmup must be 0 or more"),
        ({"max_steps": 5, "seed": -1}, "seed must be 0 or more"),
        ({"max_steps": 5, "ema": 1.0}, "between 0 and 1"),
        ({"max_steps": 5, "accumulate": 0}, "accumulate must be more than 0"),
    ],
)
def test_bad_settings_are_refused_in_a_sentence(changes, words):
    with pytest.raises(InputError, match=words):
        TrainConfig(**changes)


def test_groups_may_have_their_own_learning_rate(tmp_path):
    grown = tiny_grown()
    before = weights(grown)
    fit(grown, loader(grown), config(lr={"rows": 1e-3, "body": 0.0}), tmp_path)
    after = weights(grown)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(".rows." in name for name in moved)


def test_energy_is_counted_over_resumes_and_says_how(tmp_path):
    _, first = train(tmp_path, max_steps=2)
    _, second = train(tmp_path, max_steps=4)
    assert second.energy.kwh > first.energy.kwh > 0
    _, again = train(tmp_path, max_steps=4)
    assert again.energy == second.energy, "what the checkpoint says"
    meter = Meter(Energy(1.0), use_codecarbon=False)
    sum(range(10**6))
    assert meter.read().kwh >= 1.0
    assert "estimate" in meter.read().source


def test_gradients_of_several_batches_add_up_to_those_of_a_larger_one(tmp_path):
    one, other = tiny_grown(), tiny_grown()
    fit(one, loader(one, rows=8), config(max_steps=4), tmp_path / "large")
    fit(other, loader(other, rows=4), config(max_steps=4, accumulate=2), tmp_path / "small")
    np.testing.assert_allclose(losses(tmp_path / "small"), losses(tmp_path / "large"), rtol=1e-4)


def test_data_that_are_not_trained_on_have_lines_of_their_own(tmp_path):
    grown = tiny_grown()
    held_out = [pack(samples(grown, 9), 48)]
    result = fit(grown, loader(grown), config(max_steps=6, validate_every=4), tmp_path / "with", validate=held_out)
    lines = read_log(tmp_path / "with" / "log.jsonl", "validation")
    assert [line["step"] for line in lines] == [4, 6], "and once at the end"
    grown.eval()
    assert lines[-1]["loss"] == pytest.approx(loss_of(grown)[1], rel=1e-5)
    assert result.validation.loss == lines[-1]["loss"]
    assert "validation: loss" in str(result)
    train(tmp_path / "without", max_steps=6)
    assert losses(tmp_path / "with") == losses(tmp_path / "without"), "looking changes nothing"


def test_a_run_whose_last_step_was_saved_already_is_told_and_validated(tmp_path):
    grown = tiny_grown()
    held_out = [pack(samples(grown, 9), 48)]
    result = fit(grown, loader(grown), config(max_steps=4, save_every=4, log_every=50), tmp_path, validate=held_out)
    assert result.loss is not None and result.validation is not None
    assert [line["step"] for line in read_log(tmp_path / "log.jsonl")] == [4]


def test_a_run_goes_on_when_codecs_were_added(tmp_path):
    train(tmp_path, max_steps=3)
    base = tiny_base()
    torch.manual_seed(1)
    more = grow(base, [ToyCodec(), ToyCodec("more", modality="more")], learn="full")
    result = fit(more, loader(more), config(max_steps=5), tmp_path)
    assert (result.steps, result.steps_now) == (5, 2)


def test_a_run_that_learned_nothing_and_one_that_is_over_say_so(tmp_path):
    _, result = train(tmp_path, max_steps=1)
    assert "nothing is learned yet of 'text' and 'toy'" in str(result)
    assert "smaller steps" in str(result)
    _, again = train(tmp_path, max_steps=1)
    assert "the budget of this run was used up before" in str(again)
    _, more = train(tmp_path, max_steps=60, lr=1e-2)
    assert "nothing" not in str(more)


def test_scalars_for_tensorboard_are_written(tmp_path):
    pytest.importorskip("tensorboard")
    train(tmp_path, max_steps=2)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"loss", "loss/toy", "uniform/toy", "lr_share"} <= set(board.Tags()["scalars"])


def test_training_runs_outside_the_main_thread(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(train(tmp_path, max_steps=1)[1].steps))
    thread.start()
    thread.join()
    assert found == [1]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("learn", "optimizer"), [("rows", "adamw"), ("full", "muon")])
def test_two_processes_train_like_one_and_one_goes_on(learn, optimizer, tmp_path):
    changes = {"max_steps": 6, "optimizer": optimizer, "ema": 0.9, "schedule": "constant"}
    single, _ = train(tmp_path / "one", learn, **changes)
    script = tmp_path / "two.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "from pathlib import Path; import torch; from train_run import train\n"
        f"grown, result = train(Path(sys.argv[1]), {learn!r}, **{changes!r})\n"
        "import os; from safetensors.torch import save_file\n"
        "rank = os.environ['RANK']\n"
        "end = {k: v.contiguous() for k, v in grown.train_state().items()}\n"
        "save_file(end, sys.argv[1] + f'/end-{rank}.safetensors')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--standalone"]
    done = subprocess.run([*command, str(script), str(tmp_path / "two")], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    np.testing.assert_allclose(losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-3)

    from safetensors.torch import load_file

    ends = [load_file(tmp_path / "two" / f"end-{rank}.safetensors") for rank in (0, 1)]
    assert_same(*ends)
    for name, value in weights(single).items():
        torch.testing.assert_close(ends[0][name], value, rtol=2e-2, atol=2e-3)
    state = json.loads((tmp_path / "two" / "checkpoints" / "step-00000006" / "state.json").read_text())["state"]
    assert state["step"] == 6

    longer = changes | {"max_steps": 9}
    train(tmp_path / "straight", learn, **longer)
    train(tmp_path / "two", learn, **longer)
    np.testing.assert_allclose(losses(tmp_path / "two")[6:], losses(tmp_path / "straight")[6:], rtol=2e-2)


@pytest.mark.gpu
def test_a_run_on_a_gpu_goes_on_where_it_stopped(tmp_path):
    train(tmp_path / "straight", device="cuda", max_steps=8)
    train(tmp_path / "two", device="cuda", max_steps=5)
    grown, _ = train(tmp_path / "two", device="cuda", max_steps=8)
    np.testing.assert_allclose(losses(tmp_path / "two")[5:], losses(tmp_path / "straight")[5:], rtol=0.1)
    grown.export(tmp_path / "model")


@pytest.mark.gpu
def test_a_base_on_a_gpu_is_grown_there():
    base = tiny_base()
    base.lm.to("cuda")
    grown = grow(base, [ToyCodec()])
    assert {value.device.type for value in grown.parameters()} == {"cuda"}
    assert grown.fold().lm.device.type == "cuda"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_compiled_body_trains_like_a_plain_one(tmp_path):
    train(tmp_path / "plain", max_steps=4)
    grown, _ = train(tmp_path / "compiled", max_steps=4, compile=True)
    np.testing.assert_allclose(losses(tmp_path / "compiled"), losses(tmp_path / "plain"), rtol=1e-4)
    grown.export(tmp_path / "model")
