"""The training recipe: what it accepts, and the learning rate it gives."""

import math
import subprocess
import sys
from itertools import pairwise

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raynas.errors import ConfigError
from raynas.training import Recipe
from raynas.training.recipe import SCHEDULES


def test_overrides_replace_fields_and_leave_the_rest():
    recipe = Recipe(lr=0.3).with_overrides({"batch_size": 32, "weight_decay": 0, "flip": True})
    assert recipe == Recipe(lr=0.3, batch_size=32, weight_decay=0.0, flip=True)
    assert isinstance(recipe.weight_decay, float)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"weight_deacy": 0.1}, "did you mean 'weight_decay'"),
        ({"lr": "fast"}, "lr of the training recipe must be a finite number: got 'fast'"),
        ({"lr": True}, "finite number: got True"),
        ({"lr": math.nan}, "finite number: got nan"),
        ({"lr": math.inf}, "finite number: got inf"),
        ({"lr": 0}, "lr must be above 0"),
        ({"lr": -0.1}, "0.0 <= lr"),
        ({"batch_size": 1}, "2 <= batch_size"),
        ({"batch_size": 64.0}, "whole number: got 64.0"),
        ({"flip": 1}, "true or false: got 1"),
        ({"crop": -1}, "0 <= crop"),
        ({"label_smoothing": 1.5}, "label_smoothing <= 1.0"),
        ({"warmup": 1.0}, "warmup <= 0.9"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"momentum": 0}, "nesterov needs a momentum"),
        ({"optimizer": "adamv"}, "did you mean 'adamw'"),
        ({"optimizer": 3}, "optimizer of the training recipe must be a name: got 3"),
        ({"optimizer": "adamw", "momentum": 0.8}, "momentum .* means nothing for .* adamw"),
        ({"optimizer": "Adam", "nesterov": True}, "nesterov .* means nothing for .* Adam"),
        ({"optimizer_options": {"dampening": 0.1}}, "sgd takes no optimizer_options"),
        ({"optimizer_options": 0.9}, "must be options by name: got 0.9"),
        (
            {"optimizer": "lion", "optimizer_options": {"eps": 1}},
            "no option of .* lion",
        ),
        ({"optimizer": "adamw", "optimizer_options": {"eps": 0}}, "eps must be a number above 0"),
        (
            {"optimizer": "lion", "optimizer_options": {"betas": [0.9]}},
            "betas must be two numbers",
        ),
        ({"optimizer": "lion", "optimizer_options": {"betas": [0.9, 1]}}, "from 0 to below 1"),
        ({"precision": "float16"}, "did you mean 'bfloat16'"),
        ({"ema": 1.0}, "0.0 <= ema <= 0.99999"),
        ({"accumulate": 0}, "1 <= accumulate"),
        ({"magnitude": 31}, "magnitude <= 30"),
    ],
)
def test_what_cannot_be_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=message):
        Recipe().with_overrides(overrides)


def test_another_optimizer_begins_with_its_usual_rate():
    adamw = Recipe(lr=0.3, momentum=0.8).with_overrides({"optimizer": "adamw"})
    assert (adamw.lr, adamw.weight_decay) == (1e-3, 0.05)
    assert Recipe(lr=0.3).with_overrides({"optimizer": "sgd"}).lr == 0.3
    lion = adamw.with_overrides({"optimizer_options": {"eps": 1e-6}}).with_overrides(
        {"optimizer": "lion", "lr": 0.01}
    )
    assert (lion.lr, lion.weight_decay, lion.optimizer_options) == (0.01, 0.5, {})


def test_a_recipe_is_a_value():
    options = {"betas": [0.9, 0.95]}
    recipe = Recipe().with_overrides({"optimizer": "adamw", "optimizer_options": options})
    options["betas"] = None
    assert recipe.options() == {"betas": [0.9, 0.95], "eps": 1e-8}
    assert cloudpickle.loads(cloudpickle.dumps(recipe)) == recipe
    assert len({recipe, recipe.with_overrides({}), Recipe()}) == 2


@given(
    lr=st.floats(1e-6, 10),
    warmup=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    steps=st.integers(1, 300),
)
def test_the_learning_rate_rises_to_its_peak_and_never_rises_again(lr, warmup, schedule, steps):
    recipe = Recipe(lr=lr, warmup=warmup, schedule=schedule)
    rates = [recipe.lr_at((step + 0.5) / steps) for step in range(steps)]
    peak = rates.index(max(rates))
    assert all(0 < rate <= lr * (1 + 1e-9) for rate in rates)
    assert all(a <= b + 1e-12 * lr for a, b in pairwise(rates[: peak + 1]))
    assert all(a >= b - 1e-12 * lr for a, b in pairwise(rates[peak:]))
    assert recipe.lr_at(warmup) == pytest.approx(lr)


def test_the_schedules_end_where_their_names_say():
    ends = {name: Recipe(schedule=name).lr_at(1.0) for name in SCHEDULES}
    expected = {"cosine": 0.0, "linear": 0.0, "constant": 0.1, "step": 0.001, "exponential": 0.001}
    assert ends == pytest.approx(expected)
    steps = Recipe(warmup=0.0, schedule="step")
    assert [steps.lr_at(at) for at in (0.49, 0.5, 0.74)] == pytest.approx([0.1, 0.01, 0.01])
    assert Recipe(warmup=0.0).lr_at(0.5) == pytest.approx(0.05)


def test_a_recipe_can_be_checked_without_torch():
    code = "import sys, raynas.training; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
