"""Final trainings: what is trained and tested, what goes on, what is refused."""

import json
import math

import in_process
import pytest

import raynas
from raynas import journal
from raynas.errors import ConfigError, JournalError
from raynas.experiment.amounts import constraint
from raynas.experiment.run.retraining import load_retrained
from raynas.experiment.run.scored_trials import ranked_networks
from raynas.insight.comparison import steps
from raynas.insight.retraining import retrained
from raynas.space import Architecture
from raynas.storage import location
from raynas.trial import Failed, Finished, History, Objective, Report, Started, Winner

SEARCH = {
    "constraint": "val_loss<=99",  # final trainings have no such metric
    "best_known": 1.0,
    "space": "mlp",
    "task": "digits",
    "epochs": 2,
    "scheduler": "none",
    "trials": 4,
}


@pytest.fixture(scope="module", autouse=True)
def without_ray():
    with in_process.without_ray():
        yield


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search with a winner."""
    output = tmp_path_factory.mktemp("searched") / "run"
    raynas.search(**SEARCH, task_options={"train": 60}, output=output)
    return output


@pytest.fixture
def run(searched, tmp_path):
    """A copy of it, which a test may change."""
    output = tmp_path / "run"
    output.mkdir()
    for path in searched.rglob("*"):
        place = output / path.relative_to(searched)
        place.mkdir(parents=True) if path.is_dir() else place.write_bytes(path.read_bytes())
    return output


def finals(run):
    return journal.read(run / "retrained").history


def test_the_best_are_trained_again_and_tested_once(run):
    found = raynas.retrain(run, top=2, seeds=2, epochs=3)
    history = finals(run)
    assert [len(row.scores) for row in found.rows] == [2, 2]
    winner = journal.read(run).history.winner.number
    assert found.winner == winner
    assert winner in {row.trial for row in found.rows}
    for trial in history.trials.values():
        assert isinstance(trial.outcome, Finished)
        assert [report.metrics["epochs_left"] for report in trial.reports] == [2, 1, 0]
        tested = ["test_accuracy" in report.metrics for report in trial.reports]
        assert tested == [False, False, True]
        assert not any(name.startswith("val_") for name in trial.reports[-1].metrics)
    assert len({trial.started.seed for trial in history.trials.values()}) == 4
    assert len({score for row in found.rows for score in row.scores}) > 1
    assert load_retrained(run) == found == load_retrained(run / "retrained")


def test_more_seeds_and_other_trials_are_added(run):
    raynas.retrain(run, top=1, seeds=1, epochs=1)
    before = [trial.reports for trial in finals(run).trials.values()]
    other = next(
        number
        for number, trial in journal.read(run).history.trials.items()
        if trial.identity != next(iter(finals(run).trials.values())).identity
    )
    assert raynas.retrain(run, trials=[other], seeds=2, epochs=1).rows[0].scores
    after = finals(run)
    assert [trial.reports for trial in after.trials.values()][:1] == before
    assert len(after.trials) == 3
    assert len(raynas.retrain(run, trials=[other], seeds=2, epochs=1).rows) == 2
    assert len(finals(run).trials) == 3


def test_an_interrupted_training_goes_on_with_the_same_result(run, tmp_path):
    class Stop(BaseException):
        pass

    class Watcher:
        def write(self, event, history):  # noqa: ARG002 - by contract
            if isinstance(event, Report) and event.epoch == 2:
                raise Stop

    with pytest.raises(Stop):
        raynas.retrain(run, top=1, seeds=1, epochs=4, watchers=[Watcher()])
    (trial,) = finals(run).trials.values()
    assert trial.epoch == 2
    interrupted = raynas.retrain(run, top=1, seeds=1, epochs=4)
    assert [report.epoch for report in finals(run).trials[0].reports] == [1, 2, 3, 4]
    (run / "retrained").rename(tmp_path / "first")
    assert raynas.retrain(run, top=1, seeds=1, epochs=4) == interrupted


def test_folds_leave_out_other_examples(run):
    found = raynas.retrain(run, top=1, seeds=1, epochs=1, folds=3)
    assert len(found.rows[0].scores) == len(found.rows[0].held_out) == 3
    divisions = [trial.started.division for trial in finals(run).trials.values()]
    assert divisions == [0, 1, 2]


def test_other_lengths_are_refused(run):
    raynas.retrain(run, top=1, seeds=1, epochs=1)
    with pytest.raises(JournalError, match=r"holds final trainings of 1 epoch .* --epochs 1"):
        raynas.retrain(run, top=1, seeds=1, epochs=2)
    with pytest.raises(ConfigError, match="final trainings of another run: raynas retrain"):
        raynas.resume(run / "retrained")


@pytest.mark.parametrize("given", [{"top": 0}, {"seeds": 0}, {"epochs": 0}, {"folds": -1}])
def test_numbers_below_one_are_refused(run, given):
    ((name, value),) = given.items()
    with pytest.raises(ConfigError, match=f"{name} must be at least 1, got {value}"):
        raynas.retrain(run, **given)


def test_a_trial_that_is_not_there_is_refused(run):
    with pytest.raises(ConfigError, match="has no trial 99: its trials are 0 to 3"):
        raynas.retrain(run, trials=[99])


def test_another_space_or_other_data_are_refused(run):
    path = run / "journal.jsonl"
    first, rest = path.read_text().split("\n", 1)
    begun = json.loads(first)
    begun["data"]["train"]["digest"] = "0" * 16
    path.write_text(f"{json.dumps(begun)}\n{rest}")
    with pytest.raises(JournalError, match="the data or their split are different"):
        raynas.retrain(run)
    with pytest.raises(JournalError, match="the data or their split are different"):
        raynas.export(run)


def history(scores, finals=(), sign="max"):
    """Return a search, and final trainings of its trials."""
    search = History((Objective("val_accuracy", sign),))
    again = History((Objective("epochs_left", "min"),))
    for number, score in enumerate(scores):
        begun = Started(number, Architecture({"a": number}), str(number), 1, seed=0)
        search.apply(begun)
        search.apply(Report(number, 1, {"val_accuracy": score, "params": 10.0}, 1.0))
        search.apply(Finished(number))
    for number, (of, score) in enumerate(finals):
        again.apply(Started(number, Architecture({"a": of}), str(of), 1, seed=0))
        if score is None:
            again.apply(Failed(number, "lost"))
            continue
        again.apply(Report(number, 1, {"epochs_left": 0.0, "test_accuracy": score}, 1.0))
        again.apply(Finished(number))
    return search, again


def test_orders_are_compared():
    same = [(0, 0.7), (0, 0.71), (1, 0.8), (1, 0.81), (2, 0.9), (2, 0.91)]
    search, again = history([0.1, 0.2, 0.3], same)
    search.apply(Winner(2, {}, "winner"))
    found = retrained(search, again)
    assert found.correlation == pytest.approx(1.0)
    assert [row.trial for row in found.rows] == [2, 1, 0]
    assert "agree on the order" in found.verdict
    assert "3 architectures are few to say so" in found.verdict
    assert "larger than the spread" in found.verdict
    assert found.rows[0].mean == pytest.approx(0.905)
    assert found.rows[0].spread == pytest.approx(0.01 / math.sqrt(2))
    turned = retrained(*history([0.3, 0.2, 0.1], same))
    assert turned.correlation == pytest.approx(-1.0)
    assert "disagree on the order" in turned.verdict


def test_what_keeps_the_constraints_is_trained_before_what_breaks_them():
    """The best score is that of a trial that breaks a constraint."""
    search = History((Objective("val_accuracy", "max"),), constraints=(constraint("params<=10"),))
    for number, (score, params) in enumerate([(0.7, 10), (0.9, 12), (0.8, 10), (0.95, 11)]):
        search.apply(Started(number, Architecture({"a": number}), str(number), 1, seed=0))
        search.apply(Report(number, 1, {"val_accuracy": score, "params": params}, 1.0))
        search.apply(Finished(number))
    best = ranked_networks(location("the run", "run"), search)
    assert [one.number for one in best] == [2, 0, 3, 1]
    assert [step.best.number for step in steps(search)] == [0, 0, 2, 2]


def test_the_training_that_keeps_the_constraints_stands_for_its_network():
    """Two trainings of one network differ in a validation metric."""
    limit = (constraint("val_loss<=1"),)
    search = History((Objective("val_accuracy", "max"),), constraints=limit)
    _, final = history([], [(0, 0.5)])
    for number, (score, loss) in enumerate([(0.9, 2.0), (0.8, 0.5)]):
        search.apply(Started(number, Architecture({"a": 0}), "0", 1, seed=number))
        search.apply(Report(number, 1, {"val_accuracy": score, "val_loss": loss}, 1.0))
        search.apply(Finished(number))
    assert [row.trial for row in retrained(search, final).rows] == [1]


def test_a_lead_within_the_spread_is_called_so():
    noisy = [(0, 0.5), (0, 0.9), (1, 0.6), (1, 0.7)]
    assert "within the spread" in retrained(*history([0.1, 0.2], noisy)).verdict


def test_failures_are_counted_and_nothing_is_said_of_nothing():
    found = retrained(*history([0.1, 0.2], [(0, None), (1, 0.5)]))
    assert [(row.failed, len(row.scores)) for row in found.rows] == [(0, 1), (1, 0)]
    assert math.isnan(found.correlation)
    assert json.dumps(found.as_data())
    none = retrained(*history([0.1], [(0, None)]))
    assert none.verdict == "No final training has ended."
