"""One-shot methods: each alike, and what each computes against independent references."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raynas.data import Loop
from raynas.errors import ConfigError, SpaceError
from raynas.execution.shared_scorer import shared_scores_of
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import load, train
from raynas.oneshot import choose
from raynas.oneshot.candidate import Candidate
from raynas.oneshot.hypergradient import WeightStep, first_order, second_order
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods import METHODS
from raynas.oneshot.methods.enas import ENAS
from raynas.oneshot.methods.gdas import drawn
from raynas.oneshot.methods.proxyless import gate_gradient, keep_others
from raynas.oneshot.methods.spos import SPOS
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.relaxation import plain
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.oneshot.training import SupernetTraining
from raynas.rng import seed_weights
from raynas.searchers.controller.learning import Learnt
from raynas.searchers.controller.policy import Policy
from raynas.space import Architecture, Choice, Space
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.loading import batches_of
from raynas.training.loop_context import LoopContext
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Objective, Report
from search_spaces import nasbench201

DIGITS = Digits().load(Source(), seed=0)
FEW = {part: getattr(DIGITS, part).take(np.arange(96)) for part in ("train", "valid")}
DATA = replace(DIGITS, **FEW, norm=None)
CPU = torch.device("cpu")
OPTIONS = {
    "enas": {"steps": 2, "aggregate": 3, "samples": 6},
    "random-ws": {"samples": 6},
    **{key: {"population": 4, "generations": 2, "parents": 2} for key in ("spos", "fairnas")},
}
LOOP = SupernetLoop(Objective("accuracy"), OPTIONS, {"batch_size": 32})


def child(architecture):
    return nasbench201.build(architecture, (1, 8, 8), 10, channels=4, cells=1)


def context(name, loop=LOOP, build=child, relaxation=nasbench201.RELAXATION):
    share = method_of(name, {}).share
    made = SupernetBuild(build, relaxation.space, relaxation, {name: share})
    return TrainingContext(made, Recipe(), DATA, "cpu", loop=Loop(loop.fit))


def batches(part):
    return batches_of(getattr(DATA, part), DATA, CPU, 32)


def spec(folder, name, epochs=4):
    path = str(folder / f"{name}.pt")
    return TrialSpec(0, {"method": name}, epochs, seed=3, checkpoint=path, keep=True)


def timeless(reports):
    return [(one.epoch, dict(one.metrics)) for one in reports if isinstance(one, Report)]


def candidates(folder, name):
    """Return the candidates of a trained supernet, and its checkpoint."""
    told = spec(folder, name)
    saved = load(told.checkpoint)
    method = LOOP.method(name)
    method.load_state_dict(saved["loop"]["tracked"]["method"])
    scorer = shared_scores_of(context(name), LOOP, told)
    relaxation = nasbench201.RELAXATION
    return method.candidates(scorer, relaxation, 3, np.random.default_rng(0)), saved


@pytest.mark.parametrize("name", METHODS)
def test_a_killed_training_continues_bit_for_bit(name, tmp_path):
    """Also what it has learnt beside the weights, and the candidates at the end."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    straight = [*train(context(name), spec(whole, name))]
    assert not any(isinstance(one, Failed) for one in straight), straight
    broken = train(context(name), spec(parts, name))
    for _ in range(2):
        next(broken)
    broken.close()
    resumed = [*train(context(name), spec(parts, name))]
    assert timeless(resumed) == timeless(straight)
    found, saved = candidates(whole, name)
    again, saved_again = candidates(parts, name)
    assert found == again
    for key, tensor in saved["child"].items():
        assert torch.equal(tensor, saved_again["child"][key]), key


@pytest.mark.parametrize("name", METHODS)
def test_a_method_proposes_networks_of_the_space_in_the_order_of_their_scores(name, tmp_path):
    reports = [*train(context(name), spec(tmp_path, name, 1))]
    assert {"train_loss", "shared_accuracy"} <= reports[-1].metrics.keys()
    found, _ = candidates(tmp_path, name)
    assert 1 <= len(found) <= 3
    identities = [nasbench201.SPACE.identity(one.architecture) for one in found]
    assert len({*identities}) == len(found)
    for one in found:
        assert one.method == name
        assert nasbench201.SPACE.architecture(one.architecture) == one.architecture
        assert 0 <= one.shared_score <= 1
    # The first one of a differentiable method is what it derived, whatever its score.
    rest = found[1:] if "skip_share" in reports[-1].metrics else found
    scores = [one.shared_score for one in rest]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", METHODS)
def test_unknown_and_unusable_options_are_refused(name):
    with pytest.raises(ConfigError, match=f"method '{name}'.*nothing"):
        method_of(name, {"nothing": 1})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random-ws", {"samples": 0}),
        ("spos", {"mutation": 0.0}),
        ("fairnas", {"population": 0}),
        ("enas", {"steps": 0}),
        ("enas", {"skip_target": 1.0}),
        ("darts", {"order": 3}),
        ("darts", {"most_skips": 2.0}),
        ("pc-darts", {"share": 0}),
        ("gdas", {"last_temperature": 11.0}),
        ("drnas", {"strength_rate": 0.0}),
        ("proxyless", {"every": 0}),
    ],
)
def test_an_option_out_of_range_is_refused(name, options):
    with pytest.raises(ConfigError, match=r"got|at least"):
        method_of(name, options)


def test_an_unknown_method_is_refused_with_the_list():
    with pytest.raises(ConfigError, match="no method 'dart': did you mean 'darts'"):
        method_of("dart", {})


# DARTS of second order.


def quadratic(seed):
    draw = torch.Generator().manual_seed(seed)
    matrix, w, target, outer = (
        torch.randn(*shape, generator=draw, dtype=torch.float64)
        for shape in ((4, 3), (4,), (4,), (3,))
    )
    return matrix, w.requires_grad_(), target, outer.requires_grad_()


@given(st.integers(0, 1000), st.floats(0.01, 0.5))
def test_second_order_is_the_closed_form_of_the_quadratic(seed, rate):
    """``train = |w - A a|^2 / 2`` and ``valid = |w - b|^2 / 2``; the first order sees nothing."""
    matrix, w, target, outer = quadratic(seed)

    def train_loss():
        return (w - matrix @ outer).square().sum() / 2

    def valid_loss():
        return (w - target).square().sum() / 2

    before = w.detach().clone()
    (found,) = second_order([outer], [w], train_loss, valid_loss, WeightStep(rate))
    ahead = w.detach() - rate * (w - matrix @ outer).detach()
    expected = rate * matrix.T @ (ahead - target)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)
    assert torch.equal(w, before)
    (first,) = first_order([outer], valid_loss)
    assert not first.any()


@given(st.integers(0, 1000))
def test_second_order_agrees_with_autograd_through_the_step(seed):
    draw = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(8, size, generator=draw, dtype=torch.float64) for size in (3, 1))
    weights = [torch.randn(*s, generator=draw, dtype=torch.float64) for s in ((3, 4), (4, 1))]
    momenta = [torch.randn(w.shape, generator=draw, dtype=torch.float64) for w in weights]
    outer = torch.randn(2, generator=draw, dtype=torch.float64).requires_grad_()
    weights = [w.requires_grad_() for w in weights]

    def loss_of(weights, rows):
        mixed = outer.softmax(0)
        hidden = x[rows] @ weights[0]
        hidden = mixed[0] * hidden.tanh() + mixed[1] * hidden.sigmoid()
        return (hidden @ weights[1] - y[rows]).square().mean()

    step = WeightStep(0.05, momenta, 0.9, 1e-2)
    (found,) = second_order(
        [outer],
        weights,
        lambda: loss_of(weights, slice(0, 4)),
        lambda: loss_of(weights, slice(4, 8)),
        step,
    )
    gradients = torch.autograd.grad(loss_of(weights, slice(0, 4)), weights, create_graph=True)
    unrolled = [
        w - 0.05 * (0.9 * m + g + 1e-2 * w)
        for w, m, g in zip(weights, momenta, gradients, strict=True)
    ]
    (expected,) = torch.autograd.grad(loss_of(unrolled, slice(4, 8)), outer)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


# Proxyless and GDAS.


@given(st.integers(0, 1000), st.integers(2, 6))
def test_the_gradient_of_gates_is_that_of_the_soft_mixture(seed, count):
    """With both gates, the gradient of the strengths is that of ``sum softmax_i * loss_i``."""
    draw = torch.Generator().manual_seed(seed)
    strengths, outputs = (
        torch.randn(count, generator=draw, dtype=torch.float64) for _ in range(2)
    )
    one, other = torch.randperm(count, generator=draw)[:2].tolist()
    pair = strengths[[one, other]].clone().requires_grad_()
    (pair.softmax(0) * outputs[[one, other]]).sum().backward()
    found = gate_gradient(strengths, (one, other), outputs)
    torch.testing.assert_close(found[[one, other]], pair.grad)
    assert found.count_nonzero() <= 2


def test_the_probabilities_of_other_options_stay():
    before = torch.randn(5, generator=torch.Generator().manual_seed(0))
    after = before.clone()
    after[[1, 3]] += torch.tensor([0.7, -0.2])
    keep_others(after, before, (1, 3))
    torch.testing.assert_close(after.softmax(0)[[0, 2, 4]], before.softmax(0)[[0, 2, 4]])
    torch.testing.assert_close((after[1] - after[3]), (before[1] - before[3]) + 0.9)


def test_gumbels_trick_draws_by_the_softmax_and_passes_its_gradient():
    seed_weights(0)
    strengths = torch.tensor([1.0, 0.0, -1.0], requires_grad=True)
    routes = [drawn(strengths, 1.0) for _ in range(3000)]
    shares = np.bincount([one.at for one in routes], minlength=3) / 3000
    np.testing.assert_allclose(shares, strengths.softmax(0).detach(), atol=0.03)
    route, options = routes[0], [nn.Identity(), nn.Identity(), nn.Identity()]
    x = torch.ones(2)
    torch.testing.assert_close(route(options, x), x)
    scales = [torch.tensor(float(at)) for at in range(3)]
    total = torch.zeros(3)
    for route in routes:
        (gradient,) = torch.autograd.grad(route.weights @ torch.stack(scales), strengths)
        total += gradient
    # The mean gradient has the signs of that of the expected scale.
    exact = torch.autograd.grad(strengths.softmax(0) @ torch.stack(scales), strengths)[0]
    assert torch.equal(total.sign(), exact.sign())


# ENAS.

BITS = Space({f"bit_{at}": Choice((0, 1)) for at in range(3)})


def controller(entropy_weight=0.0):
    made = ENAS(entropy_weight=entropy_weight, learning_rate=0.05, aggregate=20)
    made._policy = Policy(BITS, 16, 1.0, 1.1)
    made._learnt = Learnt.nothing(made._policy.initial(np.random.default_rng(0)))
    made._rate = 0.05
    return made


def expected(made, reward):
    every = [*BITS]
    passed = made._policy.forward(made._learnt.parameters, made._policy.vocabulary.batch(every))
    return float(np.exp(passed.log_probs) @ [reward(one) for one in every])


def test_the_policy_gradient_is_that_of_the_enumeration():
    """The mean over many draws is the exact gradient, within three standard errors."""
    made = controller()
    policy, parameters = made._policy, made._learnt.parameters
    every = [*BITS]
    rewards = np.array([one["bit_0"] + 0.5 * one["bit_2"] for one in every])

    def gradient(architectures, credit):
        batch = policy.vocabulary.batch(architectures)
        return policy.gradient(parameters, batch, policy.forward(parameters, batch), credit)

    probabilities = np.exp(policy.forward(parameters, policy.vocabulary.batch(every)).log_probs)
    exact = gradient(every, probabilities * rewards)
    draw, rng = policy.drawer(parameters), np.random.default_rng(1)
    counts = Counter(draw(rng) for _ in range(4000))
    shares = np.array([counts[one] for one in every]) / 4000
    for baseline in (0.0, 0.7):
        sampled = gradient(every, shares * (rewards - baseline))
        each = np.stack(
            [
                gradient([one], np.array([r - baseline]))
                for one, r in zip(every, rewards, strict=True)
            ]
        )
        spread = np.sqrt(
            np.maximum(probabilities @ each**2 - (probabilities @ each) ** 2, 0) / 4000
        )
        outside = np.abs(sampled - exact) > 3 * spread + 1e-12
        assert outside.mean() < 0.02


def learn(made, reward, steps=60):
    rng = np.random.default_rng(2)
    for _ in range(steps):
        draw = made._policy.drawer(made._learnt.parameters)
        architectures = [draw(rng) for _ in range(made.aggregate)]
        made.learn(architectures, [reward(one) for one in architectures])


def test_the_controller_learns_what_is_rewarded_and_nothing_from_shuffled_rewards():
    def reward(one):
        return (one["bit_0"] + one["bit_1"] + one["bit_2"]) / 3

    made = controller()
    before = expected(made, reward)
    learn(made, reward)
    # The bound of the logits, 1.1, leaves each wrong bit a probability of a tenth.
    assert expected(made, reward) > 0.85 > 0.6 > before
    shuffled, rng = controller(), np.random.default_rng(3)
    learn(shuffled, lambda _: rng.integers(4) / 3, steps=20)
    assert abs(expected(shuffled, reward) - before) < 0.15


# FairNAS and SPOS.


class Seen(nn.Module):
    """An option that counts its calls."""

    def __init__(self, calls, key):
        super().__init__()
        self.calls, self.key = calls, key
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        self.calls[self.key] += 1
        return x * self.weight


def test_strict_fairness_uses_each_option_equally_often():
    calls = Counter()
    space = Space({name: Choice((0, 1, 2)) for name in ("a", "b")})

    def build(architecture):
        parts = (
            choose(architecture, path, {v: partial(Seen, calls, (path, v)) for v in range(3)})
            for path in ("a", "b")
        )
        return nn.Sequential(nn.Flatten(), *parts, nn.Linear(64, 10))

    told = LoopContext(Architecture({}), Recipe(), DATA, CPU, 0, 1, batches)
    supernet = MixedSupernet(build, space, plain(space))
    training = SupernetTraining(supernet, told, Recipe(batch_size=32), Objective("accuracy"))
    method_of("fairnas", {}).train(training, 0)
    steps = training.train.steps(32)
    assert calls == {(path, value): steps for path in ("a", "b") for value in range(3)}


def test_fairnas_refuses_decisions_with_different_numbers_of_options():
    space = Space({"a": Choice((0, 1)), "b": Choice((0, 1, 2))})

    def build(architecture):
        return nn.Sequential(
            *(
                choose(architecture, path, dict.fromkeys(range(3), nn.Identity))
                for path in ("a", "b")
            )
        )

    supernet = MixedSupernet(build, space, plain(space))
    with pytest.raises(SpaceError, match="a has 2, b has 3; spos has no such limit"):
        method_of("fairnas", {}).check(supernet, None)


def test_the_evolution_finds_the_best_of_a_space():
    space = Space({f"bit_{at}": Choice((0, 1)) for at in range(12)})
    asked = []

    def losses(architectures):
        asked.extend(architectures)
        return [-sum(one.values()) for one in architectures]

    seen = SPOS().evolved(space, losses, np.random.default_rng(0))
    assert seen == asked
    assert len({space.identity(one) for one in seen}) == len(seen) <= 1000
    assert min(losses(seen)) == -12
    small = Space({"bit": Choice((0, 1))})
    assert (
        len(SPOS().evolved(small, lambda some: [0.0] * len(some), np.random.default_rng(0))) == 2
    )


def test_candidates_survive_json():
    one = Candidate(Architecture({"a": (1, 2), "b": None}), 0.25, "enas")
    assert Candidate.from_data(json.loads(json.dumps(one.to_data()))) == one
