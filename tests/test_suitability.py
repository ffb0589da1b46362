"""Schedulers of a user's own that cannot be used are named before anything starts."""

import pytest

from raynas.errors import ConfigError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.resolved import resolve

PARTS = """
from raynas.schedulers import Verdict


class Unchecked:
    def decide(self, report, history):
        return Verdict.GO


class Raises(Unchecked):
    def check(self, epochs):
        raise KeyError("rungs")


class Particular(Unchecked):
    def check(self, epochs):
        pass

    def check_trials(self, trials):
        return trials / 0
"""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Unchecked", r"Unchecked' needs methods check\(epochs\) and .*, and has no check"),
        ("Raises", r"Raises': KeyError: 'rungs' \(.*parts.py, line 12: raise KeyError"),
        ("Particular", "Particular': ZeroDivisionError.*line 20: return trials / 0"),
    ],
)
def test_a_scheduler_that_cannot_be_asked_is_named_with_the_line(name, says, tmp_path):
    (tmp_path / "parts.py").write_text(PARTS)
    scheduler = f"{tmp_path / 'parts.py'}:{name}"
    with pytest.raises(ConfigError, match=says):
        resolve(Experiment(space="mlp", scheduler=scheduler, output=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
