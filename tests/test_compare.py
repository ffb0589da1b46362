"""What `raynas compare` says of runs, against numbers computed by hand, and what it refuses."""

import json
import math
from dataclasses import replace
from statistics import fmean, variance

import pytest
from insight_history import events, play, report, started
from recorded_runs import DATA, written
from scipy import stats

from raynas.errors import ConfigError
from raynas.experiment.run.compare import compared
from raynas.insight.comparison import Arm, Run, budgets, difference, mean, steps
from raynas.trial import Finished, History, Objective, Opened, Winner


def run_of(scores, seed=0, epochs=1):
    """Return the events of a run: each trial takes two seconds per epoch, one after another."""
    del seed
    yield Opened(0.0)
    now = 0.0
    for number, score in enumerate(scores):
        yield started(number, epochs, at=now)
        for epoch in range(1, epochs + 1):
            now += 2.0
            yield report(number, epoch, score, at=now)
        yield Finished(number, at=now)


def arm(name, scores):
    """Return an arm with one run for each seed, of two trials."""
    runs = [
        Run.of(f"{name}-{seed}", seed, play(run_of([0.1, score])))
        for seed, score in scores.items()
    ]
    return Arm(name, tuple(runs))


def last(run):
    return run.after("trials", 2)


def test_the_best_so_far_counts_trials_epochs_and_seconds():
    found = [*steps(play(run_of([0.5, 0.7, 0.6], epochs=3)))]
    assert [(one.trials, one.epochs, one.seconds) for one in found] == [
        *((1, 3, 6.0), (2, 6, 12.0), (3, 9, 18.0))
    ]
    assert [one.best.number for one in found] == [0, 1, 1]


def test_longer_training_counts_first_as_in_the_leaderboard():
    history = play(events())
    assert [*steps(history)][-1].best.number == history.best.number == 4
    assert [one.best.number for one in steps(history)] == [0, 0, 4], "trial 1 was stopped early"


def test_budgets_are_those_that_every_run_has_used():
    arms = [arm("a", {0: 0.5}), Arm("b", (Run.of("b", 0, play(run_of([0.1] * 8))),))]
    assert budgets(arms, "trials") == [1, 2]
    assert budgets(arms, "epochs") == [1, 2]
    assert budgets(arms, "seconds") == [1.0, 2.0, 4.0]
    assert arms[0].runs[0].after("seconds", 1.0) is None
    assert arms[0].runs[0].after("seconds", 2.0) == 0.1
    nothing = Arm("c", (Run.of("c", 0, History()),))
    assert budgets([*arms, nothing], "trials") == []


def test_runs_of_equal_seed_are_paired_and_the_interval_is_students():
    one = arm("one", {0: 0.5, 1: 0.6, 2: 0.9})
    other = arm("other", {2: 0.7, 1: 0.5, 0: 0.45, 7: 0.1})
    gaps = [0.05, 0.1, 0.2]
    gap = difference(one, other, last)
    low, high = stats.t.interval(0.95, 2, fmean(gaps), stats.sem(gaps))
    assert gap.pairs == 3
    assert (gap.value - gap.margin, gap.value + gap.margin) == pytest.approx((low, high))


def test_without_equal_seeds_the_interval_is_welchs():
    mine, its = [0.5, 0.6, 0.9], [0.3, 0.35]
    one = arm("one", dict(enumerate(mine)))
    other = arm("other", dict(enumerate(its, start=10)))
    gap = difference(one, other, last)
    expected = stats.ttest_ind(mine, its, equal_var=False).confidence_interval(0.95)
    assert gap.pairs == 0
    assert (gap.value - gap.margin, gap.value + gap.margin) == pytest.approx(
        (expected.low, expected.high)
    )
    assert mean(one, last).error == pytest.approx(math.sqrt(variance(mine) / 3))


def test_a_seed_that_two_runs_have_is_no_pair():
    twice = arm("twice", {0: 0.5, 1: 0.6})
    twice = replace(twice, runs=(*twice.runs, twice.runs[0]))
    assert difference(twice, arm("b", {0: 0.1, 1: 0.2}), last).pairs == 0


def test_one_run_of_each_has_no_interval():
    gap = difference(arm("a", {0: 0.5}), arm("b", {0: 0.25}), last)
    assert (gap.value, gap.margin, gap.pairs) == (0.25, None, 1)
    assert difference(arm("a", {0: 0.5}), Arm("c", (Run.of("c", 0, History()),)), last) is None


@pytest.fixture
def folder(tmp_path):
    """Three seeds of two searchers; the data of a run depend on its seed."""
    for name, better in (("random", 0.0), ("evolution", 0.1)):
        for seed in range(3):
            happened = [*run_of([0.3, 0.5 + better + seed / 100, 0.4])]
            happened.append(Winner(1, {"test_accuracy": 0.5 + better}, "winner"))
            data = {**DATA, "valid": {"examples": 100, "digest": str(seed)}}
            where = tmp_path / "runs" / f"{name}-{seed}"
            written(where, happened, data=data, searcher=name, seed=seed)
    return tmp_path / "runs"


def test_groups_are_compared_in_pairs(folder, raynas):
    status, said, errors = raynas("compare", folder / "evolution-*", folder / "random-*")
    assert (status, errors) == (0, "")
    lines = [line.strip() for line in said.splitlines()]
    assert lines[0] == f"A  {folder}/evolution-*: 3 runs"
    assert "they differ in searcher (evolution, random)" in lines
    against = next(at for at, line in enumerate(lines) if line.startswith("B against A"))
    assert lines[against].endswith(
        "over 3 pairs of equal seed; ± is the 95 % interval, wide with so few:"
    )
    assert any("10.00 % ± 0.00 % worse" in line for line in lines[against:])
    assert lines[-1].split()[0] == "test_accuracy"
    assert lines[-1].endswith("10.00 % ± 0.00 % worse")


def test_runs_with_equal_settings_are_put_together(folder, raynas):
    every = sorted(map(str, folder.iterdir()))
    data = json.loads(raynas("compare", *every, "--json")[1])
    assert [one["seeds"] for one in data["arms"]] == [[0, 1, 2], [0, 1, 2]]
    assert {run.rsplit("/", 1)[1][:6] for run in data["arms"][0]["runs"]} == {"evolut"}
    gap = data["arms"][1]["differences"]["after 3 trials"]
    assert gap == {"value": pytest.approx(-0.1), "margin": pytest.approx(0, abs=1e-9), "pairs": 3}
    alone = json.loads(raynas("compare", *every[:2], "--json")[1])
    assert [one["name"] for one in alone["arms"]] == every[:2], "equal settings, but nothing else"


def test_a_folder_of_runs_is_a_group(folder):
    other = folder.parent / "other"
    other.mkdir()
    for path in folder.glob("random-*"):
        path.rename(other / path.name)
    found = compared([str(folder), str(other)])
    assert [len(one.runs) for one in found.arms] == [3, 3]


def test_one_run_of_each_says_that_it_may_be_chance(folder, raynas):
    said = raynas("compare", folder / "evolution-0", folder / "random-0")[1]
    assert "one run of each, of equal seed: the difference may be chance" in said
    assert "±" not in said
    said = raynas("compare", folder / "evolution-0", folder / "random-1")[1]
    assert "one run of each, of different seeds" in said


def test_less_is_better_where_a_loss_is_the_objective(tmp_path, raynas):
    for name, score in (("a", 0.5), ("b", 0.9)):
        written(tmp_path / name, run_of([score]), (Objective("val_loss", "min"),))
    said = raynas("compare", tmp_path / "a", tmp_path / "b")[1]
    assert "0.4 better" in said, "val_loss is one minus the accuracy"


OTHERS = {
    "objectives": ({"objectives": (Objective("val_loss", "min"),)}, "the same objectives"),
    "task": ({"task": "mnist"}, "the same task: .* has digits, .* has mnist"),
    "data": ({"data": {**DATA, "classes": 3}}, "the same data"),
    "division": (
        {"data": {**DATA, "valid": {"examples": 100, "digest": "x"}}},
        "the same division",
    ),
}


@pytest.mark.parametrize(("other", "says"), OTHERS.values(), ids=OTHERS)
def test_runs_of_something_else_are_refused(tmp_path, raynas, other, says):
    written(tmp_path / "a", run_of([0.5]), task="digits")
    written(tmp_path / "b", run_of([0.5]), **{"task": "digits", **other})
    status, output, errors = raynas("compare", tmp_path / "a", tmp_path / "b")
    assert (status, output) == (2, "")
    with pytest.raises(ConfigError, match=f"must have {says}"):
        raise ConfigError(errors)


def test_what_cannot_be_compared_is_said(tmp_path, raynas):
    written(tmp_path / "a", run_of([0.5]))
    status, _, errors = raynas("compare", tmp_path / "a")
    assert status == 2
    assert "needs 2 to 26 runs or groups of runs, got 1" in errors
    status, _, errors = raynas("compare", tmp_path / "a", tmp_path / "none-*")
    assert status == 2
    assert "in which there is no run" in errors
    written(tmp_path / "empty", [Opened(0.0)])
    status, said, _ = raynas("compare", tmp_path / "a", tmp_path / "empty")
    assert status == 0
    assert "nothing can be compared" in said
