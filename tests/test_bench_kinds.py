"""Tables of other kinds than those that come with raynas: errors, gaps, no times."""

import logging

import numpy as np
import pytest

from raynas.errors import ConfigError, TrialError
from raynas.experiment.bench import Bench, bench
from raynas.insight.plots import regret as regret_plot
from raynas.insight.text.regret import print_comparison
from raynas.space import Choice, Space
from raynas.tables import Recorded, Scores

from rich.console import Console  # isort: skip


class Errors:
    """Less is better; half of the architectures are not recorded."""

    space = Space({f"x{i}": Choice(range(8)) for i in range(3)})
    lengths = (2,)
    objective = "val_error:min"
    best = 0.0
    seconds = 5.0
    first = 0

    def answer(self, architecture, epochs, draw):  # noqa: ARG002 - by contract
        if sum(architecture.values()) % 2 < self.first:
            raise TrialError("no row")
        score = self.scores(architecture).valid
        return [Recorded(epoch + 1, {"val_error": score}, self.seconds) for epoch in range(epochs)]

    def scores(self, architecture):
        share = sum(architecture.values()) / 21
        return Scores(share, share)


def run(table, **settings):
    usual = {"searchers": {"evolution": "evolution"}, "evaluations": (60,), "seeds": 3}
    return bench(Bench(table=table, **{**usual, **settings}), "table")


def changed(**fields):
    return type("Errors", (Errors,), fields)()


def test_what_is_optimised_may_be_an_error(tmp_path, capsys):
    comparison = run(Errors(), searcher_options={"evolution": {"population_size": 10}})
    ends = {name: one.by_trainings.test[:, -1] for name, one in comparison.reached.items()}
    assert np.mean(ends["evolution"]) < np.mean(ends["random"]) < 0.3
    print_comparison(Console(width=120), comparison)
    said = capsys.readouterr().out
    assert "below random" in said
    regret_plot.plot([comparison], tmp_path / "plot.svg")
    assert comparison.beyond is None


def test_a_table_must_record_what_is_optimised():
    with pytest.raises(ConfigError, match=r"must record val_accuracy.*got val_error; a field of"):
        run(changed(objective="val_accuracy"))


def test_gaps_in_a_table_end_no_search():
    comparison = run(changed(first=1), evaluations=(40,))
    assert np.isfinite(comparison.reached["random"].by_trainings.test[:, -1]).all()


def test_a_table_without_any_score_is_told_of(caplog):
    comparison = run(changed(first=2), evaluations=(20,))
    assert np.isnan(comparison.reached["random"].by_trainings.test).all()
    assert "random: failed trainings in all runs together: 60; the first: no row" in caplog.text


def test_a_best_score_that_is_beaten_is_said(caplog):
    with caplog.at_level(logging.WARNING, "raynas"):
        run(Errors())
        assert not caplog.text
        run(changed(best=0.5))
    assert "its best test score is 0.5, but 0" in caplog.text


@pytest.mark.parametrize("first", [0, 2])
def test_trainings_that_take_no_time_do_not_last_for_ever(first):
    large = Space({f"x{i}": Choice(range(8)) for i in range(5)})
    table = changed(space=large, seconds=0.0, first=first)
    with pytest.raises(ConfigError, match="took no time: give a number of trainings, too"):
        run(table, evaluations=(), seconds=(20,), seeds=1, searchers={})


def test_looks_must_be_in_order():
    looks = [Recorded(2, {"val_error": 0.5}, 1.0), Recorded(1, {"val_error": 0.5}, 1.0)]
    with pytest.raises(ConfigError, match="in the order of epochs, got 2, 1"):
        run(changed(answer=lambda *_: looks))
