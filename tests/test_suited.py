"""Settings that suit a task: the task says them, and the user overrides them."""

import pytest

from raynas.errors import ConfigError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.resolve.suited import Suited
from raynas.tasks import TASKS


class Short:
    """A task that says how long it is trained."""

    def load(self, source, seed):
        return TASKS["digits"]().load(source, seed)

    def suited(self, data):
        return {"epochs": 3, "scheduler": "none", "folds": 1 + len(data.valid) // 300}


def test_a_task_says_what_suits_its_data_and_the_user_what_else():
    resolved = resolve(Experiment(task=Short(), space="mlp"))
    assert resolved.suited == Suited(epochs=3, scheduler="none", folds=2)
    assert resolved.plan.epochs == 3
    assert resolved.repeats.folds == 2
    completed = resolved.completed(Experiment(task=Short()))
    assert (completed.epochs, completed.scheduler, completed.folds) == (3, "none", 2)
    mine = Experiment(task=Short(), space="mlp", epochs=4, scheduler="asha", folds=1)
    assert resolve(mine).suited == Suited(4, "asha", 1)
    assert resolve(Experiment(space="mlp")).suited == Suited()


def test_a_task_may_not_say_more():
    class Bold(Short):
        def suited(self, data):  # noqa: ARG002 - by contract
            return {"trials": 3}

    with pytest.raises(ConfigError, match="no setting in suited of a task 'trials'"):
        resolve(Experiment(task=Bold(), space="mlp"))


def test_only_small_tables_are_divided_several_times(tmp_path):
    for rows, folds in ((1250, 5), (1300, 1)):
        file = tmp_path / "a.csv"
        lines = "\n".join(f"{row},{row % 7 / 3}" for row in range(rows))
        file.write_text(f"x,y\n{lines}\n")
        options = {"file": file, "target": "y", "kind": "regression"}
        found = resolve(Experiment(task="tabular", task_options=options, space="tabular"))
        assert found.suited.folds == folds
