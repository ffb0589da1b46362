"""Find a trained network in a run folder: of the winner, or of a trial that was trained again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raynas.errors import ConfigError, JournalError
from raynas.experiment.run.folder import WINNER, checkpoints
from raynas.experiment.run.retraining import RETRAINED
from raynas.experiment.run.scored_trials import ranked_networks, scored_trial
from raynas.insight.retraining import Row, retrained
from raynas.journal import exists, read
from raynas.storage import Location, store_of
from raynas.training.exported import OTHER_WEIGHTS, WEIGHTS
from raynas.trial import Finished, History, Trial


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network.

    Attributes:
        trial: The trial of the search that it is from.
        metrics: The results of its test.
        file: Where its weights are.
        epochs: How long it was trained.
        row: The scores of its final trainings; none if there are none.
    """

    trial: Trial
    metrics: Mapping[str, float]
    file: Location
    epochs: int
    row: Row | None = field(default=None)

    def weights(self) -> Mapping[str, Any]:
        """Return its ``state_dict``.

        Raises:
            JournalError: The file is missing or damaged.
        """
        import torch  # noqa: PLC0415 - slow to load
        from safetensors.torch import load  # noqa: PLC0415

        try:
            if self.file.name == WEIGHTS:
                return load(store_of(self.file.parent).read(WEIGHTS))
            with store_of(self.file.parent).open(self.file.name) as file:
                content = torch.load(file, map_location="cpu", weights_only=True)
            state: Mapping[str, Any] = (
                content if self.file.name == OTHER_WEIGHTS else content["training"]["child"]
            )
        except Exception as error:
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise JournalError(
                f"the weights of trial {self.trial.number}, {self.file}, cannot be read: {said}"
            ) from error
        return state


def trained(folder: Location, history: History, number: int | None) -> Trained:
    """Return a trained network of a run.

    Args:
        folder: The run folder.
        history: The events of the run.
        number: The number of a trial; none for the winner.

    Raises:
        ConfigError: There is no such trial, or raynas has no weights of it.
        JournalError: There is no winner yet.
    """
    winner = history.winner
    if number is None:
        if winner is None:
            ranked_networks(folder, history)  # says so if there is no score at all
            raise JournalError(
                f"{folder} has no winner yet: raynas resume {folder} trains it, and raynas "
                f"retrain {folder} trains the best trials"
            )
        number = winner.number
    trial = scored_trial(folder, history, number)
    again = _trained_again(folder, history, trial)
    if winner is not None and winner.number == trial.number:
        return _winner(folder, trial, winner.metrics, again.row if again else None)
    if again is None:
        kept = f"of the winner, trial {winner.number}, and" if winner else "only"
        raise ConfigError(
            f"trial {number} has no weights any more: raynas keeps those {kept} of trials that "
            f"were trained again; raynas retrain {folder} --trial {number} does that, then export "
            "it once more"
        )
    return again


def _winner(
    folder: Location, trial: Trial, metrics: Mapping[str, float], row: Row | None
) -> Trained:
    there = store_of(folder / WINNER).names()
    name = next((one for one in (WEIGHTS, OTHER_WEIGHTS) if one in there), None)
    if name is None:
        raise JournalError(
            f"{folder / WINNER} holds no weights of the winner: raynas resume {folder} exports it "
            "again"
        )
    return Trained(trial, metrics, folder / WINNER / name, trial.epoch, row)


def _trained_again(folder: Location, history: History, trial: Trial) -> Trained | None:
    """Return the first final training of a network that has ended; none if there is none."""
    home = folder / RETRAINED
    if not exists(home):
        return None
    files, again = checkpoints(home), read(home).history
    there = files.of_trials()
    for one in again.same(trial.identity):
        file = files.of(one.number)
        if isinstance(one.outcome, Finished) and file.name in there:
            rows = retrained(history, again).rows
            row = next((row for row in rows if row.trial == trial.number), None)
            return Trained(trial, _known(one.metrics), file, one.epoch, row)
    return None


def _known(metrics: Mapping[str, float]) -> dict[str, float]:
    wanted = ("params", "flops")
    return {
        name: value
        for name, value in metrics.items()
        if name.startswith(("test_", "val_")) or name in wanted
    }
