"""All random generators and seeds of raynas: one for each purpose, none of them shared.

A generator depends only on the seed of the run and on its purpose, and not on earlier draws. So a
resumed run draws the same numbers as a run without interruption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# The purposes. Generators of different purposes are independent, even with equal seeds.
_PROPOSE, _TRAIN, _SPLIT, _FIT, _PROBE, _DIVIDE, _PATHS, _RESAMPLE, _NOISE = range(9)
_WINNER = 2**31 - 1  # the trial number for the winner's training; no search has so many trials


def proposal_rng(seed: int, trial: int) -> np.random.Generator:
    """Return the generator with which the searcher proposes trial number ``trial``."""
    return np.random.default_rng((_PROPOSE, seed, trial))


def fit_rng(trials: int) -> np.random.Generator:
    """Return the generator with which a searcher fits its model to ``trials`` trials.

    It does not depend on the seed, because the model must depend only on the history.
    """
    return np.random.default_rng((_FIT, trials))


def resampling_rng() -> np.random.Generator:
    """Return the generator of bootstraps and permutation tests, the same for every run."""
    return np.random.default_rng((_RESAMPLE,))


def split_rng(seed: int) -> np.random.Generator:
    """Return the generator that divides a data set into training and validation data."""
    return np.random.default_rng((_SPLIT, seed))


def division_rng(seed: int, number: int) -> np.random.Generator:
    """Return the generator that divides the same data anew, for division ``number``."""
    return np.random.default_rng((_DIVIDE, seed, number))


def batch_rng(seed: int) -> np.random.Generator:
    """Return the generator that draws the examples with which proxies score a child."""
    return np.random.default_rng((_PROBE, seed))


def path_rng(seed: int, epoch: int, purpose: int = 0) -> np.random.Generator:
    """Return the generator that draws the paths of a supernet in one epoch.

    Each epoch has a new generator, as in ``epoch_generator``.

    Args:
        seed: The training seed.
        epoch: The epoch, counted from 0.
        purpose: Another number gives an independent generator.
    """
    return np.random.default_rng((_PATHS, seed, epoch, purpose))


def noise_rng(seed: int, epoch: int) -> np.random.Generator:
    """Return the generator that seeds the dropout of several processes in one epoch."""
    return np.random.default_rng((_NOISE, seed, epoch))


def probe_generator(seed: int, device: torch.device) -> torch.Generator:
    """Return the generator, on ``device``, from which a proxy draws weights and inputs."""
    import torch  # noqa: PLC0415 - deciding must not load torch

    generator = torch.Generator(device=device)
    words = np.random.SeedSequence((_PROBE, seed, 0)).generate_state(2, np.uint32)
    generator.manual_seed((int(words[0]) << 31) | (int(words[1]) >> 1))
    return generator


def training_seed(seed: int, trial: int) -> int:
    """Return the seed of one trial, 63 bits, for its weights, data order and augmentation."""
    words = np.random.SeedSequence((_TRAIN, seed, trial)).generate_state(2, np.uint32)
    return (int(words[0]) << 31) | (int(words[1]) >> 1)


def winner_seed(seed: int) -> int:
    """Return the seed of the winner's training."""
    return training_seed(seed, _WINNER)


def seed_weights(seed: int) -> None:
    """Seed torch's global generators, from which ``nn.Module`` draws initial weights.

    It seeds the generators of the CPU and of all GPUs. It does not use ``torch.manual_seed``,
    which takes a millisecond on machines without a GPU.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)


def seed_dropout(seed: int, epoch: int) -> None:
    """Seed torch's global generators, from which dropout layers draw, for one epoch.

    Each epoch has a new seed, for the same reason as in ``epoch_generator``.
    """
    seed_weights(training_seed(seed, epoch))


def epoch_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Return the generator, on ``device``, for the data order and augmentation of one epoch.

    Each epoch has a new generator, so that training can continue at any epoch without a saved
    generator state.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    words = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint32)
    generator = torch.Generator(device=device)
    generator.manual_seed((int(words[0]) << 31) | (int(words[1]) >> 1))
    return generator


def host_rng(generator: torch.Generator) -> np.random.Generator:
    """Return a generator of the host whose seed is drawn from one of torch.

    It draws what decides on sizes and kinds of operations, which the host must know.
    """
    import torch  # noqa: PLC0415 - deciding must not load torch

    drawn = torch.randint(2**62, (), generator=generator, device=generator.device)
    return np.random.default_rng(int(drawn))
