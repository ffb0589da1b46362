"""Run an experiment: connect its parts, and train the winner at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from raynas.errors import ConfigError, ResourceError
from raynas.execution.conductor import Conductor
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.trial_spec import TrialSpec
from raynas.experiment.experiment import Experiment, experiment_from
from raynas.experiment.resolve.machine import check_machine, share_of
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.experiment.run.ending import Ending, WinnerEnding
from raynas.experiment.run.folder import (
    check_modules,
    checkpoints,
    clear_partial,
    open_run,
    undone_if_empty,
)
from raynas.experiment.run.places import check_output, take_up
from raynas.experiment.run.quick_check import quick_check
from raynas.experiment.run.result import Result
from raynas.experiment.run.watchers import Watchers
from raynas.insight import Watcher
from raynas.insight.run_limits import ahead
from raynas.insight.tensorboard import TensorBoard
from raynas.insight.weights_picture import WeightsPicture
from raynas.journal import Journal, read
from raynas.oneshot.search import SHARED
from raynas.options import local_path
from raynas.searchers.screened import together
from raynas.searchers.wrapper import keeper
from raynas.storage import writing
from raynas.trial import Event, Started, Trial

_LOG = logging.getLogger("raynas")


def search(watchers: Iterable[Watcher] = (), **settings: Any) -> Result:
    """Run a search; if the run folder contains the same experiment, continue it.

    Args:
        watchers: Objects that receive every event, in addition to TensorBoard.
        settings: The fields of ``Experiment``: ``space``, ``task``, ``searcher``, ``trials``, …

    Raises:
        RaynasError: A setting is invalid, before anything starts; or the search failed, and the
            journal keeps everything that was trained.
    """
    return run(experiment_from(settings), watchers)


def resume(output: Path | str, watchers: Iterable[Watcher] = (), **settings: Any) -> Result:
    """Continue the run in a folder.

    Args:
        output: The run folder.
        watchers: As for ``search``.
        settings: The settings to change, such as ``trials`` or resources; and all settings that
            were given as objects and not by name.

    Raises:
        RaynasError: There is no run, it cannot continue with these settings, or it failed.
    """
    return run(recorded(local_path("output", output), settings), watchers)


def recorded(output: Path, settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment of the run in a folder, with ``settings`` changed.

    Raises:
        JournalError: There is no run, or a module would be imported from another file.
        ConfigError: The run was begun with objects, and ``settings`` does not contain them.
    """
    described = read(output).run
    known = take_up(output, described)
    if str(known.get("objective")).startswith(SHARED):
        raise ConfigError(
            f"{output} holds the supernets of another run, which trains and resumes them: "
            f"resume {output.parent}"
        )
    for name, value in known.items():
        if name not in settings and (objects := [*_objects(value)]):
            raise ConfigError(
                f"the run in {output} was given {name} as an object ({', '.join(objects)}): "
                f"give it again, as in raynas.resume({str(output)!r}, {name}=...)"
            )
    check_modules(output, described)
    return experiment_from({**known, "output": output, **settings})


def _objects(value: Any) -> Iterator[str]:
    """Yield the names of the objects in a described setting; a journal has only their names."""
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
    """Run an experiment; if its folder contains it already, continue it.

    Args:
        experiment: The experiment.
        watchers: As for ``search``.
        interruption: Knows whether a signal asks the run to end.

    Raises:
        Interrupted: A signal has ended the run.
        RaynasError: As for ``search``.
    """
    return run_resolved(prepared(experiment), watchers, interruption)


def prepared(experiment: Experiment) -> ResolvedExperiment:
    """Check the run folder, find the objects that an experiment names, and load its data.

    Raises:
        RaynasError: A setting is invalid, or the run folder contains other files.
    """
    check_output(experiment.output)
    return resolve(experiment)


def run_resolved(
    resolved: ResolvedExperiment,
    watchers: Iterable[Watcher] = (),
    interruption: Interruption = UNINTERRUPTED,
) -> Result:
    """Run a prepared experiment, as ``run`` does.

    Args:
        resolved: The experiment, the objects that it names, and its data.
        watchers: As for ``search``.
        interruption: Knows whether a signal asks the run to end.

    Raises:
        Interrupted: A signal has ended the run.
        RaynasError: As for ``search``.
    """
    if resolved.experiment.methods:
        resolved = _with_supernets(resolved, interruption)
    return _run(resolved, watchers, interruption, WinnerEnding(resolved))


def _with_supernets(
    resolved: ResolvedExperiment, interruption: Interruption
) -> ResolvedExperiment:
    """Train the supernets of an experiment; return it with what they bring.

    Their candidates are its searcher, or their scores are a proxy.
    """
    from raynas.experiment.resolve.supernets import supernets_of  # noqa: PLC0415 - loads torch
    from raynas.experiment.run.supernets import (  # noqa: PLC0415
        MOST,
        CandidatesEnding,
        SupernetLines,
        with_candidates,
        with_shared_proxy,
    )

    supernets = supernets_of(resolved)
    with closing(Journal(resolved.experiment.output)) as journal:
        open_run(resolved.experiment, resolved, journal)  # for ``resume``, if this one is killed
    proxy = resolved.experiment.shares
    ending = CandidatesEnding(supernets, 0 if proxy else max(MOST, int(resolved.plan.trials)))
    lines = SupernetLines(supernets.training.plan.epochs)
    picture = WeightsPicture(supernets.training.experiment.output)
    trained = _run(supernets.training, [lines, picture], interruption, ending)
    if proxy:
        return with_shared_proxy(resolved, supernets, trained.history)
    return with_candidates(resolved, ending)


def _run(
    resolved: ResolvedExperiment,
    watchers: Iterable[Watcher],
    interruption: Interruption,
    ending: Ending,
) -> Result:
    """Run the trials of a prepared experiment, and what comes after them."""
    experiment = resolved.experiment
    check_machine(experiment, resolved.space)
    others = Watchers([*watchers])
    with ExitStack() as stack:
        journal = stack.enter_context(closing(Journal(experiment.output)))
        history = open_run(experiment, resolved, journal)
        stack.enter_context(undone_if_empty(journal, history))
        board = TensorBoard(
            experiment.output, resolved.space.space.decisions, experiment.objectives
        )
        stack.callback(board.close)
        files = checkpoints(experiment.output)
        clear_partial(experiment.output)
        for trial in history.running:  # the earlier process may have died before it did this
            files.endow(trial, history)

        def record(event: Event) -> None:
            history.apply(event)
            journal.append(event)
            if isinstance(event, Started):
                files.endow(history.trials[event.number], history)
            with writing(experiment.output):
                board.write(event, history)
            others.write(event, history)
            interruption.check()

        conductor = Conductor(resolved.plan, history, record, time.time, interruption)
        if not conductor.finished or ending.lacks(conductor):
            _execute(experiment, resolved, conductor, ending)
        else:
            ending.over(conductor)
        files.sweep(lambda: conductor.needed)
        clear_partial(experiment.output)
    return Result(experiment.output, history, experiment.described())


def _execute(
    experiment: Experiment,
    resolved: ResolvedExperiment,
    conductor: Conductor,
    ending: Ending,
) -> None:
    """Search on Ray."""
    from raynas.execution.ray_tune.opening import opened  # noqa: PLC0415 - loads Ray

    share = share_of(experiment)
    checking = quick_check(experiment, resolved, conductor.history)
    with checking as check_networks, opened(share, resolved.work) as session:
        conductor.interruption.listen()
        check_networks()
        if experiment.gpu_hours and not session.slots.usual.gpus:
            raise ResourceError(
                f"gpu_hours is {experiment.gpu_hours:g}, but trials use no GPU: give --time "
                "instead, or search on machines with GPUs"
            )
        if not conductor.finished:
            name = _called(experiment.scheduler)
            _LOG.info(ahead(resolved.plan, conductor.history, session.slots.count, name))
        if experiment.proxies:
            assess = together([make(session) for make in resolved.assessors])
            conductor.plan = replace(conductor.plan, searcher=resolved.dressed(assess))
        ending.run(session, conductor, lambda trial: trial_spec(experiment, conductor, trial))


def _called(part: Any) -> str:
    return part if isinstance(part, str) else type(part).__name__


def trial_spec(experiment: Experiment, conductor: Conductor, trial: Trial) -> TrialSpec:
    """Delete the checkpoints that are not needed; return a trial's specification for a worker."""
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
        keep=keeper(conductor.plan.searcher) is not None or started.inherits,
        reported=trial.reports[-1].epoch if trial.reports else 0,
        division=started.division,
        confirmed=sorted(conductor.confirmed),
    )
