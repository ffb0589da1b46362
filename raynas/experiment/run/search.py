"""Running an experiment: the floors below, wired together."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raynas.errors import ConfigError, RaynasError, ResourceError, RunError
from raynas.execution.conductor import Conductor
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.worker import TrialSpec
from raynas.experiment.experiment import Experiment, experiment_from
from raynas.experiment.resolve.machine import check_machine, share_of
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.experiment.run.folder import WINNER, checkpoints, keep_winner, open_run
from raynas.experiment.run.result import Result
from raynas.insight import Watcher
from raynas.insight.estimates import reason
from raynas.insight.run_limits import ahead, ended_by
from raynas.insight.tensorboard import TensorBoard
from raynas.journal import Journal, read
from raynas.rng import winner_seed
from raynas.searchers import Keeper
from raynas.storage import writing
from raynas.trial import Event, Failed, History, Started, Trial, Winner

if TYPE_CHECKING:
    from raynas.execution.ray_tune.session import RaySession

_LOG = logging.getLogger("raynas")


def search(watchers: Iterable[Watcher] = (), **settings: Any) -> Result:
    """Search; the settings are the fields of ``Experiment``.

    Args:
        watchers: Who else, besides TensorBoard, is told of every event.
        settings: ``space``, ``task``, ``searcher``, ``scheduler``, ``trials``, ``output``, …

    Raises:
        RaynasError: Something in the description does not exist or fit, before anything starts;
            or the search could not go on, with all that was trained in the journal.
    """
    return run(experiment_from(settings), watchers)


def resume(output: Path | str, watchers: Iterable[Watcher] = (), **settings: Any) -> Result:
    """Take up the run in a folder where it was left.

    Args:
        output: The run folder.
        watchers: As for ``search``.
        settings: What is to be different: more ``trials``, other resources; and again whatever
            was given as an object rather than by name.

    Raises:
        RaynasError: There is no run, it cannot be taken up like this, or it could not go on.
    """
    return run(recorded(Path(output), settings), watchers)


def recorded(output: Path, settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment of the run in a folder, with ``settings`` changed.

    Raises:
        JournalError: There is no run.
        ConfigError: It was begun with objects, and they are not among the settings.
    """
    known = dict(read(output).run["experiment"])
    for name, value in known.items():
        if name not in settings and (objects := [*_objects(value)]):
            raise ConfigError(
                f"the run in {output} was given {name} as an object ({', '.join(objects)}): "
                f"give it again, as in raynas.resume({str(output)!r}, {name}=...)"
            )
    return experiment_from({**known, "output": output, **settings})


def _objects(value: Any) -> Iterator[str]:
    """Yield what stands in a described setting for an object, which no journal can hold."""
    if isinstance(value, Mapping):
        if set(value) == {"object"}:
            yield str(value["object"])
        for part in value.values():
            yield from _objects(part)


def run(
    experiment: Experiment,
    watchers: Iterable[Watcher] = (),
    interruption: Interruption = UNINTERRUPTED,
) -> Result:
    """Run an experiment, or go on with it if its folder holds it already.

    Args:
        experiment: What to run.
        watchers: As for ``search``.
        interruption: Whether a signal asks the run to end.

    Raises:
        Interrupted: A signal has ended the run.
        RaynasError: As for ``search``.
    """
    resolved = resolve(experiment)
    if resolved.start:  # what the run begins with stays what it is, whatever becomes of its source
        experiment = replace(experiment, start_from=[dict(one) for one in resolved.start])
    check_machine(experiment, resolved.space)
    others = tuple(watchers)
    with ExitStack() as stack:
        journal = Journal(experiment.output)
        stack.callback(journal.close)
        history = open_run(experiment, resolved, journal)
        board = TensorBoard(
            experiment.output, resolved.space.space.decisions, experiment.objectives
        )
        stack.callback(board.close)
        files = checkpoints(experiment.output)
        files.clear()
        for trial in history.running:  # the process before may have died just after it began
            files.endow(trial, history)

        def record(event: Event) -> None:
            history.apply(event)
            journal.append(event)
            if isinstance(event, Started):
                files.endow(history.trials[event.number], history)
            with writing(experiment.output):
                board.write(event, history)
            for watcher in others:
                watcher.write(event, history)
            interruption.check()

        conductor = Conductor(resolved.plan, history, record, time.time, interruption)
        if not conductor.finished or _lacks_winner(conductor):
            _execute(experiment, resolved, conductor)
        else:
            _say_limit(experiment, conductor)
        files.sweep(lambda: conductor.needed)
    return Result(experiment.output, history, experiment.described())


def _lacks_winner(conductor: Conductor) -> bool:
    chosen, winner = conductor.recommended, conductor.history.winner
    return chosen is None or winner is None or winner.number != chosen.number


def _execute(experiment: Experiment, resolved: ResolvedExperiment, conductor: Conductor) -> None:
    """Search on Ray; then train, test and export the winner."""
    from raynas.execution.ray_tune.session import opened  # noqa: PLC0415 - loads Ray

    share = share_of(experiment)
    build = partial(resolved.space.build, **experiment.space_options)
    space = resolved.space
    with opened(
        share, build, space.home, resolved.recipe, resolved.data, space.resources
    ) as session:
        conductor.interruption.listen()
        if experiment.gpu_hours and not session.slots.usual.gpus:
            raise ResourceError(
                f"gpu_hours are given as {experiment.gpu_hours:g}, and there is no GPU to hold: "
                "say --time, or search where there are GPUs"
            )
        if not conductor.finished:
            name = _called(experiment.scheduler)
            _LOG.info(ahead(resolved.plan, conductor.history, session.slots.count, name))
        if experiment.proxies:
            assess = session.assessor(experiment.proxies, experiment.seed)
            conductor.plan = replace(conductor.plan, searcher=resolved.dressed(assess))
        session.run_trials(conductor, lambda trial: trial_spec(experiment, conductor, trial))
        _say_limit(experiment, conductor)
        if _lacks_winner(conductor):
            _retrain(experiment, resolved, conductor, session)


def _called(part: Any) -> str:
    return part if isinstance(part, str) else type(part).__name__


def _say_limit(experiment: Experiment, conductor: Conductor) -> None:
    """Tell people what has ended the search, if it was a limit, and how to go on."""
    if limit := conductor.limit:
        said = ended_by(limit, conductor.plan.limits, conductor.history)
        way_on = f"raynas resume {shlex.quote(str(experiment.output))}"
        _LOG.info("%s; to go on: %s --%s ...", said, way_on, limit.replace("_", "-"))


def _retrain(
    experiment: Experiment, resolved: ResolvedExperiment, conductor: Conductor, session: RaySession
) -> None:
    from raynas.execution.winner import retrain  # noqa: PLC0415
    from raynas.training.export import input_card  # noqa: PLC0415 - loads torch

    recommended = conductor.recommendation
    if recommended is None:
        raise RunError(_why_none(conductor.history))
    chosen = recommended.trial
    epochs, weights = experiment.winner_epochs or experiment.epochs, ""
    if chosen.started.inherits:  # its score is that of weights no training from scratch would give
        epochs, weights = chosen.epoch, str(checkpoints(experiment.output).of(chosen.donor))
        _LOG.info("testing the winner, trial %d, with the weights it has", chosen.number)
    else:
        _LOG.info("training the winner, trial %d, on training and validation data", chosen.number)
    final = TrialSpec(
        chosen.number,
        dict(chosen.architecture),
        epochs,
        winner_seed(experiment.seed),
        checkpoint="",
        parent=weights,
    )
    try:
        retrained = session.run_once(partial(retrain, spec=final), chosen)
    except Exception as error:
        said = str(error) if isinstance(error, RaynasError) else f"{type(error).__name__}: {error}"
        folder = shlex.quote(str(experiment.output))
        raise RunError(
            f"the winner, trial {chosen.number}, could not be trained and tested: {said}; the "
            f"trials are kept: raynas show {folder} lists them, raynas resume {folder} tries again"
        ) from error
    if missing := retrained.exported.missing:
        _LOG.warning(
            "the winner's network.pt2 is missing, for torch cannot export this network (%s); "
            "weights.safetensors is there, for the network that the space builds",
            missing.splitlines()[0],
        )
    card = {
        "space": experiment.described()["space"],
        "space_options": experiment.described()["space_options"],
        "architecture": dict(chosen.architecture),
        "task": experiment.described()["task"],
        "input_shape": list(resolved.data.input_shape),
        "classes": resolved.data.classes,
        "class_names": list(resolved.data.names),
        "input": input_card(resolved.data),
        "metrics": dict(retrained.metrics),
    }
    with writing(experiment.output / WINNER):
        keep_winner(experiment.output, retrained.exported.files, card)
    conductor.record(
        Winner(
            chosen.number,
            retrained.metrics,
            WINNER,
            at=time.time(),
            reason=reason(conductor.history, recommended),
            front=recommended.front,
        )
    )


def _why_none(history: History) -> str:
    outcomes = (trial.outcome for trial in history.failed)
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Failed)}
    silent = "they were not given the time" if history.trials else "nothing was proposed in time"
    why = "; ".join(sorted(reasons)[:3]) or silent
    return f"none of {history.trained} trials finished: {why}"


def trial_spec(experiment: Experiment, conductor: Conductor, trial: Trial) -> TrialSpec:
    """Return what a worker is told of a trial, once checkpoints that nobody needs are deleted."""
    files, started = checkpoints(experiment.output), trial.started
    files.sweep(lambda: conductor.needed)
    return TrialSpec(
        trial.number,
        dict(trial.architecture),
        started.epochs,
        started.seed,
        str(files.of(trial.number)),
        parent=str(files.bequeathed(trial.number)) if started.inherits else "",
        begin=started.begin,
        keep=isinstance(conductor.plan.searcher, Keeper) or started.inherits,
    )
