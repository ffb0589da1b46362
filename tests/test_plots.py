"""The plots of a run, the importance of decisions, and the journal as data frames."""

import math

import numpy as np
import optuna
import pytest
from insight_history import SPACE, architecture, events, play, report, started, winner
from matplotlib.figure import Figure

from raynas.insight import plots
from raynas.insight.figures import svg
from raynas.insight.importance import LEAST, importance, too_few
from raynas.insight.notebook import frames
from raynas.insight.plots import style
from raynas.insight.plots.lineage_tree import ancestors
from raynas.searchers.optuna_trials import OptunaTrials
from raynas.space import Choice, Float, Int, Space
from raynas.trial import Failed, Finished, History, Objective, Report, Resumed, Started

OF_DECISIONS = {"explored", "importances", "marginals"}
WIDE = Space(
    {
        "op": Choice({"conv": {"kernel": Choice((3, 5, 7))}, "pool": None}),
        "width": Int(1, 100),
        "lr": Float(1e-4, 1.0, log=True),
        "idle": Choice(tuple("abcd")),
    }
)


def draw(name, history, decisions):
    plot = getattr(plots, name)
    return plot(history, decisions) if name in OF_DECISIONS else plot(history)


def score(values):
    """Return a score that depends on the operation, its kernel and the learning rate."""
    kernel = {3: 0.0, 5: 0.3, 7: 0.1}.get(values.get("op.conv.kernel"), 0.0)
    return 0.4 * (values["op"] == "conv") + kernel - 0.1 * abs(math.log10(values["lr"]) + 2)


def searched(trials, seed=0, worth=score, space=WIDE):
    """Return the history of a random search on a made-up function."""
    history, rng = History(), np.random.default_rng(seed)
    for number in range(trials):
        drawn = space.sample(rng)
        history.apply(Started(number, drawn, space.identity(drawn), 1, number))
        metrics = {"val_accuracy": worth(drawn) + 0.02 * rng.normal()}
        history.apply(Report(number, 1, metrics, 1.0, number))
        history.apply(Finished(number, at=number))
    return history


def two_objectives():
    history = History((Objective(), Objective("params", "min")))
    return play([*events(), winner()], history=history)


HISTORIES = {
    "nothing": (History(), {}),
    "begun": (play([started(0)]), SPACE.decisions),
    "failed only": (play([started(0), Failed(0, "no $GPU$ <b>")]), SPACE.decisions),
    "stopped only": (
        play([started(0), report(0, 1, 0.5), Finished(0, stopped=True)]),
        SPACE.decisions,
    ),
    "going on": (play(events()), SPACE.decisions),
    "resumed": (play([*events(), Resumed(1, 120), report(1, 2, 0.7, 121)]), SPACE.decisions),
    "ended": (play([*events(), winner()]), SPACE.decisions),
    "two": (two_objectives(), SPACE.decisions),
    "many": (searched(60), WIDE.decisions),
    "one value": (searched(30, space=Space({"op": Choice(("a",))}), worth=lambda _: 0.5), {}),
}


@pytest.mark.parametrize("name", plots.__all__)
@pytest.mark.parametrize("case", HISTORIES)
def test_any_history_has_a_picture(name, case):
    history, decisions = HISTORIES[case]
    drawn = draw(name, history, decisions)
    assert isinstance(drawn, Figure)
    said = svg(drawn)
    assert "<svg" in said
    assert "nan" not in said.lower().replace("finance", "")


@pytest.mark.parametrize("by", ["trials", "epochs", "seconds"])
def test_the_best_so_far_ends_with_the_best(by):
    history = play(events())
    axes = plots.best_so_far(history, by).axes[0]
    (line,) = axes.lines
    x, y = line.get_data()
    assert y[-1] == pytest.approx(history.best.metrics["val_accuracy"])
    assert [*x] == sorted(x)
    assert x[-1] == {"trials": 3, "epochs": 8, "seconds": 15}[by]


def test_a_short_training_does_not_raise_the_best_so_far():
    history = play(events())  # trial 1 had 0.95 after one epoch, and was stopped
    y = plots.best_so_far(history).axes[0].lines[0].get_ydata()
    assert max(y) < 0.95


def test_far_outliers_are_left_out_and_counted():
    axes = style.figure().subplots()
    scores = [0.0, *np.linspace(0.8, 0.9, 30)]
    style.score_limits(axes, scores, highest=True)
    assert 0.3 < axes.get_ylim()[0] < 0.8
    style.say_outside(axes, scores)
    assert axes.get_title(loc="left") == "1 score is outside of the picture"
    style.score_limits(axes, [-score for score in scores], highest=False)
    assert -0.8 < axes.get_ylim()[1] < -0.3


def test_a_front_of_one_objective_is_that_of_score_and_size():
    history = History()
    for number, (accuracy, params) in enumerate([(0.9, 10), (0.8, 5), (0.7, 7), (0.9, 12)]):
        decided = architecture(number)
        history.apply(Started(number, decided, SPACE.identity(decided), 1, 0))
        history.apply(Report(number, 1, {"val_accuracy": accuracy, "params": params}))
        history.apply(Finished(number))
    front = plots.pareto(history).axes[0].lines[0]
    assert [*zip(*front.get_data(), strict=True)] == [(5, 0.8), (10, 0.9)]


def test_ancestors_end_at_a_trial_without_a_parent():
    history = History()
    for number, parent in enumerate([None, 0, None, 1]):
        decided = architecture(number)
        begun = Started(number, decided, SPACE.identity(decided), 1, 0, parent=parent)
        history.apply(begun)
    assert ancestors(history, 3) == [3, 1, 0]
    assert ancestors(history, 2) == [2]


class TestImportance:
    def test_what_matters_comes_first_and_what_does_not_has_nothing(self):
        found = importance(searched(300), WIDE.decisions)
        assert {*[*found][:3]} == {"op", "op.conv.kernel", "lr"}
        assert sum(found.values()) == pytest.approx(1)
        assert found["idle"] + found["width"] < 0.05
        assert [*found.values()] == sorted(found.values(), reverse=True)

    def test_it_agrees_with_optunas(self):
        history, space = searched(400), WIDE
        study = optuna.create_study()
        study.add_trials(
            [OptunaTrials(space).finished(one, constrained=False) for one in history.finished]
        )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
        always = [path for path, one in space.decisions.items() if one.parent is None]
        theirs = evaluator.evaluate(study, params=always)
        mine = importance(history, space.decisions)
        assert max(theirs, key=theirs.get) == max(always, key=mine.get) == "op"
        assert min(theirs["op"], theirs["lr"]) > max(theirs["idle"], theirs["width"])

    def test_a_decision_below_another_gets_nothing_from_being_active(self):
        history = searched(300, worth=lambda values: float(values["op"] == "conv"))
        found = importance(history, WIDE.decisions)
        assert found["op"] > 0.9
        assert found["op.conv.kernel"] < 0.05

    def test_noise_seldom_stands_out(self):
        runs = [
            importance(searched(40, seed, lambda _: 0.0), WIDE.decisions) for seed in range(40)
        ]
        positive = [share > 0 for found in runs for share in found.values()]
        assert np.mean(positive) < 0.1

    def test_too_few_networks_are_said(self):
        history = searched(LEAST - 1)
        assert importance(history, WIDE.decisions) == {}
        assert f"{LEAST} networks with a score are needed, there are {LEAST - 1}" in too_few(
            history
        )
        assert too_few(searched(LEAST)) == ""

    def test_repeats_count_once(self):
        history = History()
        decided = WIDE.sample(np.random.default_rng(0))
        for number in range(LEAST + 1):
            history.apply(Started(number, decided, WIDE.identity(decided), 1, 0, repeat=True))
            history.apply(Report(number, 1, {"val_accuracy": 0.5}))
            history.apply(Finished(number))
        assert "there is 1." in too_few(history)


class TestFrames:
    def test_each_trial_has_a_row_with_all_that_is_known(self):
        history = play([*events(), winner()])
        frame = frames.trials(history).set_index("trial")
        assert [*frame.index] == [*history.trials]
        assert frame.loc[2, "reason"] == "the loss is not finite"
        assert frame.loc[4, "val_accuracy"] == pytest.approx(0.92)
        assert frame.loc[3, "status"] == "answered by trial 0"
        assert (frame.loc[0, "ended"] - frame.loc[0, "started"]).total_seconds() == 6
        for number, trial in history.trials.items():
            for path, value in trial.architecture.items():
                assert frame.loc[number, path] == ("None" if value is None else value)
        assert (
            frame.loc[[n for n in history.trials if "layers.1.width" not in architecture(n)]][
                "layers.1.width"
            ]
            .isna()
            .all()
        )

    def test_each_report_has_a_row(self):
        frame = frames.reports(play(events()))
        assert len(frame) == 3 + 1 + 1 + 3 + 1
        assert frame[frame.trial == 0].epoch.tolist() == [1, 2, 3]
        # The learning rate is a metric, too; the decision of that name has a column of its own.
        assert frame.lr.iloc[0] == pytest.approx(0.1)

    def test_names_that_are_taken_get_a_prefix(self):
        space = Space({"status": Choice((1, 2)), "loss": Choice((3, 4))})
        history = History((Objective("loss", "min"),))
        for number in range(2):
            decided = space.sample(np.random.default_rng(number))
            history.apply(Started(number, decided, "x", 1, 0))
        history.apply(Report(0, 1, {"loss": 0.25, "epochs": 7.0}))
        frame = frames.trials(history)
        assert frame["decision.status"].isin([1, 2]).all()
        assert frame["decision.loss"].isin([3, 4]).all()
        assert frame["metric.epochs"][0] == 7
        assert frame["loss"][0] == 0.25

    def test_an_empty_run_has_empty_frames(self):
        assert len(frames.trials(History())) == len(frames.reports(History())) == 0
