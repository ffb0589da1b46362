"""Training searched beside the architecture."""

import pytest
import strategies
from hypothesis import given

from raynas.errors import ConfigError, SpaceError
from raynas.space import Choice, Float, Space, joined
from raynas.training.recipe import Recipe
from raynas.training.tuning import tuned
from search_spaces import nasbench201

BOTH = (
    "lr",
    "weight_decay",
    "batch_size",
    "label_smoothing",
    "warmup",
    "schedule",
    "decay_norms",
    "randaugment",
    "magnitude",
    "mixup",
    "cutmix",
)


@pytest.mark.parametrize("one", ["momentum", "optimizer"])
@given(seed=strategies.seeds())
def test_what_is_drawn_is_a_usable_recipe(one, seed):
    rng = strategies.generator(seed)
    recipe = Recipe()
    for _ in range(3):  # around what was drawn, too
        space = Space(tuned(recipe, (*BOTH, one)))
        recipe = Recipe().with_overrides(dict(space.sample(rng)))


def test_a_range_lies_around_the_recipes_value():
    node = tuned(Recipe(lr=0.2), ["lr"])["lr"]
    assert (node.low, node.high, node.log) == (pytest.approx(0.02), pytest.approx(2.0), True)


def test_ranges_cover_the_rates_of_each_optimizer_that_can_be_chosen():
    nodes = tuned(Recipe(), ["optimizer", "lr", "weight_decay"])
    assert nodes["optimizer"].options == ("sgd", "adamw")
    assert (nodes["lr"].low, nodes["lr"].high) == (pytest.approx(1e-4), pytest.approx(1.0))
    decay = nodes["weight_decay"]
    assert (decay.low, decay.high) == (pytest.approx(5e-5), pytest.approx(0.1))
    with pytest.raises(ConfigError, match="tune optimizer or momentum"):
        tuned(Recipe(), ["momentum", "optimizer"])


def test_what_cannot_be_tuned_is_named():
    with pytest.raises(ConfigError, match="recipe to tune 'crop': the known names are batch_size"):
        tuned(Recipe(), ["crop"])


def test_networks_that_are_alike_stay_so_if_they_are_trained_alike():
    space = joined(nasbench201.SPACE, "training", {"lr": Choice((0.1, 0.2))})
    rng = strategies.generator(0)
    seen = {}
    for _ in range(300):
        architecture = space.sample(rng)
        cell = {path: value for path, value in architecture.items() if path != "training.lr"}
        inner = nasbench201.SPACE.identity(nasbench201.SPACE.architecture(cell))
        key = (inner, architecture["training.lr"])
        assert seen.setdefault(key, space.identity(architecture)) == space.identity(architecture)
    assert len(set(seen.values())) == len(seen)


def test_the_size_and_the_graph_are_those_of_both():
    space = joined(nasbench201.SPACE, "training", {"lr": Choice((0.1, 0.2))})
    assert space.size == 2 * nasbench201.SPACE.size
    architecture = space.sample(strategies.generator(0))
    cell = {path: value for path, value in architecture.items() if path != "training.lr"}
    if nasbench201.SPACE.graph is not None:
        inner = nasbench201.SPACE.architecture(cell)
        assert space.graph(architecture) == nasbench201.SPACE.graph(inner)


def test_a_group_goes_into_one_that_is_there_but_decides_nothing_twice():
    space = Space({"a": Choice((1, 2)), "training": {"lr": Float(0.1, 1)}})
    both = joined(space, "training", {"momentum": Float(0.5, 0.9)})
    assert set(both.decisions) == {"a", "training.lr", "training.momentum"}
    with pytest.raises(SpaceError, match="cannot be added below 'training'"):
        joined(space, "training", {"lr": Float(0.1, 1)})
