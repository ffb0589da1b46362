"""What a worker is told of a trial, and how often a trial trains its architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raynas.data import Division
from raynas.rng import training_seed


@dataclass(frozen=True, slots=True)
class TrialSpec:
    """The description of a trial for a worker; plain data, because it is sent to other nodes.

    Attributes:
        number: The trial's number.
        architecture: The values by decision path.
        epochs: The largest number of epochs.
        seed: The training seed.
        checkpoint: The file to continue from, if it exists, and to write checkpoints to: a path
            or an address.
        parent: The checkpoint of another trial, whose weights are inherited, as far as they fit,
            before the first epoch; it is only read. Empty for no parent.
        begin: Epochs that count as trained already: the first report is of the next epoch, and
            the learning rate continues from there.
        keep: Whether to write a checkpoint also after the last epoch, for others to inherit.
        lent: Whether others may need its checkpoint after any epoch, so that it must be in its
            place before the epoch is reported.
        fresh: Whether the trial begins now, so that it has no checkpoint; to look for one takes
            time where an object store is asked.
        reported: The last epoch that is in the journal; 0 if the trial begins.
        division: The number of the division into training and validation data; 0 for the task's.
        until: The epoch after which a final training ends, if its trial had its best one
            before ``epochs``, by which the learning rate goes; 0 for ``epochs``.
        confirmed: Where in the code errors of networks are raised, as ``retries.place`` says it.
    """

    number: int
    architecture: Mapping[str, Any]
    epochs: int
    seed: int
    checkpoint: str
    parent: str = ""
    begin: int = 0
    keep: bool = False
    lent: bool = False
    fresh: bool = False
    reported: int = 0
    division: int = 0
    until: int = 0
    confirmed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often a trial trains its architecture; its score is the mean.

    Attributes:
        folds: How many divisions of training and validation data there are, so that every example
            is in the validation data of one of them; 1 for the task's own division only.
        seeds: How many trainings there are on each division, with different training seeds.
        seed: The run's seed, by which data are divided.
        epochs: The length of each training if they follow one another, and what counts as an epoch
            of the trial is one of them; 0 if they go side by side.
        final: Whether a trial is one training on training and validation data, which is tested at
            its end; with folds, it leaves out the fold that is its division.
    """

    folds: int = 1
    seeds: int = 1
    seed: int = 0
    epochs: int = 0
    final: bool = False

    @property
    def count(self) -> int:
        """How many trainings a trial has."""
        return self.folds * self.seeds

    def of(self, spec: TrialSpec) -> Iterator[tuple[Division, int]]:
        """Yield the division and the training seed of each training of a trial."""
        for number in range(self.count):
            yield self.one(spec, number)

    def one(self, spec: TrialSpec, number: int) -> tuple[Division, int]:
        """Return the division and the seed of one training; the first ones have other folds."""
        fold = Division(spec.division, number % self.folds, self.folds)
        return fold, training_seed(spec.seed, number) if number else spec.seed


ONCE = Repeats()
"""One training, on the task's own division."""
