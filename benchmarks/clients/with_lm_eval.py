"""lm-evaluation-harness: ``local-completions`` with the tokenizer of the model's folder, ``local-chat-completions``."""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
from pathlib import Path

import lm_eval
from calls import GREETING, KEY, LONG, MODEL, TOKENIZER, URL, call, check, is_text, main
from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
from lm_eval.tasks import TaskManager

os.environ["OPENAI_API_KEY"] = KEY  # as its documentation has it
logging.disable(logging.ERROR)

TASK = """\
task: pictograms
dataset_path: json
dataset_kwargs: {data_files: {test: FILE}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc}]
"""


def raw(**options):
    where = {
        "model": MODEL,
        "base_url": f"{URL}/completions",
        "tokenizer": TOKENIZER,
        "tokenizer_backend": "huggingface",
    }
    return LocalCompletionsAPI(**{**where, "max_retries": 1, "max_length": 1024, **options})


def spoken(**options):
    where = {"model": MODEL, "base_url": f"{URL}/chat/completions", "max_retries": 1}
    return LocalChatCompletion(**{**where, **options})


def asked(kind, *arguments):
    return [Instance(request_type=kind, doc={}, arguments=one, idx=index) for index, one in enumerate(arguments)]


def likelihoods(*pairs, **options):
    return raw(**options).loglikelihood(asked("loglikelihood", *pairs), disable_tqdm=True)


def generated(lm, *pairs):
    return lm.generate_until(asked("generate_until", *pairs), disable_tqdm=True)


@call
def loglikelihood():
    (both, _), (first, _), (second, _) = likelihoods(
        ("a red", " heart on a house"), ("a red", " heart"), ("a red heart", " on a house")
    )
    check(both < 0 and math.isclose(both, first + second, abs_tol=0.02), (both, first, second))
    (said,) = generated(raw(), ("a red", {"max_gen_toks": 4, "until": ["@@"], "temperature": 0}))
    ((_, greedy),) = likelihoods(("a red", said))
    check(greedy, f"{said!r} was written greedily and is told not to be")
    return f"log p = {both:.3f} = {first:.3f} {second:+.3f}"


@call
def completion_echo():
    """A whole evaluation: questions with choices, batches, several requests at a time."""
    folder = Path(tempfile.mkdtemp())
    rows = [{"question": "This is a red", "choices": [" xq#%", " heart"], "answer": 1} for _ in range(4)]
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "task.yaml").write_text(TASK.replace("FILE", str(folder / "rows.jsonl")))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    model = raw(num_concurrent=2, batch_size=2)
    told = lm_eval.simple_evaluate(model, tasks=["pictograms"], task_manager=manager, bootstrap_iters=0)
    found = told["results"]["pictograms"]["acc,none"]
    check(found == 1, told["results"])
    return f"an evaluation of choices: accuracy {found}"


@call
def completion():
    (said,) = generated(raw(), ("a red", {"max_gen_toks": 4, "until": ["@@"]}))
    check(isinstance(said, str), said)


@call
def chat():
    lm = spoken()
    said = generated(lm, (lm.apply_chat_template(user()), {"max_gen_toks": 32, "until": ["@@"]}))
    return is_text(said[0])


def user():
    return [{"role": "user", "content": GREETING}]


@call
def stop():
    lm = spoken()
    (whole,) = generated(lm, (lm.apply_chat_template(user()), {"until": ["@@"]}))
    word = whole.split()[2]
    (cut,) = generated(lm, (lm.apply_chat_template(user()), {"until": [word]}))
    check(cut == whole[: whole.index(word)], cut)


@call
def wrong_key():
    os.environ["OPENAI_API_KEY"] = "wrong"
    try:
        generated(raw(), ("a red", {"until": ["@@"]}))
    finally:
        os.environ["OPENAI_API_KEY"] = KEY


@call
def wrong_model():
    generated(raw(model="other"), ("a red", {"until": ["@@"]}))


@call
def too_long():
    likelihoods(("a", LONG), max_length=100_000)


main()
