"""The optimizers against torch's own, or against steps written down in full."""

import copy
import inspect
import subprocess
import sys

import children
import pytest
import torch
from torch import nn

from raynas.errors import ConfigError, SpaceError
from raynas.rng import seed_weights
from raynas.training.inherit import in_common
from raynas.training.optimizers import OPTIMIZERS, moments_in, optimizer_of
from raynas.training.optimizers.groups import Group, groups_of
from raynas.training.recipe import Recipe
from raynas.training.recipe.optimization import USUAL

RATES = (0.1, 0.05, 0.2)


def recipe(optimizer="sgd", **fields):
    return Recipe().with_overrides({"optimizer": optimizer, **fields})


def tensors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"a": torch.randn(3, 4, generator=generator), "b": torch.randn(5, generator=generator)}


def both(made, theirs):
    """Step an optimizer of ours and one of torch's with equal gradients; compare the weights."""
    mine = {name: tensor.clone().requires_grad_() for name, tensor in tensors().items()}
    others = {name: tensor.clone().requires_grad_() for name, tensor in tensors().items()}
    own, other = made(mine), theirs(others)
    for at, lr in enumerate(RATES):
        other.param_groups[0]["lr"] = lr
        for name, gradient in tensors(at + 1).items():
            mine[name].grad, others[name].grad = gradient, gradient.clone()
        own.step(lr)
        other.step()
        for name, one in mine.items():
            assert torch.equal(one, others[name])
            assert one.grad is None


@pytest.mark.parametrize("nesterov", [True, False])
def test_sgd_takes_the_steps_of_torchs_optimizer(nesterov):
    told = recipe(momentum=0.9, nesterov=nesterov)
    both(
        lambda mine: OPTIMIZERS["sgd"]([Group(mine, weight_decay=1e-2)], told),
        lambda others: torch.optim.SGD(
            others.values(), 0.1, 0.9, nesterov=nesterov, weight_decay=1e-2, fused=True
        ),
    )


def test_adamw_takes_the_steps_of_torchs_optimizer():
    options = {"betas": [0.8, 0.95], "eps": 1e-6}
    told = recipe("adamw", optimizer_options=options)
    both(
        lambda mine: OPTIMIZERS["adamw"]([Group(mine, weight_decay=1e-2)], told),
        lambda others: torch.optim.AdamW(
            others.values(), weight_decay=1e-2, betas=(0.8, 0.95), eps=1e-6, fused=True
        ),
    )


def test_lion_takes_the_steps_of_its_paper():
    told = recipe("lion", optimizer_options={"betas": [0.8, 0.95]})
    weight = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
    own = optimizer_of(network_of({"weight": weight}), told.with_overrides({"weight_decay": 0.1}))
    expected, momentum = weight.detach().double(), torch.zeros(3, dtype=torch.float64)
    for at, lr in enumerate(RATES):
        gradient = torch.randn(3, generator=torch.Generator().manual_seed(at))
        weight.grad = gradient.clone()
        own.step(lr)
        update = (0.8 * momentum + 0.2 * gradient).sign()
        expected = expected - lr * (update + 0.1 * expected)
        momentum = 0.95 * momentum + 0.05 * gradient
        torch.testing.assert_close(weight.detach().double(), expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(
            own.moments["momentum"]["weight"].double(), momentum, rtol=1e-5, atol=1e-6
        )


def network_of(parameters):
    """Return a network with these parameters."""
    network = nn.Module()
    network._parameters.update(parameters)
    return network


@pytest.mark.parametrize(
    ("name", "options"),
    [("Adam", {}), ("RMSprop", {"momentum": 0.5}), ("NAdam", {"betas": (0.8, 0.9)})],
)
def test_a_class_of_torch_is_used_as_it_is(name, options):
    told = recipe(name, weight_decay=1e-2, optimizer_options=options)
    both(
        lambda mine: optimizer_of(network_of(mine), told),
        lambda others: getattr(torch.optim, name)(others.values(), weight_decay=1e-2, **options),
    )


def test_the_usual_rates_are_those_of_torch_and_no_class_is_missing():
    needs_more = {"LBFGS", "SparseAdam", "Optimizer"}
    classes = {
        name: kind
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
    }
    assert classes.keys() - needs_more <= USUAL.keys()
    for name in classes.keys() & USUAL.keys():
        known = inspect.signature(classes[name]).parameters
        decay = known["weight_decay"].default if "weight_decay" in known else 0.0
        assert USUAL[name] == (known["lr"].default, decay), name


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion"])
def test_a_step_loads_no_compiler(name):
    code = (
        "import sys, torch; from torch import nn\n"
        "from raynas.training.optimizers import optimizer_of\n"
        "from raynas.training.recipe import Recipe\n"
        f"recipe = Recipe().with_overrides({{'optimizer': '{name}'}})\n"
        "net = nn.Linear(2, 2); net(torch.ones(3, 2)).sum().backward()\n"
        "optimizer_of(net, recipe).step(0.1)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout == "False\n"


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion"])
@pytest.mark.parametrize("kind", ["complex weights", "bfloat16", "scalars", "tied weights"])
def test_unusual_parameters_are_trained(name, kind):
    seed_weights(0)
    child = children.KINDS[kind](10)
    before = copy.deepcopy(child.state_dict())
    optimizer = optimizer_of(child, recipe(name))
    for _ in range(2):
        child(torch.rand(4, 1, 8, 8)).square().sum().backward()
        optimizer.step(0.1)  # bfloat16 rounds small steps away
    changed = {n for n, t in child.state_dict().items() if not torch.equal(t, before[n])}
    still = {n for n, p in child.named_parameters() if n in ("frozen", "idle")}
    assert changed == before.keys() - still


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "Adam"])
def test_the_learning_rate_may_be_a_tensor(name):
    weights = []
    for lr in (0.1, torch.tensor(0.1)):
        seed_weights(0)
        child = nn.Linear(3, 2)
        optimizer = optimizer_of(child, recipe(name))
        child(torch.ones(4, 3)).square().sum().backward()
        optimizer.step(lr)
        weights.append(child.weight.detach())
    torch.testing.assert_close(*weights)


# --- groups of parameters ------------------------------------------------------------------------


class Pretrained(nn.Module):
    def __init__(self, groups=None):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(5, 4), nn.LayerNorm(4)
        self.old, self.new = nn.Linear(4, 4), nn.Linear(4, 2)
        self.parameter_groups = groups or (
            lambda: [{"params": self.old.parameters(), "lr_scale": 0.1}]
        )


def described(groups):
    return {(group.lr_scale, group.weight_decay): {*group.parameters} for group in groups}


def test_the_child_and_the_recipe_make_groups():
    child = Pretrained()
    everything = {name for name, _ in child.named_parameters()}
    old = {"old.weight", "old.bias"}
    told = recipe(weight_decay=0.01)
    assert described(groups_of(child, told)) == {(0.1, 0.01): old, (1.0, 0.01): everything - old}
    bare = told.with_overrides({"decay_norms": False})
    assert described(groups_of(child, bare)) == {
        (0.1, 0.01): {"old.weight"},
        (0.1, 0.0): {"old.bias"},
        (1.0, 0.01): {"new.weight"},
        (1.0, 0.0): {"new.bias", "norm.weight", "norm.bias", "embedding.weight"},
    }


@pytest.mark.parametrize("name", ["sgd", "adamw", "lion", "Adam"])
def test_a_group_moves_at_its_own_rate(name):
    child = Pretrained()
    before = copy.deepcopy(child.state_dict())
    optimizer = optimizer_of(child, recipe(name, weight_decay=0.0))
    for parameter in child.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(0.1)
    moved = {n: (before[n] - t).mean().item() for n, t in child.state_dict().items()}
    assert moved["old.weight"] == pytest.approx(0.1 * moved["new.weight"], rel=1e-3)


def test_frozen_parameters_cost_no_moments():
    child = Pretrained()
    child.old.requires_grad_(requires_grad=False)
    for name in ("sgd", "adamw", "lion", "Adam"):
        optimizer = optimizer_of(child, recipe(name))
        for parameter in child.parameters():
            parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
        optimizer.step(0.1)
        kept = {name for known in optimizer.moments.values() for name in known}
        assert kept == {n for n, _ in child.named_parameters() if not n.startswith("old")}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"params": [torch.ones(2)]}], r"one of shape \(2,\) is not of the network"),
        ([{"lr_scale": 1.0}], "dictionaries with params and lr_scale"),
        ([{"params": [], "lr": 0.1}], "dictionaries with params and lr_scale"),
        (
            [{"params": [], "lr_scale": 0}],
            "lr_scale must be a number above 0: got 0",
        ),
    ],
)
def test_groups_that_cannot_be_used_are_refused(groups, message):
    with pytest.raises(SpaceError, match=message):
        groups_of(Pretrained(groups), Recipe())


def test_a_network_without_parameters_is_refused():
    with pytest.raises(SpaceError, match="must have parameters to train"):
        optimizer_of(nn.ReLU(), Recipe())


# --- options -------------------------------------------------------------------------------------


def test_what_torch_refuses_is_said():
    told = recipe("RMSprop", optimizer_options={"alfa": 0.9})
    with pytest.raises(ConfigError, match=r"torch refuses optimizer_options of RMSprop: .*alfa"):
        optimizer_of(nn.Linear(2, 2), told)
    with pytest.raises(ConfigError, match="Rprop has no weight decay: set weight_decay to 0"):
        optimizer_of(nn.Linear(2, 2), recipe("Rprop", weight_decay=0.1))


# --- moments of another training -----------------------------------------------------------------


def trained(child, told, steps=3):
    optimizer = optimizer_of(child, told)
    for _ in range(steps):
        child(torch.ones(4, 3)).square().sum().backward()
        optimizer.step(0.01)
    return optimizer


def test_adamw_knows_how_often_inherited_weights_have_moved():
    seed_weights(0)
    parent, child = nn.Linear(3, 2), nn.Linear(3, 4)
    told = recipe("adamw")
    given = copy.deepcopy(trained(parent, told).moments)
    own = optimizer_of(child, told)
    own.inherit(given, in_common(child, parent.state_dict()))
    second = own.moments["second"]["weight"]
    assert own.moments["steps"]["weight"].item() == 3
    assert torch.equal(second[:2], given["second"]["weight"])
    torch.testing.assert_close(second[2:], given["second"]["weight"].mean().expand(2, 3))
    assert torch.equal(own.moments["first"]["weight"][:2], given["first"]["weight"])
    assert not own.moments["first"]["weight"][2:].any()


def test_a_class_of_torch_inherits_what_fits_whole():
    seed_weights(0)
    parent = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    child = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 4))
    told = recipe("Adam", optimizer_options={"betas": [0.5, 0.9]})
    given = copy.deepcopy(trained(parent, told).moments)
    own = optimizer_of(child, recipe("Adam"))
    own.inherit(given, in_common(child, parent.state_dict()))
    assert {*own.moments["exp_avg"]} == {"0.weight", "0.bias"}
    assert torch.equal(own.moments["exp_avg"]["0.weight"], given["exp_avg"]["0.weight"])
    child(torch.ones(4, 3)).sum().backward()
    own.step(0.1)  # with its own options, not the parent's
    assert own._torch.param_groups[0]["betas"] == (0.9, 0.999)


def test_moments_of_another_optimizer_are_left_out_and_old_checkpoints_are_read():
    momentum = {"weight": torch.ones(2)}
    assert moments_in({"momentum": momentum}, Recipe()) == {"momentum": momentum}
    assert moments_in({"momentum": momentum}, recipe("lion")) == {}
    saved = {"optimizer": {"name": "lion", "moments": {"momentum": momentum}}}
    assert moments_in(saved, recipe("lion")) == {"momentum": momentum}
    assert moments_in(saved, Recipe()) == {}
