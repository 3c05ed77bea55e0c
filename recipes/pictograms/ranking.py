"""Which of many answers a model holds likeliest: exact, yet without scoring all of them to the end.

The answers are a tree of ids. The log-probability of a beginning bounds that of every answer under it, so the
tree is opened best beginning first, and whatever is already worse than the k-th best whole answer stays shut
(A* search without a heuristic). The result is that of scoring everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

Ids = tuple[int, ...]
Continue = Callable[[Sequence[Ids]], Tensor]
TOLERANCE = 1e-4  # nats; batches of different sizes round differently


class Ranking:
    """The likeliest of fixed answers after any prompt.

    Args:
        lm: a Hugging Face causal language model.
        answers: ids of every answer, each with the id that ends the turn, so that none begins another.
        width: beginnings opened at once.
    """

    def __init__(self, lm: Any, answers: Sequence[Sequence[int]], width: int = 32):
        self.lm, self.width = lm, width
        self.answers: list[Ids] = [tuple(int(id_) for id_ in answer) for answer in answers]
        self._number = {answer: number for number, answer in reversed(list(enumerate(self.answers)))}
        self._next: dict[Ids, list[int]] = {}
        for answer in self._number:
            for length in range(len(answer)):
                children = self._next.setdefault(answer[:length], [])
                if answer[length] not in children:
                    children.append(answer[length])

    @torch.inference_mode()
    def top(self, prompt: Sequence[int], k: int = 5) -> list[tuple[int, float]]:
        """The ``k`` likeliest answers, best first: number and log-probability in nats."""
        after = after_prompt(self.lm, prompt)
        open_: list[tuple[float, Ids]] = [(0.0, ())]
        whole: list[tuple[float, int]] = []
        while open_:
            worst = whole[k - 1][0] if len(whole) >= k else -torch.inf
            batch, open_ = self._best(open_, worst - TOLERANCE)
            if not batch:
                break
            for (so_far, begin), logs in zip(batch, after([begin for _, begin in batch]), strict=True):
                for id_, log in zip(self._next[begin], logs[self._next[begin]].tolist(), strict=True):
                    longer = (*begin, id_)
                    if longer in self._number:
                        whole.append((so_far + log, self._number[longer]))
                    else:
                        open_.append((so_far + log, longer))
            whole.sort(key=lambda item: (-item[0], item[1]))
        return [(number, score) for score, number in whole[:k]]

    def _best(self, open_: list[tuple[float, Ids]], worst: float) -> tuple[list, list]:
        """The likeliest beginnings, all of one length, and those that stay open."""
        open_ = sorted((item for item in open_ if item[0] >= worst), key=lambda item: -item[0])
        if not open_:
            return [], []
        length = len(open_[0][1])
        batch = [item for item in open_ if len(item[1]) == length][: self.width]
        taken = {begin for _, begin in batch}
        return batch, [item for item in open_ if item[1] not in taken]


def after_prompt(lm: Any, prompt: Sequence[int]) -> Continue:
    """A function from beginnings of one length to the log-probabilities (N, V) of what follows the prompt and them.

    The prompt is run once; its keys and values are shared.
    """
    first = lm(torch.tensor([list(prompt)], device=lm.device), use_cache=True, logits_to_keep=1)

    def logs_after(begins: Sequence[Ids]) -> Tensor:
        if not begins[0]:
            return first.logits[:, -1].float().log_softmax(-1).expand(len(begins), -1)
        cache = deepcopy(first.past_key_values)
        cache.batch_repeat_interleave(len(begins))
        ids = torch.tensor(begins, device=lm.device)
        done = lm(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return done.logits[:, -1].float().log_softmax(-1)

    return logs_after
