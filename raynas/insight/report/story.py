"""What a report tells of a run: its state, its verdict, and the story of the search."""

from __future__ import annotations

from collections.abc import Iterator

from raynas.insight.ledger import ledger
from raynas.insight.outcome_counts import leading
from raynas.insight.report import charts
from raynas.insight.report.contenders import compared, contenders
from raynas.insight.report.run import Run
from raynas.insight.report.section import Section, Sentence
from raynas.insight.report.table import Cell, Table, table
from raynas.insight.text.summary import counts, effort
from raynas.insight.verdict import verdict as judged
from raynas.insight.wording import count, duration, metric, plural, status
from raynas.trial import History, Trial, Winner

_OBJECTIVES = 2  # from so many on there is a front


def state(history: History) -> str:
    """Return in a sentence how far a run has come."""
    if not history.trials:
        return "Nothing has happened in this run yet."
    if history.running:
        return (
            f"{plural(len(history.running), 'trial')} had not ended when this was written. If no "
            "process works on the run, raynas resume continues it."
        )
    if leading(history.trials.values()) is None:
        return "The run has no result, because no trial has a score."
    if history.winner is None:
        return "The winner is not trained and tested yet; raynas resume does that."
    return "The run has ended."


def verdict(run: Run) -> Section:
    """Return the section that says what the search has found, and whether it was worth it."""
    history = run.history
    sentences = [Sentence(note, "note") for note in run.notes]
    if not history.trials:
        said = "There is nothing to show yet: no trial has begun."
        return Section("Verdict", [Sentence(said, "verdict"), *sentences])
    best = leading(history.trials.values())
    if best is None:
        sentences.insert(0, Sentence("No trial has a score. The failures say why.", "verdict"))
    else:
        found = Sentence(_found(history, best), "verdict")
        sentences[:0] = [found, Sentence(judged(history).sentence)]
    if history.winner and history.winner.reason:
        sentences.append(Sentence(f"Why this trial won: {history.winner.reason}."))
    if history.winner and history.winner.missing:
        sentences.append(Sentence(f"Note: {history.winner.missing}.", "note"))
    sentences.append(
        Sentence(f"{counts(history)}; {effort(history, run.paused_trials)}.", "quiet")
    )
    return Section("Verdict", sentences, facts=[*_facts(history, best)])


def _found(history: History, best: Trial) -> str:
    """Return in a sentence what the search has found."""
    winner = history.winner
    trial = history.trials[winner.number] if winner else best
    name = history.objectives[0].metric
    score = f"trial {trial.number}, with {name} {metric(name, trial.metrics[name])}"
    if winner is None:
        return f"The best trial so far is {score}."
    tested = "".join(
        f"; tested once, it has {one} {metric(one, winner.metrics[one])}"
        for one in _tested(history, winner)[:1]
    )
    return f"The winner is {score}{tested}."


def _facts(history: History, best: Trial | None) -> Iterator[tuple[str, str]]:
    winner = history.winner
    if winner:
        yield "winner", f"trial {winner.number}"
        for name in _tested(history, winner):
            yield f"{name}, tested once", metric(name, winner.metrics[name])
    shown = history.trials[winner.number] if winner else best
    if shown is not None:
        if not winner:
            yield "best so far", f"trial {shown.number}"
        for objective in history.objectives:
            if objective.metric in shown.metrics:
                yield objective.metric, metric(objective.metric, shown.metrics[objective.metric])
        yield from _regret(history, shown)
        if "params" in shown.metrics and "params" not in {o.metric for o in history.objectives}:
            yield "parameters", count(shown.metrics["params"])
    yield "trials", str(len(history.trials))
    yield "different networks", str(history.networks)
    books = ledger(history)
    if books.worked:
        yield "time of the search", duration(books.worked)
    if books.gpu_hours:
        yield "GPU-hours", f"{books.gpu_hours:.3g}"


def _regret(history: History, trial: Trial) -> Iterator[tuple[str, str]]:
    name = history.objectives[0].metric
    if (regret := history.regret(trial.metrics[name])) is not None:
        yield f"regret, in {name}", metric(name, regret)


def _tested(history: History, winner: Winner) -> list[str]:
    """Return the test results that belong to the objectives; if there are none, the first one."""
    names = [one.metric.replace("val_", "test_", 1) for one in history.objectives]
    tested = [one for one in winner.metrics if one.startswith("test_")]
    return [one for one in names if one in tested] or tested[:1]


def charted(run: Run) -> Iterator[Section]:
    """Yield the sections that are made of charts."""
    yield Section("Progress", charts=[*charts.progress(run)])
    if len(run.history.objectives) >= _OBJECTIVES:
        yield Section("Pareto front", charts=[charts.front(run)])
    if run.decisions:
        if contenders(run.history):
            yield _best(run)
        unsaid = [Sentence(reason)] if (reason := charts.unclear(run)) else []
        yield Section("Decisions", unsaid, charts=[*charts.decisions(run)])
    if any(one.started.parent is not None for one in run.history.trials.values()):
        yield Section("Lineage", charts=[charts.lineage(run)])


def _best(run: Run) -> Section:
    trials = contenders(run.history)
    said = "The best network, drawn."
    tables = []
    if len(trials) > 1:
        different, same = compared(trials)
        said = (
            f"The best {len(trials)} different networks. What differs from the first one is "
            "marked."
        )
        if same:
            said += f" The table leaves out what all of them share: {plural(same, 'decision')}."
        tables = [different]
    return Section(
        "Best architectures", [Sentence(said)], charts=charts.drawn(run, trials), tables=tables
    )


def supernets(history: History) -> Section:
    """Return the section about the supernets of a one-shot method."""
    said = (
        "Supernets are networks with the weights of all architectures of the space. They "
        "proposed architectures, which were then trained; their own scores are never compared "
        "with the scores of trials."
    )
    return Section("Supernets", [Sentence(said)], tables=[_supernets(history)])


def _supernets(history: History) -> Table:
    names = [one.metric for one in history.objectives]
    rows = [
        [
            str(trial.number),
            ", ".join(f"{path} {value}" for path, value in trial.architecture.items()),
            status(trial),
            *(_score(name, trial) for name in names),
            Cell(str(trial.epoch), trial.epoch),
            Cell(duration(trial.seconds), trial.seconds),
        ]
        for trial in history.trials.values()
    ]
    heads = ["supernet", "settings", "status", *names, "epochs", "time"]
    return table("supernets", heads, rows)


def _score(name: str, trial: Trial) -> Cell:
    if name not in trial.metrics:
        return Cell("")
    return Cell(metric(name, trial.metrics[name]), trial.metrics[name])
