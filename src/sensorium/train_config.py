"""What a training run may be told. Without torch, so that the help of a command need not wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, Literal, get_args

from sensorium.types import InputError

Dtype = Literal["auto", "float32", "bfloat16"]
Schedule = Literal["linear", "cosine", "trapezoid", "constant"]
Optimiser = Literal["adamw", "muon"]

DEFAULT_LR = {"rows": 2e-3, "adapter": 5e-4, "body": 3e-4, "rest": 1e-3}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of one run.

    Args:
        minutes: time budget of the whole run, all its resumes together; a resume with a larger one goes on.
        max_steps: step budget; with both, the first reached ends the run.
        lr: peak learning rate of the groups ``rows``, ``adapter`` and ``body``, or one number for all; groups
            that are left out keep their default. Networks that are no language models have ``body`` (matrices and
            convolutions) and ``rest``.
        warmup: steps of linear warm-up; below 1, the share of the budget.
        schedule: after the warm-up, fall to zero at the end of the budget along a line (``"linear"``) or half
            a cosine (``"cosine"``), stay flat and fall in the last ``cooldown`` of it (``"trapezoid"``,
            arXiv 2405.18392), or stay flat. The budget is ``max_steps`` where given, else ``minutes``.
        cooldown: share of the budget in which a trapezoid falls.
        optimizer: ``"adamw"``; ``"muon"`` takes the body's matrices by Muon (Jordan 2024) and the rest by AdamW.
        weight_decay: of the matrices of body and adapter (decoupled); rows, norms and biases have none.
        betas: of AdamW.
        grad_clip: largest norm of the gradient; None for no limit.
        ema: decay a step of an average of the weights, e.g. 0.999; `fit` ends with the average. None for none.
        accumulate: batches of a step, whose gradients add up: larger steps without more memory.
        validate_every: steps between looks at the data that are not trained on; None for one at the end.
        save_every: steps between checkpoints, beside those by time; None for none by steps.
        save_minutes: minutes between checkpoints.
        log_every: steps between lines of the log.
        seed: of everything random in the run but the loader, which has its own.
        threads: CPU threads; None leaves them as they are.
        device: ``"auto"`` takes a GPU where there is one.
        dtype: in which the model computes; weights stay as they are. ``"auto"`` is bfloat16 where the device is fast
            in it (GPUs from 2020; a CPU is timed), else float32.
        compile: compile the body with torch.compile, which takes a minute or two and needs a C++ compiler.

    Raises:
        InputError: a number out of range, an unknown choice.
    """

    minutes: float | None = None
    max_steps: int | None = None
    lr: float | Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_LR))
    warmup: float = 0.04
    schedule: Schedule = "cosine"
    cooldown: float = 0.3
    optimizer: Optimiser = "adamw"
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    grad_clip: float | None = 1.0
    ema: float | None = None
    accumulate: int = 1
    validate_every: int | None = None
    save_every: int | None = None
    save_minutes: float = 5.0
    log_every: int = 10
    seed: int = 0
    threads: int | None = None
    device: str = "auto"
    dtype: Dtype = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        if self.minutes is None and self.max_steps is None and self.schedule != "constant":
            raise InputError("a training run needs an end: give minutes or max_steps")
        for name, choices in (("schedule", Schedule), ("optimizer", Optimiser), ("dtype", Dtype)):
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name} must be one of {', '.join(get_args(choices))}, not {getattr(self, name)!r}")
        for name in (
            "minutes", "max_steps", "accumulate", "validate_every", "save_every", "save_minutes", "log_every",
            "threads", "grad_clip",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name} must be more than 0, not {value}")
        if self.ema is not None and not 0 < self.ema < 1:
            raise InputError(f"ema must lie between 0 and 1, not {self.ema}")
        for name in ("warmup", "seed"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more, not {getattr(self, name)}")
        if not 0 < self.cooldown <= 1:
            raise InputError(f"cooldown must be more than 0 and at most 1, not {self.cooldown}")
        self.lr_of("body")

    def lr_of(self, group: str) -> float:
        """Peak learning rate of a group of parameters."""
        rates = self.lr if isinstance(self.lr, Mapping) else dict.fromkeys(DEFAULT_LR, self.lr)
        unknown = sorted(rates.keys() - DEFAULT_LR.keys())
        if unknown:
            raise InputError(f"lr names a group {unknown[0]!r}; the groups are {', '.join(DEFAULT_LR)}")
        for rate in rates.values():
            if not 0 <= rate < inf:
                raise InputError(f"lr must be 0 or more, and finite, not {rate}")
        return (DEFAULT_LR | dict(rates))[group]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
