"""Where all randomness is born: one generator per purpose, none shared.

A generator depends on the run's seed and on what it is for, never on what happened before, so a
resumed run draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# One stream per purpose: equal numbers under two purposes give unrelated generators.
_PROPOSE, _TRAIN, _SPLIT, _FIT, _PROBE = range(5)
_WINNER = 2**31 - 1  # a trial number no search reaches


def proposal_rng(seed: int, trial: int) -> np.random.Generator:
    """Return the generator from which the searcher draws trial number ``trial``."""
    return np.random.default_rng((_PROPOSE, seed, trial))


def fit_rng(trials: int) -> np.random.Generator:
    """Return the generator from which a searcher fits its model to that many trials.

    It is the same for every run: a model is a memo, which whoever knows the history rebuilds.
    """
    return np.random.default_rng((_FIT, trials))


def split_rng(seed: int) -> np.random.Generator:
    """Return the generator that divides a data set into training and validation."""
    return np.random.default_rng((_SPLIT, seed))


def batch_rng(seed: int) -> np.random.Generator:
    """Return the generator that draws the examples on which proxies look at a child."""
    return np.random.default_rng((_PROBE, seed))


def probe_generator(seed: int, device: torch.device) -> torch.Generator:
    """Return the generator, on ``device``, of what a proxy draws: weights and inputs."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    generator = torch.Generator(device=device)
    words = np.random.SeedSequence((_PROBE, seed, 0)).generate_state(2, np.uint32)
    generator.manual_seed((int(words[0]) << 31) | (int(words[1]) >> 1))
    return generator


def training_seed(seed: int, trial: int) -> int:
    """Return the seed (63 bits) for weights, order and augmentation of one trial."""
    words = np.random.SeedSequence((_TRAIN, seed, trial)).generate_state(2, np.uint32)
    return (int(words[0]) << 31) | (int(words[1]) >> 1)


def winner_seed(seed: int) -> int:
    """Return the seed with which the winner is trained anew."""
    return training_seed(seed, _WINNER)


def seed_weights(seed: int) -> None:
    """Seed torch's global generators, from which ``nn.Module`` draws initial weights.

    Those of the CPU and of GPUs that are there; ``torch.manual_seed`` takes a millisecond where
    there are none.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def seed_dropout(seed: int, epoch: int) -> None:
    """Seed torch's global generators, from which dropout layers draw, for one epoch.

    Anew per epoch, for the same reason as ``epoch_generator``.
    """
    seed_weights(training_seed(seed, epoch))


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Return the generator for one epoch's order and augmentation, on ``device``.

    A fresh one per epoch: training continued at epoch k needs no generator state.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    words = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint32)
    generator = torch.Generator(device=device)
    generator.manual_seed((int(words[0]) << 31) | (int(words[1]) >> 1))
    return generator
