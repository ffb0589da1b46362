"""Proxies against their definitions: each says of small networks what can be said by hand."""

import copy
import math
import pickle  # noqa: TID251 - as what crosses a cluster is sent
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from raynas.costs import measure
from raynas.errors import ConfigError, SpaceError, TrialError
from raynas.goals import Classification
from raynas.proxies import NAMES, Batch, score, score_all
from raynas.proxies.naswot import kernel
from raynas.proxies.subject import Subject
from raynas.proxies.synflow import flows
from raynas.proxies.table import PROXIES
from raynas.tasks import TASKS, Source
from search_spaces import darts, mlp, mobile, nasbench201

SPACES = {
    "nasbench201": (nasbench201, {"channels": 4, "cells": 1}),
    "darts": (darts, {"channels": 4, "cells": 3}),
    "mobile": (mobile, {"width": 0.25}),
    "mlp": (mlp, {}),
}
WHOLE = set(NAMES)
# What holds whatever the order of the examples; zen draws its own.
CNN = lambda: nn.Sequential(  # noqa: E731 - read at a glance
    nn.Conv2d(3, 6, 3, padding=1, bias=False),
    nn.BatchNorm2d(6),
    nn.ReLU(inplace=True),
    nn.Dropout(0.5),
    nn.Conv2d(6, 5, 3, stride=2),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(5, 4),
)


def seeded(make, seed=0):
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)  # noqa: TID251 - a test's own
        return make()


def batch(count=8, shape=(3, 8, 8), classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn((count, *shape), generator=generator)
    return Batch(inputs, torch.arange(count) % classes, Classification(classes))


def subject(make=CNN, given=None):
    return Subject(seeded(make), given or batch())


def chain(*widths, last=nn.Identity):
    """A chain of linear layers and ReLUs without biases."""
    layers = [nn.Flatten()]
    for one, other in pairwise(widths):
        layers += [nn.Linear(one, other, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1], last())


# The table


def test_the_names_known_without_torch_are_those_of_the_table():
    assert tuple(PROXIES) == NAMES
    with pytest.raises(TypeError):
        PROXIES["mine"] = None


@pytest.mark.parametrize("name", NAMES)
def test_leaves_the_child_and_the_global_generators_as_they_were(name):
    child = seeded(CNN)
    child[3].eval()
    child[4].weight.requires_grad = False
    child[0].weight.grad = torch.ones_like(child[0].weight)
    before = copy.deepcopy(child)
    state = torch.get_rng_state()
    PROXIES[name](Subject(child, batch()))
    assert torch.equal(torch.get_rng_state(), state)
    assert [one.training for one in child.modules()] == [one.training for one in before.modules()]
    for own, was in zip(child.parameters(), before.parameters(), strict=True):
        assert (own.dtype, own.requires_grad) == (was.dtype, was.requires_grad)
        assert torch.equal(own, was)
    assert torch.equal(child[0].weight.grad, torch.ones_like(child[0].weight))
    assert all(own.grad is None for own in [*child.parameters()][1:])
    for own, was in zip(child.buffers(), before.buffers(), strict=True):
        assert torch.equal(own, was)
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    assert not any(getattr(one, hook) for one in child.modules() for hook in hooks)


@pytest.mark.parametrize("name", NAMES)
def test_says_the_same_again_and_in_every_order_of_the_examples(name):
    examples = batch(16)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    shuffled = Batch(examples.inputs[order], examples.targets[order], examples.goal)
    first = PROXIES[name](subject(given=examples))
    assert PROXIES[name](subject(given=examples)) == first
    assert PROXIES[name](subject(given=shuffled)) == pytest.approx(first, rel=1e-3)


@pytest.mark.parametrize("name", sorted(WHOLE - {"params", "flops"}))
def test_dropout_has_no_say(name):
    with_dropout = PROXIES[name](subject())
    child = seeded(CNN)
    child[3] = nn.Identity()
    assert PROXIES[name](Subject(child, batch())) == with_dropout


@pytest.mark.parametrize("space", SPACES)
def test_every_shipped_space_is_scored_or_refused_with_a_reason(space):
    module, options = SPACES[space]
    examples = Batch.of(TASKS["digits"]().load(Source(), 0), size=16)
    build = partial(module.build, input_shape=(1, 8, 8), outputs=10, **options)
    names = [name for name in NAMES if name != "zen" or space in {"nasbench201", "mlp"}]  # slow
    for seed in range(2 if space == "mlp" else 1):
        architecture = module.SPACE.sample(np.random.default_rng(seed))
        found = score(build, architecture, examples, names)
        assert set(found.values) | set(found.refusals) == set(names)
        assert all(math.isfinite(value) for value in found.values.values())
        if space in {"darts", "mobile"}:
            assert not found.refusals
        if space == "mlp":
            assert "needs a global average pooling" in found.refusals["zen"]
        for reason in found.refusals.values():
            assert " needs " in reason


def test_what_cannot_be_computed_is_said():
    nothing = Subject(nn.Sequential(nn.Flatten()), batch(shape=(4,)))
    for name in ("synflow", "snip", "grasp", "grad_norm"):
        with pytest.raises(SpaceError, match=r"needs trainable weights.*has none"):
            PROXIES[name](nothing)
    with pytest.raises(SpaceError, match="needs convolutions or linear layers"):
        PROXIES["fisher"](nothing)
    with pytest.raises(SpaceError, match="needs activations such as ReLU"):
        PROXIES["naswot"](nothing)
    with pytest.raises(SpaceError, match="zen needs images"):
        PROXIES["zen"](nothing)
    with pytest.raises(SpaceError, match="one logit per class"):
        PROXIES["snip"](subject(lambda: chain(4, 3), batch(shape=(4,))))


NEED_GRADIENTS = ("snip", "grasp", "grad_norm", "fisher", "synflow")


def frozen():
    return CNN().requires_grad_(requires_grad=False)


class Inferring(nn.Module):
    """A network that lets no gradient through."""

    def __init__(self):
        super().__init__()
        self.net = CNN()

    @torch.no_grad()
    def forward(self, inputs):
        return self.net(inputs)


class Detached(Inferring):
    """One whose biases alone are reached by gradients: no weight is."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, inputs):
        return super().forward(inputs) + self.bias


@pytest.mark.parametrize("make", [frozen, Inferring, Detached])
@pytest.mark.parametrize("name", NEED_GRADIENTS)
def test_without_gradients_there_is_no_value_rather_than_zero(name, make):
    with pytest.raises(SpaceError, match=r"this proxy needs (gradients|trainable weights)"):
        PROXIES[name](subject(make))


class Deaf(nn.Module):
    """A network whose output does not depend on its input."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 4))

    def forward(self, inputs):
        return functional.linear(functional.relu(inputs.flatten(1)[:, :3] * 0), self.weight.T)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("synflow", "the flow is 0"),
        ("naswot", "different activation pattern"),
        ("jacob_cov", "gradients that differ"),
    ],
)
def test_a_network_that_does_not_listen_has_no_value(name, says):
    with pytest.raises(TrialError, match=says):
        PROXIES[name](subject(Deaf))


# Each by its definition


@given(widths=st.lists(st.integers(2, 9), min_size=2, max_size=5), seed=st.integers(0, 99))
@settings(max_examples=30)
def test_the_flow_through_every_layer_of_a_chain_is_the_output(widths, seed):
    child = seeded(lambda: chain(6, *widths, 4), seed)
    found = flows(Subject(child, batch(shape=(6,))))
    linear = [layer for layer in child if isinstance(layer, nn.Linear)]
    positive = [layer.weight.detach().double().abs() for layer in linear]
    output = torch.ones(6, dtype=torch.float64)
    for weight in positive:
        output = weight @ output
    assert list(found.values()) == pytest.approx([float(output.sum())] * len(positive), rel=1e-9)


def test_synflow_passes_norms_by_also_where_what_follows_writes_in_place():
    plain = seeded(lambda: chain(6, 5, 4))
    normed = nn.Sequential(*plain[:2], nn.BatchNorm1d(5), nn.ReLU(inplace=True), plain[3])
    normed[2].running_var.fill_(7.0)
    one, other = (PROXIES["synflow"](Subject(net, batch(shape=(6,)))) for net in (plain, normed))
    assert one == other


def test_synflow_stays_a_number_where_float32_would_not():
    deep = subject(lambda: chain(*[50] * 90), batch(shape=(50,)))
    assert 38 < PROXIES["synflow"](deep) < 308


def test_snip_is_the_slope_of_a_mask_by_finite_differences():
    child = seeded(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double())
    given = batch(shape=(3,))
    given = Batch(given.inputs.double(), given.targets, given.goal)

    def loss():
        with torch.no_grad():
            return float(functional.cross_entropy(child(given.inputs), given.targets))

    total, step = 0.0, 1e-5
    for weight in (child[0].weight, child[2].weight):
        for at in np.ndindex(*weight.shape):
            value = float(weight.detach()[at])
            sides = []
            for mask in (1 + step, 1 - step):
                weight.data[at] = value * mask
                sides.append(loss())
            weight.data[at] = value
            total += abs(sides[0] - sides[1]) / (2 * step)
    assert PROXIES["snip"](Subject(child, given)) == pytest.approx(total, rel=1e-6)


def test_grasp_is_minus_half_the_slope_of_the_squared_gradient_along_the_weights():
    child = seeded(lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4)).double())
    given = batch(shape=(3,))
    given = Batch(given.inputs.double(), given.targets, given.goal)

    def squared(scale):
        scaled = copy.deepcopy(child)
        for layer in (scaled[0], scaled[2]):
            layer.weight.data.mul_(scale)
        loss = functional.cross_entropy(scaled(given.inputs), given.targets)
        by = (scaled[0].weight, scaled[2].weight)
        return sum(float(slope.square().sum()) for slope in torch.autograd.grad(loss, by))

    slope = (squared(1 + 1e-5) - squared(1 - 1e-5)) / 2e-5
    assert PROXIES["grasp"](Subject(child, given)) == pytest.approx(-slope / 2, rel=1e-6)


def test_grad_norm_is_what_backward_leaves():
    examined = subject(lambda: chain(12, 7, 4), batch(shape=(3, 2, 2)))
    child = examined.child
    functional.cross_entropy(child(examined.batch.inputs), examined.batch.targets).backward()
    norms = [float(parameter.grad.norm()) for parameter in child.parameters()]
    assert PROXIES["grad_norm"](examined) == pytest.approx(sum(norms), rel=1e-5)


def test_fisher_of_a_linear_layer_by_hand():
    examined = subject(lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), batch(shape=(6,)))
    logits = examined.child(examined.batch.inputs).detach()
    wrong = logits.softmax(1) - functional.one_hot(examined.batch.targets, 4)
    by_hand = (logits * wrong / len(logits)).square().mean(0).sum() / 2
    assert PROXIES["fisher"](examined) == pytest.approx(float(by_hand), rel=1e-5)


def test_fisher_adds_up_pixels_before_squaring_them():
    # A channel's saliency is that of its mask: half the mean of (∂L_n/∂m)² over examples.
    conv = seeded(lambda: nn.Conv2d(3, 4, 3))
    examined = Subject(nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten()), batch())
    inputs, labels = examined.batch.inputs, examined.batch.targets
    mask = torch.ones(len(inputs), 4, 1, 1, requires_grad=True)
    logits = (conv(inputs).detach() * mask).mean((2, 3))
    (slope,) = torch.autograd.grad(functional.cross_entropy(logits, labels), mask)
    assert PROXIES["fisher"](examined) == pytest.approx(
        float(slope.square().mean(0).sum() / 2), rel=1e-5
    )


def relu_net():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 5, 3, bias=False), nn.ReLU()
    )


def test_the_kernel_of_naswot_counts_units_that_switch_alike():
    examined = subject(relu_net)
    found = kernel(examined).numpy()
    units = 4 * 6 * 6 + 5 * 4 * 4
    assert np.array_equal(np.diag(found), np.full(8, units))
    codes = []
    value = examined.batch.inputs
    for layer in examined.child:
        value = layer(value)
        if isinstance(layer, nn.ReLU):
            codes.append((value > 0).flatten(1).numpy())
    on = np.concatenate(codes, axis=1)
    assert np.array_equal(found, (on[:, None] == on[None]).sum(2))


def test_naswot_does_not_care_for_positive_scales_without_norms_and_biases():
    child = seeded(relu_net)
    scaled = copy.deepcopy(child)
    for layer, factor in zip(scaled[::2], (0.25, 8.0), strict=True):
        layer.weight.data.mul_(factor)
    one, other = (PROXIES["naswot"](Subject(net, batch())) for net in (child, scaled))
    assert one == other


def test_naswot_refuses_duplicates():
    given = batch()
    twice = Batch(torch.cat([given.inputs[:4]] * 2), given.targets, given.goal)
    with pytest.raises(TrialError, match="different activation pattern"):
        PROXIES["naswot"](subject(relu_net, twice))


def test_naswot_sees_functions_as_it_sees_modules():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(relu_net()[::2])

        def forward(self, x):
            return functional.relu(
                self.layers[1](functional.relu(self.layers[0](x))), inplace=True
            )

    one, other = (PROXIES["naswot"](subject(make)) for make in (relu_net, Functional))
    assert one == other


def test_naswot_counts_units_once_for_every_layer_that_reads_them():
    class Fork(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = (nn.Conv2d(3, 4, 3, bias=False) for _ in range(2))

        def forward(self, x):
            rectified = functional.relu(x)
            return functional.relu(self.one(rectified).add_(self.other(rectified))).flatten(1)

    assert kernel(subject(Fork)).diagonal().tolist() == [2 * 3 * 64 + 4 * 36] * 8


def test_jacob_cov_of_a_network_that_is_linear_by_example_by_hand():
    # Quadratic units: the Jacobian of Σx² is 2x, whose correlation numpy knows.
    class Squares(nn.Module):
        def forward(self, x):
            return x.flatten(1).square()

    given = batch(5, (30,))
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(given.inputs.double().numpy())) + 1e-5
    by_hand = -np.sum(np.log(eigenvalues) + 1 / eigenvalues)
    assert PROXIES["jacob_cov"](Subject(Squares(), given)) == pytest.approx(by_hand, rel=1e-4)


def test_zen_grows_with_depth_and_does_not_care_for_the_weights_it_is_given():
    def convs(depth):
        layers = [nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
        for _ in range(depth):
            layers += [nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))

    scores = [PROXIES["zen"](subject(partial(convs, depth))) for depth in range(4)]
    assert scores == sorted(scores)
    again = PROXIES["zen"](Subject(seeded(partial(convs, 2), seed=5), batch()))
    assert again == scores[2]


def test_params_and_flops_are_the_costs():
    examined = subject()
    known = measure(examined.child, torch.zeros(1, 3, 8, 8))
    assert (PROXIES["params"](examined), PROXIES["flops"](examined)) == (known.params, known.flops)
    # k² · Cin · Cout · H · W, biases being one more each
    by_hand = 9 * 3 * 6 * 64 + (9 * 6 + 1) * 5 * 9 + 6 * 4
    assert known.flops == by_hand


# The way in


def build(architecture, *, fails=()):
    if architecture["layers"] in fails:
        raise ValueError("no such network")
    return mlp.build(architecture, (6,), 4)


def test_scoring_is_what_the_table_says_and_can_be_sent_anywhere():
    architecture = mlp.SPACE.sample(np.random.default_rng(0))
    given, names = batch(shape=(6,)), ("params", "snip", "grad_norm")
    job = pickle.loads(pickle.dumps((build, architecture, given, names)))
    state = torch.get_rng_state()
    found = score(*job, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    assert pickle.loads(pickle.dumps(found)) == found
    child = seeded(lambda: mlp.build(architecture, (6,), 4), 3)
    assert found.values == {name: PROXIES[name](Subject(child, given, 3)) for name in names}
    assert score(build, architecture, given, names, seed=4) != found
    assert score_all(build, [architecture] * 2, given, names, seed=3) == [found, found]


def test_what_the_child_raises_is_a_reason():
    architecture = mlp.SPACE.sample(np.random.default_rng(0))
    refused = score(partial(build, fails=range(9)), architecture, batch(shape=(6,)), ("params",))
    assert refused.values == refused.tracebacks == {}
    assert refused.refusals == {"params": "the network cannot be built: no such network"}

    class Broken(nn.Linear):
        def forward(self, _inputs):
            raise KeyError("lost")

    names = ("params", "snip", "grad_norm")
    found = score(lambda *_: Broken(6, 4), architecture, batch(shape=(6,)), names[1:])
    assert found.values == {}
    assert found.refusals == dict.fromkeys(names[1:], "KeyError: 'lost'")
    assert all("in forward" in found.tracebacks[name] for name in names[1:])
    nothing = score(lambda *_: 3, architecture, batch(shape=(6,)), ("params",))
    assert "must return a torch.nn.Module" in nothing.refusals["params"]


def test_no_value_is_no_fault():
    architecture = mlp.SPACE.sample(np.random.default_rng(0))
    found = score(lambda *_: nn.Tanh(), architecture, batch(shape=(4,)), NAMES)
    assert {"naswot", "snip", "fisher", "synflow"} <= set(found.refusals)
    assert not found.tracebacks


def test_unknown_names_and_unusable_batches_are_refused():
    architecture = mlp.SPACE.sample(np.random.default_rng(0))
    with pytest.raises(ConfigError, match="no proxy 'sinflow': did you mean 'synflow'"):
        score(build, architecture, batch(shape=(6,)), ("sinflow",))
    with pytest.raises(ConfigError, match="two examples or more"):
        Batch(torch.zeros(1, 3), torch.zeros(1), Classification(2))


def test_a_batch_is_drawn_from_training_examples_and_normalised():
    data = TASKS["digits"]().load(Source(), 0)
    one, again, other = (Batch.of(data, size=40, seed=seed) for seed in (0, 0, 1))
    assert one.input_shape == (1, 8, 8)
    assert torch.equal(one.inputs, again.inputs)
    assert not torch.equal(one.inputs, other.inputs)
    rows = {tuple(row) for row in data.train.inputs.reshape(len(data.train), -1).tolist()}
    pixels = (one.inputs * data.norm.std[0] + data.norm.mean[0]).round().flatten(1).int().tolist()
    assert all(tuple(row) in rows for row in pixels)
    assert Batch.of(data, size=10**6).inputs.shape[0] == len(data.train)
