"""Run an experiment: connect its parts, and train the winner at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

from raynas.errors import ConfigError, ResourceError
from raynas.execution.conductor import Conductor
from raynas.execution.interruption import UNINTERRUPTED, Interruption
from raynas.execution.steady_clock import steady_clock
from raynas.execution.trial_spec import TrialSpec
from raynas.experiment.experiment import Experiment, experiment_from, objects
from raynas.experiment.resolve.machine import check_machine, share_of
from raynas.experiment.resolve.resolved import ResolvedExperiment, resolve
from raynas.experiment.run.belonging import check_own
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
from raynas.experiment.run.recorder import Recorder
from raynas.experiment.run.result import Result
from raynas.experiment.run.sweep import Sweep
from raynas.experiment.run.watchers import Watchers
from raynas.experiment.typed_settings import Changes, Settings
from raynas.insight import Watcher, services
from raynas.insight.board.tensorboard import TensorBoard
from raynas.insight.board.weights import WeightsPicture
from raynas.insight.graphs import graphs_of
from raynas.insight.notebook.cell import in_cell
from raynas.insight.services.service_log import ServiceLog
from raynas.insight.text.limits import ahead
from raynas.journal import Journal, read
from raynas.schedulers import Director
from raynas.searchers.screened import together
from raynas.searchers.wrapper import keeper
from raynas.space.codec import to_data
from raynas.storage import Location, location, store_of
from raynas.trial import Trial

_LOG = logging.getLogger("raynas")


def search(watchers: Iterable[Watcher] = (), **settings: Unpack[Settings]) -> Result:
    """Run a search; if the run folder contains the same experiment, continue it.

    Args:
        watchers: Objects that receive every event, in addition to TensorBoard.
        settings: The fields of ``Experiment``: ``space``, ``task``, ``searcher``, ``trials``, …

    Raises:
        RaynasError: A setting is invalid, before anything starts; or the search failed, and the
            journal keeps everything that was trained.
    """
    return run(experiment_from(settings), watchers)


def resume(
    output: Location | str, watchers: Iterable[Watcher] = (), **settings: Unpack[Changes]
) -> Result:
    """Continue the run in a folder.

    Args:
        output: The run folder.
        watchers: As for ``search``.
        settings: The settings to change, such as ``trials`` or resources; and all settings that
            were given as objects and not by name.

    Raises:
        RaynasError: There is no run, it cannot continue with these settings, or it failed.
    """
    return run(recorded(location("output", output), settings), watchers)


def recorded(output: Location, settings: Mapping[str, Any]) -> Experiment:
    """Return the experiment of the run in a folder, with ``settings`` changed.

    Raises:
        JournalError: There is no run, or a module would be imported from another file.
        ConfigError: The run was begun with objects, and ``settings`` does not contain them.
    """
    described = read(output).run
    known = take_up(output, described)
    check_own(output, known)
    for name, value in known.items():
        if name not in settings and (named := [*objects(value)]):
            raise ConfigError(
                f"the run in {output} was given {name} as an object ({', '.join(named)}): "
                f"give it again, as in raynas.resume({str(output)!r}, {name}=...)"
            )
    check_modules(output, described)
    return experiment_from({**known, "output": output, **settings})


def run(
    experiment: Experiment,
    watchers: Iterable[Watcher] = (),
    interruption: Interruption = UNINTERRUPTED,
) -> Result:
    """Run an experiment; if its folder contains it already, continue it.

    In a notebook, the cell shows the progress.

    Args:
        experiment: The experiment.
        watchers: As for ``search``.
        interruption: Knows whether a signal asks the run to end.

    Raises:
        Interrupted: A signal has ended the run.
        RaynasError: As for ``search``.
    """
    resolved = prepared(experiment)
    with in_cell(experiment.most_trials) as cell:
        return run_resolved(resolved, [*watchers, *cell], interruption)


def prepared(experiment: Experiment) -> ResolvedExperiment:
    """Check the run folder, find the objects that an experiment names, and load its data.

    Raises:
        RaynasError: A setting is invalid, or the run folder contains other files.
    """
    check_output(experiment.output)
    services.check(experiment.log)
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
    return run_trials(resolved, watchers, interruption, WinnerEnding(resolved))


def _with_supernets(
    resolved: ResolvedExperiment, interruption: Interruption
) -> ResolvedExperiment:
    """Train the supernets of an experiment; return it with what they bring.

    Their candidates are its first trials, or their scores are a proxy.
    """
    from raynas.experiment.resolve.supernets import supernets_of  # noqa: PLC0415 - loads torch
    from raynas.experiment.run.supernets import (  # noqa: PLC0415
        PROPOSED,
        CandidatesEnding,
        SupernetLines,
        candidates_of,
        with_candidates,
        with_shared_proxy,
    )

    supernets = supernets_of(resolved)
    training = supernets.training
    check_machine(training.experiment, training.space, training.workers)
    proxy = resolved.experiment.shares
    count = max(PROPOSED, candidates_of(resolved.experiment, limited=supernets.limited))
    ending = CandidatesEnding(supernets, 0 if proxy else count)
    lines = SupernetLines(training.plan.epochs)
    picture = WeightsPicture(training.experiment.output)
    with closing(Journal(resolved.experiment.output)) as journal:
        # For ``resume``, if this one is killed.
        history = open_run(resolved.experiment, resolved, journal)
        with undone_if_empty(journal, history, training.experiment.output):
            trained = run_trials(training, [lines, picture], interruption, ending)
    if proxy:
        return with_shared_proxy(resolved, supernets, trained.history)
    return with_candidates(resolved, ending)


def run_trials(
    resolved: ResolvedExperiment,
    watchers: Iterable[Watcher],
    interruption: Interruption,
    ending: Ending,
) -> Result:
    """Run the trials of a prepared experiment, and what its ``ending`` does after them."""
    experiment = resolved.experiment
    check_machine(experiment, resolved.space, resolved.workers)
    logs = [
        ServiceLog(one, partial(services.connect, one), experiment.output)
        for one in experiment.log
    ]
    others = Watchers([*watchers, *logs])
    with ExitStack() as stack:
        for log in logs:
            stack.callback(log.close)
        journal = stack.enter_context(closing(Journal(experiment.output)))
        history = open_run(experiment, resolved, journal)
        stack.enter_context(undone_if_empty(journal, history))
        stack.callback(store_of(experiment.output).settle)
        board = TensorBoard(
            experiment.output,
            resolved.space.space.decisions,
            experiment.objectives,
            graphs_of(resolved.space.space, resolved.build),
        )
        stack.callback(board.close)
        files = checkpoints(experiment.output)
        clear_partial(experiment.output)
        for trial in history.running:  # the earlier process may have died before it did this
            files.endow(trial, history)
        sweep = Sweep(files, lambda: conductor.needed, journal.settle)
        stack.callback(sweep.close)
        record = Recorder(history, journal, files, sweep, board, others, interruption)
        conductor = Conductor(resolved.plan, history, record, steady_clock(), interruption)
        # Before a trial begins that has the name of what a killed process has left.
        files.sweep(lambda: conductor.needed, journal.settle)
        if not conductor.finished or ending.lacks(conductor):
            _execute(experiment, resolved, conductor, ending)
        else:
            ending.over(conductor)
        sweep.close()
        files.sweep(lambda: conductor.needed, journal.settle)
        clear_partial(experiment.output)
    tree = to_data(resolved.space.space.tree)
    return Result(experiment.output, history, experiment.described(), tree)


def _execute(
    experiment: Experiment,
    resolved: ResolvedExperiment,
    conductor: Conductor,
    ending: Ending,
) -> None:
    """Search on Ray."""
    from raynas.execution.ray_tune.opening import opened  # noqa: PLC0415 - loads Ray

    share = share_of(experiment, resolved.workers)
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
    """Return a trial's specification for a worker."""
    files, started = checkpoints(experiment.output), trial.started
    keep = keeper(conductor.plan.searcher) is not None or started.inherits
    return TrialSpec(
        trial.number,
        dict(trial.architecture),
        started.epochs,
        started.seed,
        str(files.of(trial.number)),
        parent=str(files.bequeathed(trial.number)) if started.inherits else "",
        begin=started.begin,
        keep=keep,
        lent=keep or isinstance(conductor.plan.scheduler, Director),
        fresh=conductor.is_fresh(trial),
        reported=trial.reports[-1].epoch if trial.reports else 0,
        division=started.division,
        confirmed=sorted(conductor.confirmed),
    )
