"""What schedulers are expected to ask for, against what they ask for; there is no Ray in sight."""

import math

import pytest
from local_runs import Run, learn

from raynas.execution.plan import Plan
from raynas.schedulers import SCHEDULERS
from raynas.schedulers.forecast import expected_epochs, most_epochs
from raynas.searchers.random import RandomSearch
from raynas.space import Float, Space
from raynas.trial import Report

SPACE = Space({"lr": Float(0, 1)})  # no architecture comes twice
UNKNOWN = {"median", "extrapolation"}  # they ask for what the scores say


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS.keys() - UNKNOWN))
@pytest.mark.parametrize("trials", [12, 40])
def test_as_much_is_trained_as_was_expected(scheduler, trials):
    chosen = SCHEDULERS[scheduler]()
    spent = []
    for seed in range(12):
        plan = Plan(SPACE, RandomSearch(SPACE), chosen, trials, 9, seed)
        history = Run(plan).to_end(workers=2).history
        spent.append(sum(len(trial.reports) for trial in history.trials.values()))
    expected = expected_epochs(chosen, trials, 9)
    assert expected == pytest.approx(sum(spent) / len(spent), rel=0.15)


@pytest.mark.parametrize("scheduler", sorted(SCHEDULERS))
@pytest.mark.parametrize("trials", [5, 12, 40])
def test_the_most_is_what_is_trained_when_everybody_improves_on_the_last(scheduler, trials):
    """And never less than is trained, whatever the scores."""
    chosen = SCHEDULERS[scheduler]()
    plan = Plan(SPACE, RandomSearch(SPACE), chosen, trials, 9, 0)
    most = most_epochs(chosen, trials, 9)

    def better(trial):
        for epoch in range(trial.started.begin + 1, 10):
            yield Report(trial.number, epoch, {"val_accuracy": trial.number + epoch / 10})

    for child in (better, learn):
        history = Run(plan).to_end(child=child).history
        trained = sum(len(trial.reports) for trial in history.trials.values())
        assert trained <= most
        assert trained == most or child is learn or scheduler == "asha_promotion"


def test_of_trials_without_number_only_a_population_is_bounded():
    assert most_epochs(SCHEDULERS["pbt"](), math.inf, 9) == 72
    for name in SCHEDULERS.keys() - {"pbt"}:
        assert most_epochs(SCHEDULERS[name](), math.inf, 9) == math.inf


@pytest.mark.parametrize("scheduler", sorted(UNKNOWN))
def test_what_depends_on_scores_is_not_guessed(scheduler):
    assert expected_epochs(SCHEDULERS[scheduler](), 40, 9) is None


def test_a_scheduler_of_ones_own_may_know():
    class Halves:
        def expected_epochs(self, trials, epochs):
            return trials * epochs / 2

    assert expected_epochs(Halves(), 4, 9) == 18
