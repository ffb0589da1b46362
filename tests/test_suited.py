"""Settings that suit a task: the task says them, and the user overrides them."""

import pytest
import strategies

from raynas.errors import ConfigError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve
from raynas.tasks import TASKS


class Short:
    """A task that says what is searched and how long it is trained."""

    space = "mlp"

    def load(self, source, seed):
        return TASKS["digits"]().load(source, seed)

    def suited(self, data):
        return {"epochs": 3, "scheduler": "none", "folds": 1 + len(data.valid) // 300}


def decided(**settings):
    found = resolve(Experiment(**settings)).experiment
    return found.space, found.epochs, found.scheduler, found.folds


def test_a_task_says_what_suits_its_data_and_the_user_what_else():
    resolved = resolve(Experiment(task=Short()))
    assert resolved.plan.epochs == 3
    assert resolved.repeats.folds == 2
    assert decided(task=Short()) == ("mlp", 3, "none", 2)
    mine = {"space": "nasbench201", "epochs": 4, "scheduler": "asha", "folds": 1}
    assert decided(task=Short(), **mine) == tuple(mine.values())
    assert decided() == ("nasbench201", 9, "asha", 1)


@pytest.mark.parametrize("task", TASKS)
def test_the_space_of_every_task_is_there(task):
    space = getattr(TASKS[task], "space", "nasbench201")
    assert f"search_spaces.{space}" in strategies.shipped_spaces()


def test_a_task_may_not_say_more():
    class Bold(Short):
        def suited(self, data):  # noqa: ARG002 - by contract
            return {"trials": 3}

    with pytest.raises(ConfigError, match="no setting in suited of a task 'trials'"):
        resolve(Experiment(task=Bold()))


def test_only_small_tables_are_divided_several_times(tmp_path):
    for rows, folds in ((1250, 5), (1300, 1)):
        file = tmp_path / "a.csv"
        lines = "\n".join(f"{row},{row % 7 / 3}" for row in range(rows))
        file.write_text(f"x,y\n{lines}\n")
        options = {"file": file, "target": "y", "kind": "regression"}
        found = resolve(Experiment(task="tabular", task_options=options))
        assert found.repeats.folds == folds
