"""The table that comes with raynas: it is what training the cells again gives."""

import numpy as np
import pytest
import torch
from ray_runs import cli, completed
from scipy.stats import kendalltau

from raynas.errors import ConfigError, TrialError
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.tables import SPACES, TABLES
from raynas.tables.digits import EPOCHS, RECIPE, SEEDS, TASK, digits
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.examples import Examples
from raynas.training.recipe import Recipe
from raynas.training.scores import evaluate
from raynas.training.train import Training
from search_spaces.nasbench201 import small

TABLE = digits(small.SPACE)


def test_it_has_each_network_of_its_space():
    assert {*TABLE.rows} == {small.SPACE.identity(one) for one in small.SPACE}
    assert TABLE.seen.shape == (496, SEEDS, EPOCHS)
    assert TABLES.keys() == SPACES.keys()


def test_a_training_is_recorded_epoch_by_epoch():
    cell = small.SPACE.sample(np.random.default_rng(0))
    reports = TABLE.answer(cell, EPOCHS, 4)
    assert [one.epoch for one in reports] == [*range(1, EPOCHS + 1)]
    row = TABLE.rows[small.SPACE.identity(cell)]
    assert reports[-1].metrics["val_accuracy"] == TABLE.seen[row, 4 % SEEDS, -1]
    scores = TABLE.scores(cell)
    assert scores.test == pytest.approx(TABLE.tested[row].mean())
    assert scores.test <= TABLE.best


def test_equivalent_cells_have_the_same_results():
    by_identity = {}
    for one in small.SPACE:
        by_identity.setdefault(small.SPACE.identity(one), []).append(one)
    alike = next(cells for cells in by_identity.values() if len(cells) > 1)
    answers = [TABLE.answer(one, EPOCHS, 0) for one in alike]
    assert all(one == answers[0] for one in answers)


def test_ranks_mean_something():
    """One training ranks networks as the two others do, far better than chance."""
    last = TABLE.seen[:, :, -1]
    for seed in range(SEEDS):
        others = np.delete(last, seed, 1).mean(1)
        assert kendalltau(last[:, seed], others).statistic > 0.6


def test_a_network_trained_again_has_the_recorded_accuracies():
    """As far as seeds agree, 5 points of deviation: processors add up in different orders."""
    cell = small.SPACE.sample(np.random.default_rng(1))
    data = Digits(**TASK).load(Source(), seed=0)
    train, valid, test = (
        Examples.of(getattr(data, part), data, torch.device("cpu"))
        for part in ("train", "valid", "test")
    )
    seed_weights(1)
    training = Training(
        small.build(cell, (1, 8, 8), 10),
        train,
        Recipe().with_overrides(RECIPE),
        epochs=EPOCHS,
        seed=1,
        valid=valid,
    )
    seen = [training.step().metrics["val_accuracy"] for _ in range(EPOCHS)]
    recorded = [one.metrics["val_accuracy"] for one in TABLE.answer(cell, EPOCHS, 1)]
    assert seen[-1] == pytest.approx(recorded[-1], abs=0.15)
    row = TABLE.rows[small.SPACE.identity(cell)]
    tested = evaluate(training.child, test).metrics["accuracy"]
    assert tested == pytest.approx(TABLE.tested[row, 1], abs=0.15)


def test_what_it_does_not_hold_is_refused():
    cell = small.SPACE.sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="must have 6 epochs, got 9"):
        TABLE.answer(cell, 9, 0)
    with pytest.raises(TrialError, match="no results of this architecture"):
        TABLE.scores(Architecture({**cell, "edge_0_1": "none"}))


def test_searchers_are_compared_on_it_without_a_download():
    status, output, errors = completed(
        *cli("bench", "--table", "digits", "--searcher", "evolution"),
        *("--evaluations", "5,10", "--seeds", "2"),
    )
    assert status == 0, errors
    assert "evolution" in output
    assert "random" in output


def test_the_task_of_the_table_can_be_named():
    data = Digits(**TASK).load(Source(), seed=0)
    assert (len(data.train), len(data.valid)) == (500, 628)
    with pytest.raises(ConfigError, match="images left, train is 5000"):
        Digits(train=5000).load(Source(), seed=0)
    with pytest.raises(ConfigError, match="noise >= 0"):
        Digits(noise=-1.0)
