"""Folds, seeds and finalists: several trainings of one architecture."""

from dataclasses import replace
from itertools import islice
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import raynas
from raynas.data import Data, Division, Moments, check_divisible
from raynas.errors import ConfigError
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import Repeats, TrialSpec
from raynas.execution.worker import train
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.searchers import make
from raynas.searchers.finalists import Finalists
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Finished, History, Report, Started
from search_spaces import mlp

NET = {"layers": 1, "layers.0.width": 16, "activation": "ReLU", "norm": "batch", "dropout": 0.1}
DIGITS = Digits().load(Source(), seed=0)
FEW = {part: getattr(DIGITS, part).take(np.arange(60)) for part in ("train", "valid")}
SMALL = replace(DIGITS, **FEW, norm=None)


def build(architecture):
    return mlp.build(architecture, (1, 8, 8), 10)


def context(**repeats):
    return TrainingContext(build, Recipe(), SMALL, "cpu", repeats=Repeats(**repeats))


@pytest.fixture
def spec(tmp_path):
    return TrialSpec(0, NET, epochs=3, seed=5, checkpoint=str(tmp_path / "a.pt"))


def numbers(split):
    return split.inputs.reshape(len(split), -1).astype(int).tolist()


@given(st.integers(2, 7), st.integers(0, 3))
def test_each_example_is_in_the_validation_data_of_one_fold(folds, number):
    parts = [Division(number, fold, folds).of(SMALL, 0) for fold in range(folds)]
    validated = sorted(row for part in parts for row in numbers(part.valid))
    assert validated == sorted(numbers(SMALL.train) + numbers(SMALL.valid))
    for part in parts:
        assert sorted(numbers(part.train) + numbers(part.valid)) == validated
        assert part.test is SMALL.test
        assert abs(len(part.valid) - len(validated) / folds) < 1
        counts = np.bincount(part.valid.targets, minlength=10)
        total = np.bincount(np.append(SMALL.train.targets, SMALL.valid.targets), minlength=10)
        assert (np.abs(counts - total / folds) < 1 + 1e-9).all()


def test_a_division_has_its_own_normalisation_and_depends_on_the_seed():
    one, other = (Division(1).of(SMALL, seed) for seed in (0, 1))
    assert one.norm != SMALL.norm
    assert numbers(one.valid) != numbers(other.valid)
    assert numbers(one.valid) == numbers(Division(1).of(SMALL, 0).valid)
    assert len(one.valid) == len(SMALL.valid)
    assert Division().of(SMALL, 0) is SMALL
    given = Moments((0.0,), (1.0,), 1)
    assert Division(1).of(replace(SMALL, norm=given), 0).norm == given


def test_data_that_cannot_be_divided_are_refused():
    with pytest.raises(ConfigError, match="got 61 folds for 120 examples"):
        check_divisible(SMALL, 61)
    with pytest.raises(ConfigError, match="have an order"):
        check_divisible(replace(SMALL, exchangeable=False))
    part = [(np.zeros(2, np.float32), 0)]
    with pytest.raises(ConfigError, match="this task has none"):
        check_divisible(Data(part, part, part, goal=SMALL.goal))


def test_a_trial_of_folds_reports_the_mean_of_their_trainings(spec, tmp_path):
    reports = list(train(context(folds=3), spec))
    singles = []
    for fold, (division, seed) in enumerate(Repeats(folds=3).of(spec)):
        data = division.of(SMALL, 0)
        alone = replace(spec, seed=seed, checkpoint=str(tmp_path / str(fold)))
        singles.append(list(train(TrainingContext(build, Recipe(), data, "cpu"), alone)))
    for epoch, report in enumerate(reports):
        each = [one[epoch] for one in singles]
        for name in ("val_accuracy", "val_loss", "train_loss"):
            assert report.metrics[name] == pytest.approx(fmean(r.metrics[name] for r in each))
        squares = fmean(r.errors["val_loss"] ** 2 for r in each)
        assert report.errors["val_loss"] == pytest.approx((squares / 3) ** 0.5)


def test_seeds_are_different_trainings_on_the_same_examples(spec):
    (_, one), (_, two) = Repeats(seeds=2).of(spec)
    assert one == spec.seed != two
    assert {division for division, _ in Repeats(seeds=2).of(spec)} == {Division()}
    (report,) = islice(train(context(seeds=2), spec), 1)
    (single,) = islice(train(context(), replace(spec, checkpoint=spec.checkpoint + "1")), 1)
    assert report.metrics["val_loss"] != single.metrics["val_loss"]
    assert report.metrics["params"] == single.metrics["params"]


@pytest.mark.parametrize("repeats", [{"folds": 2}, {"folds": 2, "seeds": 2}])
def test_killed_after_an_epoch_it_goes_on_bit_for_bit(repeats, spec, tmp_path):
    def told(events):
        return [(event.epoch, dict(event.metrics)) for event in events]

    whole = told(train(context(**repeats), replace(spec, checkpoint=str(tmp_path / "b.pt"))))
    told(islice(train(context(**repeats), spec), 1))
    assert told(train(context(**repeats), spec)) == whole


# --- one after another, as a fidelity -----------------------------------------------------------


def test_trainings_in_turn_are_the_same_as_alone_and_their_mean_is_told(tmp_path):
    spec = TrialSpec(0, NET, epochs=4, seed=5, checkpoint=str(tmp_path / "a.pt"))
    reports = list(train(context(folds=2, seeds=2, epochs=3), spec))
    repeats, singles = Repeats(folds=2, seeds=2), []
    for number in range(4):
        division, seed = repeats.one(spec, number)
        alone = replace(spec, epochs=3, seed=seed, checkpoint=str(tmp_path / str(number)))
        data = division.of(SMALL, 0)
        singles.append(list(train(TrainingContext(build, Recipe(), data, "cpu"), alone))[-1])
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    for count, report in enumerate(reports, 1):
        for name in ("val_accuracy", "val_loss"):
            expected = fmean(one.metrics[name] for one in singles[:count])
            assert report.metrics[name] == pytest.approx(expected)
        squares = fmean(one.errors["val_loss"] ** 2 for one in singles[:count])
        different = min(count, 2)
        assert report.errors["val_loss"] == pytest.approx((squares / different) ** 0.5)


def test_killed_after_a_training_the_next_ones_are_the_same(tmp_path):
    def told(events):
        return [(event.epoch, dict(event.metrics)) for event in events]

    spec = TrialSpec(0, NET, epochs=3, seed=5, checkpoint=str(tmp_path / "a.pt"))
    turns = context(folds=3, epochs=2)
    whole = told(train(turns, replace(spec, checkpoint=str(tmp_path / "b.pt"))))
    told(islice(train(turns, spec), 2))
    assert told(train(turns, spec)) == whole


def test_a_trial_in_turn_cannot_inherit(tmp_path):
    spec = TrialSpec(0, NET, epochs=2, seed=5, checkpoint=str(tmp_path / "a.pt"), keep=True)
    list(train(context(folds=2), spec))
    heir = replace(spec, checkpoint=str(tmp_path / "b.pt"), parent=spec.checkpoint)
    (failed,) = train(context(folds=2, epochs=1), heir)
    assert "cannot inherit weights" in failed.reason


def test_the_full_length_of_a_trial_is_that_of_its_fidelity():
    settings = {"space": "mlp", "folds": 5, "seeds": 2, "epochs": 9}
    assert resolve(Experiment(**settings)).plan.epochs == 9
    resolved = resolve(Experiment(**settings, fidelity="repeats"))
    assert (resolved.plan.epochs, resolved.epochs) == (10, 9)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fidelity": "folds"}, "did you mean|known"),
        ({"fidelity": "repeats"}, "set folds or seeds above 1"),
        ({"fidelity": "repeats", "folds": 5, "scheduler": "pbt"}, "the scheduler 'pbt' cannot"),
        (
            {"fidelity": "repeats", "folds": 2, "searcher": "evolution", "inherit_weights": True},
            "inherit_weights cannot pass weights on",
        ),
    ],
)
def test_a_fidelity_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        resolve(Experiment(**settings))


def test_a_search_saves_folds(tmp_path):
    result = raynas.search(
        space="mlp",
        trials=9,
        epochs=2,
        folds=4,
        fidelity="repeats",
        searcher="random",
        scheduler="asha",
        scheduler_options={"eta": 2},
        max_concurrent=1,  # or what is stopped would depend on who is faster
        output=tmp_path / "run",
    )
    trained = [len(trial.reports) for trial in result.history.trials.values()]
    assert {max(trained), min(trained)} == {4, 1}
    assert result.winner is not None


def test_an_heir_inherits_every_child(spec, tmp_path):
    parent = replace(spec, keep=True)
    list(train(context(folds=2), parent))
    heir = replace(spec, checkpoint=str(tmp_path / "heir"), parent=parent.checkpoint, epochs=1)
    (report,) = train(context(folds=2), heir)
    assert report.metrics["inherited"] == 1.0


def test_folds_of_data_that_cannot_be_divided_are_a_failure(spec):
    fixed = TrainingContext(
        build, Recipe(), replace(SMALL, exchangeable=False), "cpu", repeats=Repeats(folds=2)
    )
    (failed,) = train(fixed, spec)
    assert isinstance(failed, Failed)


# Finalists

SPACE = mlp.SPACE


class Simulated:
    """A search whose scores are worth plus the luck of a division."""

    def __init__(self, searcher, luck=0.3):
        self.searcher, self.luck = searcher, luck
        self.history, self.worth = History(), {}

    def run(self, trials, seed):
        for number in range(trials):
            proposal = self.searcher.propose(self.history, np.random.default_rng((seed, number)))
            identity = SPACE.identity(proposal.architecture)
            worth = self.worth.setdefault(identity, np.random.default_rng(number).normal())
            key = abs(hash((identity, proposal.division, seed)))
            luck = self.luck * np.random.default_rng(key).normal()
            self.history.apply(
                Started(
                    number,
                    proposal.architecture,
                    identity,
                    1,
                    0,
                    repeat=proposal.repeat,
                    division=proposal.division,
                )
            )
            self.history.apply(Report(number, 1, {"val_accuracy": worth + luck}))
            self.history.apply(Finished(number))
        return self.history


def test_the_last_trials_are_the_best_networks_on_the_same_other_divisions():
    history = Simulated(Finalists(make("random", SPACE), 40, 0.25)).run(40, seed=1)
    first, last = [*history.trials.values()][:30], [*history.trials.values()][30:]
    assert {one.started.division for one in first} == {0}
    ranked = sorted(first, key=lambda one: one.losses[0])[:4]
    by_network = {}
    for one in last:
        by_network.setdefault(one.identity, []).append(one.started.division)
    assert {*by_network} == {one.identity for one in ranked}
    assert sorted(map(tuple, by_network.values())) == [(1, 2), (1, 2), (1, 2, 3), (1, 2, 3)]


def test_finalists_hand_over_better_networks_than_the_best_score_does():
    with_finalists, without = [], []
    for seed in range(30):
        searcher = Finalists(make("random", SPACE), 40, 0.25)
        run = Simulated(searcher, luck=1.0)
        chosen = searcher.recommend(run.run(40, seed))
        with_finalists.append(run.worth[chosen.identity])
        plain = Simulated(make("random", SPACE), luck=1.0)
        without.append(plain.worth[plain.run(40, seed).best.identity])
    assert fmean(with_finalists) > fmean(without)


def test_without_finalists_the_searcher_chooses():
    searcher = Finalists(make("random", SPACE), 40, 0.0)
    history = Simulated(searcher).run(10, seed=1)
    assert searcher.recommend(history) == history.best
    assert searcher.recommend(History()) is None
