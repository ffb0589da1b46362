"""The summary of a search: the number of trials, the costs, the best trials and the winner."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Final

from rich.console import Console

from raynas.insight.front import front
from raynas.insight.leaderboard import Row, on_front, rows, top_of
from raynas.insight.ledger import spared, totals
from raynas.insight.outcome_counts import OutcomeCounts, leading
from raynas.insight.screening import screening
from raynas.insight.text.drawing import draw as draw_decisions
from raynas.insight.text.leaderboard import as_lines, as_table
from raynas.insight.text.ledger import in_short
from raynas.insight.wording import count, duration, metric, plural, say
from raynas.space import Architecture
from raynas.trial import Failed, History, Trial

_TOP: Final = 10


def print_summary(
    console: Console,
    history: History,
    draw: Callable[[Architecture], str] = draw_decisions,
    top: int = _TOP,
    paused_trials: Collection[int] = (),
) -> None:
    """Print counts, training time, the best ``top`` trials and the winner.

    Args:
        console: The console; a terminal gets colours and a table, otherwise plain lines.
        history: All events of the run.
        draw: Returns an architecture as a few lines of text.
        top: The number of trials in the leaderboard.
        paused_trials: The numbers of the paused trials, which may continue.
    """
    say(console, counts(history))
    say(console, effort(history, paused_trials))
    if books := in_short(totals(history)):
        say(console, books)
    if proxies := screening(history):
        say(console, proxies)
    if leading(history.trials.values()) is None:
        say(console, "no trial has a score" + _first_failure(history))
        return
    say(console, "")
    _print_rows(console, history, top_of(rows(history), top))
    if len(history.objectives) > 1:
        say(console, "\n" + pareto_front(history))
    say(console, "")
    say(console, winner(history, draw))


def print_front(console: Console, history: History, top: int) -> None:
    """Print the best ``top`` trials of the Pareto front, sorted by the first objective.

    Raises:
        ConfigError: The run has one objective.
    """
    there = on_front(history)
    say(console, f"{pareto_front(history)}, of {plural(len(history.trials), 'trial')}")
    if there:
        say(console, "")
        _print_rows(console, history, top_of(there, top))


def counts(history: History) -> str:
    """Return in one line the number of trials, in total and by outcome."""
    text = f"{plural(len(history.trials), 'trial')}: {OutcomeCounts.of(history)}"
    return f"{text}, {len(history.running)} not ended" if history.running else text


def effort(history: History, paused_trials: Collection[int] = ()) -> str:
    """Return in one line the training time, and the time that was saved by stopping early."""
    spent = math.fsum(trial.seconds for trial in history.trials.values())
    epochs = sum(len(trial.reports) for trial in history.trials.values() if trial.trained)
    text = f"training took {duration(spent)} for {plural(epochs, 'epoch')}"
    left, seconds = spared(history, paused_trials)
    if not left:
        return text
    return f"{text}; stopping early saved {plural(left, 'epoch')}, about {duration(seconds)}"


def pareto_front(history: History) -> str:
    """Return in one line the trials on the Pareto front of the objectives."""
    names = " and ".join(objective.metric for objective in history.objectives)
    numbers = front(history)
    trials = "trial" if len(numbers) == 1 else "trials"
    return f"Pareto front of {names}: {trials} {', '.join(map(str, numbers)) or 'none'}"


def winner(history: History, draw: Callable[[Architecture], str] = draw_decisions) -> str:
    """Return the winner, drawn, with its test results; without a winner, the best trial so far.

    Raises:
        ValueError: No trial has a score.
    """
    chosen = history.winner
    trial = history.trials[chosen.number] if chosen else leading(history.trials.values())
    if trial is None:
        raise ValueError("there is no winner: no trial has a score")
    lines = [f"{'winner' if chosen else 'best so far'}: trial {trial.number}, {_scores(trial)}"]
    lines += [f"  {line}" for line in draw(trial.architecture).splitlines()]
    if chosen:
        tested = (f"{name} {metric(name, value)}" for name, value in chosen.metrics.items())
        lines.append("  ".join(tested))
        if not chosen.folder:
            lines.append("the winner is not exported yet: raynas resume exports it")
        if chosen.missing:
            lines.append(f"note: {chosen.missing}")
        if chosen.reason:
            lines.insert(1, f"why this trial: {chosen.reason}")
    return "\n".join(lines)


def _print_rows(console: Console, history: History, board: Sequence[Row]) -> None:
    if console.is_terminal:
        objectives = [objective.metric for objective in history.objectives]
        console.print(as_table(board, console.width, objectives), soft_wrap=True)
    else:
        say(console, "\n".join(as_lines(board)))


def _first_failure(history: History) -> str:
    for trial in history.failed:
        if isinstance(trial.outcome, Failed):
            return f"; trial {trial.number} failed: {trial.outcome.reason}"
    return ""


def _scores(trial: Trial) -> str:
    shown = sorted(name for name in trial.metrics if name.startswith("val_"))
    parts = [f"{name} {metric(name, trial.metrics[name])}" for name in shown]
    if "params" in trial.metrics:
        parts.append(f"{count(trial.metrics['params'])} parameters")
    if "flops" in trial.metrics:
        parts.append(f"{count(trial.metrics['flops'])} FLOPs")
    return ", ".join(parts)
