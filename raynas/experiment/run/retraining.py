"""Train the best architectures of a run again, on all data but the test data, and test them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from raynas.data import check_divisible
from raynas.errors import JournalError
from raynas.execution.conductor import Conductor
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.plan import Plan
from raynas.execution.ray_tune.final_training import NOTHING_FINAL
from raynas.execution.trial_spec import Repeats, TrialSpec
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import ResolvedExperiment
from raynas.experiment.run.ending import Assign
from raynas.experiment.run.folder import check_unchanged
from raynas.experiment.run.places import check_output
from raynas.experiment.run.repetition import Repetition
from raynas.experiment.run.scored_trials import ranked_networks, scored_trial
from raynas.experiment.run.search import prepared, recorded, run_trials
from raynas.experiment.run.winner_training import best_epoch
from raynas.insight import Watcher
from raynas.insight.retraining import Retrained, retrained
from raynas.insight.wording import plural
from raynas.journal import exists, read
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers.retraining import Retraining
from raynas.storage import Location, location
from raynas.trial import History, Trial
from raynas.trial.winner import EPOCHS_LEFT

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession

RETRAINED: Final = "retrained"
_LOG = logging.getLogger("raynas")


@dataclass(frozen=True, slots=True)
class PreparedRetraining:
    """Final trainings that can begin.

    Attributes:
        resolved: The experiment whose trials are final trainings.
        search: The history of the search.
        until: After how many epochs the training of a network ends, by its identity.
    """

    resolved: ResolvedExperiment
    search: History
    until: Mapping[str, int] = field(default_factory=dict)

    @property
    def output(self) -> Location:
        """The folder of the final trainings."""
        return self.resolved.experiment.output

    def run(
        self, watchers: Iterable[Watcher] = (), interruption: Interruption = UNINTERRUPTED
    ) -> Retrained:
        """Train what is not trained yet; return all scores."""
        ending = _Ending(self)
        result = run_trials(self.resolved, watchers, interruption, ending)
        return retrained(self.search, result.history)


def retrain(  # noqa: PLR0913 - what the command takes
    output: Location | str,
    *,
    top: int = 3,
    trials: Sequence[int] = (),
    seeds: int = 3,
    epochs: int | None = None,
    folds: int = 1,
    watchers: Iterable[Watcher] = (),
    **settings: Any,
) -> Retrained:
    """Train the best architectures of a run again, from new weights, and test each training once.

    They are trained on training and validation data. The trainings are trials of a run of their
    own in ``retrained`` in the run folder: if that is there already, it continues, and larger
    ``seeds`` add trainings.

    Args:
        output: The run folder.
        top: How many architectures: the best by their score in the search. The winner is one.
        trials: The numbers of trials of the search, to train these instead.
        seeds: How often each is trained, with different training seeds.
        epochs: How long; none for as long as the winner of the search.
        folds: Into how many parts training and validation data are divided; each training leaves
            out another part, on which it is scored, too. Each is trained on each fold ``seeds``
            times. 1 to train on all of the data.
        watchers: As for ``search``.
        settings: As for ``resume``.

    Raises:
        RaynasError: There is no run or no such trial, a setting is invalid, or the run failed.
    """
    repetition = Repetition(top, tuple(trials), seeds, epochs, folds)
    return prepared_retraining(output, repetition, settings).run(watchers)


def load_retrained(output: Location) -> Retrained | None:
    """Return the final trainings in a run folder, or in its folder ``retrained``; none if none."""
    replay = read(output)
    return retrained_of(output, replay.run["experiment"], replay.history)


def retrained_of(
    output: Location, settings: Mapping[str, Any], history: History
) -> Retrained | None:
    """Return what ``load_retrained`` does, of a run that has been read.

    Args:
        output: Its folder.
        settings: Its settings.
        history: Its events.
    """
    if str(settings.get("objective")).startswith(EPOCHS_LEFT):
        search = output.parent
        return retrained(read(search).history, history) if exists(search) else None
    folder = output / RETRAINED
    return retrained(history, read(folder).history) if exists(folder) else None


def prepared_retraining(
    output: Location | str, repetition: Repetition, settings: Mapping[str, Any]
) -> PreparedRetraining:
    """Find what is trained again, and check that it can be.

    Raises:
        RaynasError: As for ``retrain``.
    """
    folder = location("the run folder", output)
    replay = read(folder)
    chosen = _chosen(folder, replay.history, repetition)
    resolved = prepared(recorded(folder, settings))
    check_output(folder / RETRAINED)
    check_unchanged(resolved, replay.run)
    if repetition.folds > 1:
        check_divisible(resolved.data, repetition.folds)
    epochs = repetition.epochs or resolved.experiment.winner_epochs or resolved.epochs
    final = _final(resolved, chosen, replace(repetition, epochs=epochs))
    until = {
        trial.identity: best_epoch(trial, epochs / resolved.epochs)
        for trial in chosen
        if not resolved.loop
    }
    return PreparedRetraining(final, replay.history, until)


def _chosen(folder: Location, history: History, repetition: Repetition) -> list[Trial]:
    """Return one trial for each network that is trained again, the best first."""
    if repetition.trials:
        return [scored_trial(folder, history, number) for number in repetition.trials]
    best = ranked_networks(folder, history)
    chosen = best[: repetition.top]
    if len(best) < repetition.top:
        there = "there is one network" if len(best) == 1 else f"there are {len(best)} networks"
        _LOG.warning("top is %d, and %s with a score: all are trained", repetition.top, there)
    numbers = {trial.identity for trial in chosen}
    winner = history.winner and history.trials[history.winner.number]
    if winner and winner.identity not in numbers:
        _LOG.info("the winner, trial %d, takes the last place of the top", winner.number)
        chosen[-1] = winner
    return chosen


def _known(folder: Location, repetition: Repetition, resolved: ResolvedExperiment) -> History:
    """Return the final trainings that are there already, which must be of the same kind.

    Raises:
        JournalError: They have another length, or other folds.
    """
    if not exists(folder):
        return History(resolved.experiment.objectives)
    replay = read(folder)
    known = replay.run["experiment"]
    if (known["epochs"], known["folds"]) != (repetition.epochs, repetition.folds):
        raise JournalError(
            f"{folder} holds final trainings of {plural(known['epochs'], 'epoch')} with folds "
            f"{known['folds']}, asked for are {repetition.epochs} with folds {repetition.folds}: "
            f"give --epochs {known['epochs']} --folds {known['folds']}, or move that folder "
            "elsewhere"
        )
    return replay.history


def _check_same(experiment: Experiment) -> None:
    """Check that the final trainings that are there already are of the same kind.

    Raises:
        JournalError: They are of other architectures, or of another length.
    """
    folder = experiment.output
    if not exists(folder):
        return
    known, mine = read(folder).run["experiment"], experiment.described()
    names = {"start_from": "architectures", "epochs": "epochs", "folds": "folds"}
    if others := [said for name, said in names.items() if known.get(name) != mine[name]]:
        raise JournalError(
            f"{folder} holds final trainings with other {' and '.join(others)}: give the same "
            f"options as before (it has epochs {known['epochs']}, folds {known['folds']}), or "
            "move that folder elsewhere"
        )


def _final(
    resolved: ResolvedExperiment, chosen: Sequence[Trial], repetition: Repetition
) -> ResolvedExperiment:
    """Return the experiment whose trials are the final trainings."""
    space = resolved.space.space
    count, epochs = repetition.seeds * repetition.folds, int(repetition.epochs or 1)
    searcher = Retraining(space, [one.architecture for one in chosen], count, repetition.folds)
    known = _known(resolved.experiment.output / RETRAINED, repetition, resolved)
    trials = max(1, len(known.trials) + searcher.missing(known))
    experiment = _settings(resolved.experiment, repetition, trials)
    plan = Plan(space, searcher, RunToEnd(), trials, epochs, experiment.seed, experiment.limits)
    return replace(
        resolved,
        experiment=experiment,
        repeats=Repeats(folds=repetition.folds, seed=experiment.seed, final=True),
        plan=plan,
        dressed=lambda _: searcher,
        assessors=(),
        constraints=(),
    )


def _settings(experiment: Experiment, repetition: Repetition, trials: int) -> Experiment:
    return replace(
        experiment,
        output=experiment.output / RETRAINED,
        objective=f"{EPOCHS_LEFT}:min",
        constraint=None,  # final trainings do not report what it may be on
        best_known=None,
        log=(),
        epochs=repetition.epochs,
        folds=repetition.folds,
        seeds=1,  # each is a trial, so that more can be added
        fidelity="epochs",
        trials=trials,
        scheduler="none",
        scheduler_options={},
        method=None,
        method_options={},
        supernet_epochs=None,
        supernets=1,
        supernet_workers=None,
        candidates=None,
        proxies=(),
        inherit_weights=False,
        finalists=0.0,
        start_from=None,
        time=None,
        gpu_hours=None,
        target=None,
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """Runs the final trainings; nothing comes after them."""

    prepared: PreparedRetraining

    def lacks(self, conductor: Conductor) -> bool:  # noqa: ARG002 - by contract
        """Return that nothing comes after the last trial."""
        return False

    def over(self, conductor: Conductor) -> None:
        """Say that all is trained."""
        _LOG.info("all %s are there already", plural(len(conductor.history.trials), "training"))

    def run(self, session: RaySession, conductor: Conductor, assign: Assign) -> None:
        """Run the trainings that are left."""

        def until(trial: Trial) -> TrialSpec:
            return replace(assign(trial), until=self.prepared.until.get(trial.identity, 0))

        session.run_trials(conductor, until, NOTHING_FINAL)
