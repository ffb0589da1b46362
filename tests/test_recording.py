"""Steps that are recorded and replayed; what records them here is not a GPU."""

import random  # noqa: TID251 - a user's network may draw from it
from importlib import import_module

import numpy as np
import pytest
import torch
from briefs import BRIEFS, inputs
from torch import nn
from torch.nn import functional

from raynas.data import Data, Loop, Split
from raynas.experiment.resolve.briefs import builder
from raynas.goals import Classification
from raynas.rng import seed_weights
from raynas.space import Architecture
from raynas.training import loop_context, train
from raynas.training.examples import Examples
from raynas.training.loop import OwnLoop
from raynas.training.loop_context import LoopContext
from raynas.training.mixing import Mixed
from raynas.training.recipe import Recipe
from raynas.training.recording import Recorded
from raynas.training.recording.host_work import HostWork
from raynas.training.train import Training
from raynas.trees import leaves

CPU = torch.device("cpu")


class Repeats:
    """Records on the CPU: a replay calls again, with the same arguments and results.

    Like a graph it uses the contents that the fixed arguments have at that time, and returns the
    same tensors each time.
    """

    def __init__(self):
        self.recorded = 0

    def warmed(self, call):
        return call()

    def watched(self, call):
        with HostWork(CPU) as host:
            return call(), host.found

    def record(self, call):
        self.recorded += 1
        results = []

        def replay():
            new = call()
            if not results:
                results.append(new)
            for old, fresh in zip(leaves(results[0]), leaves(new), strict=True):
                old.copy_(fresh)
            return results[0]

        return replay


class Refuses(Repeats):
    """Fails to record, after the gradients have been made."""

    def record(self, call):
        call()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")


def doubled(step, parts=()):
    recorder = Repeats()
    return Recorded(step, parts, recorder), recorder


def test_a_replay_uses_new_contents_and_its_results_are_the_callers():
    step, recorder = doubled(lambda x, y, lr: {"sum": x + y["a"] * lr})
    results = [step(torch.full((2,), float(i)), {"a": torch.ones(2)}, i / 2) for i in range(8)]
    assert recorder.recorded == 1
    for i, result in enumerate(results):
        assert result["sum"].tolist() == [i + i / 2] * 2


def test_every_shape_has_its_own_recording_but_not_without_end():
    step, recorder = doubled(lambda x: x * 2)
    for size in (3, 4) * 5:
        assert step(torch.ones(size)).tolist() == [2.0] * size
    assert recorder.recorded == 2
    for size in range(10, 20):
        for _ in range(5):
            step(torch.ones(size))
    assert recorder.recorded == 4


def test_what_is_no_number_is_part_of_the_shape():
    step, recorder = doubled(lambda x, flip: -x if flip else x)
    for flip in (True, False) * 5:
        assert step(torch.ones(1), flip).item() == (-1.0 if flip else 1.0)
    assert recorder.recorded == 2


def test_mixed_targets_keep_their_share():
    step, recorder = doubled(lambda mixed: mixed.share * mixed.targets)
    for at in range(6):
        targets = torch.ones(2)
        share = torch.full((), at / 8)
        assert step(Mixed(targets, targets, share)).tolist() == [at / 8] * 2
    assert recorder.recorded == 1


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.steps = 0
        self.seen = []

    def forward(self, x):
        self.steps += 1
        return x


class Keeping(Counting):
    def forward(self, x):
        self.seen.append(1)
        return x


class Drawing(nn.Module):
    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def forward(self, x):
        self.draw()
        return x


@pytest.mark.parametrize(
    "child",
    [
        Counting(),
        Keeping(),
        nn.Sequential(nn.Sequential(Counting())),
        Drawing(random.random),
        Drawing(np.random.rand),
        Drawing(lambda: torch.rand(1)),
    ],
)
def test_a_child_whose_step_changes_the_host_is_not_recorded(child):
    step, recorder = doubled(child, [child])
    for _ in range(6):
        step(torch.ones(1))
    assert recorder.recorded == 0
    assert step.reason.startswith("the host has a part in its step")


def test_a_child_that_changes_between_epochs_is_recorded_again_twice():
    child = nn.Dropout(0.0)
    step, recorder = doubled(lambda x: x * child.p, [child])
    for epoch in range(5):
        child.p = float(epoch)
        step.begin()
        for _ in range(6):
            assert step(torch.ones(1)).item() == epoch
    assert recorder.recorded == 3
    assert step.reason == "attributes or tensors of its network change from epoch to epoch"


def test_a_replaced_tensor_is_noticed():
    child = nn.BatchNorm1d(1)
    step, recorder = doubled(lambda x: x + child.running_mean, [child])
    for _ in range(2):
        step.begin()
        for _ in range(5):
            step(torch.ones(1))
    assert recorder.recorded == 1
    child.running_mean = torch.full((1,), 5.0)
    step.begin()
    for _ in range(5):
        assert step(torch.ones(1)).item() == 6.0
    assert recorder.recorded == 2


def test_a_failed_recording_changes_nothing_but_the_speed():
    child = nn.Linear(1, 1)
    parameter = child.weight

    def step(x):
        child(x).sum().backward()
        result = parameter.grad.clone()
        parameter.grad = None
        return result

    recorded = Recorded(step, [child], Refuses())
    results = [recorded(torch.ones(1)).item() for _ in range(6)]
    assert results == [1.0] * 6
    assert recorded.reason == "RuntimeError: operation not permitted when stream is capturing"


def test_an_optimizer_whose_rate_is_a_number_is_refused():
    child = nn.Linear(1, 1)
    for lr, reason in ((0.1, "the learning rate"), (torch.tensor(0.1), "")):
        optimizer = torch.optim.SGD(child.parameters(), lr=lr)
        step, recorder = doubled(lambda x: x, [child, optimizer])
        for _ in range(6):
            step(torch.ones(1))
        assert recorder.recorded == (not reason)
        assert step.reason.startswith(reason)


# --- what the host does in a step; "meta" stands for the device here --------------------------


@pytest.mark.parametrize(
    ("step", "host"),
    [
        (lambda x: functional.relu(x).sum().backward(), False),
        (lambda x: x * 2.0 + x.new_full((), 3.0), False),
        (lambda x: x + torch.tensor(1.0), True),
        (lambda x: x + torch.ones(2).to("meta"), True),
    ],
)
def test_host_work_is_found(step, host):
    with HostWork(torch.device("meta")) as watched:
        step(torch.ones(2, device="meta", requires_grad=True))
    assert bool(watched.found) == host


def test_reading_a_number_is_host_work():
    with HostWork(CPU) as watched:
        torch.ones(2).sum().item()
    assert watched.found == "aten._local_scalar_dense.default"


@pytest.mark.parametrize("name", BRIEFS)
@pytest.mark.parametrize("seed", range(3))
def test_the_host_has_no_part_in_the_networks_of_shipped_spaces(name, seed):
    module = import_module(f"search_spaces.{name}")
    offered = {**BRIEFS[name], "classes": BRIEFS[name].get("outputs", 1)}
    architecture = module.SPACE.sample(np.random.default_rng(seed))
    child = builder(module.build, {}, offered)(architecture).to("meta").train()
    examples = inputs(name, 4).to("meta")
    with HostWork(torch.device("meta")) as watched:
        sum(part.float().sum() for part in leaves(child(examples))).backward()
    assert watched.found == ""


def test_host_work_in_the_backward_pass_is_found():
    class Reads(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, x):
            return x.clone()

        @staticmethod
        def backward(_ctx, grad):
            return grad * grad.sum().item()

    with HostWork(CPU) as watched:
        Reads.apply(torch.ones(2, requires_grad=True)).sum().backward()
    assert watched.found == "aten._local_scalar_dense.default"


# --- in training --------------------------------------------------------------------------------


def data(examples=100):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, (count, 1, 6, 6), dtype=np.uint8)
        return Split.of(images, rng.integers(0, 3, count))

    return Data(split(examples), split(50), split(50), Classification(3))


def net():
    seed_weights(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False),  # before a normalisation it would be noise
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def training(found, fields, child=None):
    recipe = Recipe().with_overrides({"batch_size": 16, **fields})
    train, valid = (Examples.of(part, found, CPU) for part in (found.train, found.valid))
    return Training(child or net(), train, recipe, epochs=8, seed=1, valid=valid)


FIELDS = [
    {},
    {"optimizer": "adamw"},
    {"optimizer": "lion", "grad_clip": 1.0},
    {"ema": 0.9},
    {"mixup": 0.2, "cutmix": 1.0},
    {"crop": 1, "flip": True, "cutout": 2},
]


@pytest.mark.parametrize("fields", FIELDS, ids=str)
def test_recorded_and_eager_training_agree(fields, monkeypatch):
    """With a state in the middle, which is continued by the other of the two."""
    found = data()
    ends = []
    for recording in (False, True):
        recorders = []

        def recorder(_device, recording=recording, recorders=recorders):
            recorders.append(Repeats())
            return recorders[-1] if recording else None

        monkeypatch.setattr(train, "recorder_for", recorder)
        one = training(found, fields)
        for _ in range(5):
            one.step()
        other = training(found, fields)
        other.load_state(one.state())
        epochs = [other.step() for _ in range(3)]
        assert not other.notices
        # Of 100 examples in steps of 16 there are two sizes, and one of scoring.
        assert not recording or recorders[0].recorded == 3
        ends.append((other.child.state_dict(), epochs[-1].metrics))
    (eager, metrics), (recorded, same) = ends
    for name, tensor in eager.items():
        # A rate that is a tensor is float32, one that is a number is float64.
        torch.testing.assert_close(recorded[name], tensor, rtol=1e-4, atol=1e-5)
    assert same == pytest.approx(metrics, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("fields", [{"cuda_graphs": False}, {"accumulate": 2}], ids=str)
def test_some_recipes_are_not_recorded(fields, monkeypatch):
    recorder = Repeats()
    monkeypatch.setattr(train, "recorder_for", lambda _: recorder)
    one = training(data(), fields)
    one.valid = None
    for _ in range(3):
        one.step()
    assert recorder.recorded == 0
    assert not one.notices


def test_a_trial_says_once_that_it_is_not_recorded(monkeypatch):
    monkeypatch.setattr(train, "recorder_for", lambda _: Refuses())
    one = training(data(), {})
    for _ in range(3):
        one.step()
    assert one.notices == [
        "trains without a CUDA graph: RuntimeError: operation not permitted when stream is "
        "capturing"
    ]


def looped(found, fit):
    context = LoopContext(
        architecture=Architecture({}),
        recipe=Recipe(),
        data=found,
        device=CPU,
        seed=1,
        last_epoch=3,
        batches=lambda _: Examples.of(found.train, found, CPU),
    )
    loop = OwnLoop(net(), Loop(fit), context)
    epochs = [loop.step() for _ in range(3)]
    loop.close()
    return [epoch.metrics["loss"] for epoch in epochs], loop.notices


def fit_with(recorded):
    def fit(child, context):
        lr = torch.tensor(0.1)
        optimizer = torch.optim.SGD(child.parameters(), lr=lr, fused=True)

        def step(inputs, targets):
            loss = functional.cross_entropy(child(inputs), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        called = context.recorded(step, child, optimizer) if recorded else step
        batches, generator = context.batches("train"), torch.Generator()
        for epoch in context.epochs():
            lr.fill_(0.1 / (epoch + 1))
            child.train()
            losses = [called(*pair) for pair in batches.training(context.recipe, generator)]
            child.eval()  # which must not look like a change of the network
            yield {"loss": torch.stack(losses).mean()}

    return fit


def test_a_step_of_an_own_loop_is_recorded(monkeypatch):
    recorder = Repeats()
    monkeypatch.setattr(loop_context, "recorder_for", lambda _: recorder)
    found = data(1000)
    eager, _ = looped(found, fit_with(recorded=False))
    assert looped(found, fit_with(recorded=True)) == (pytest.approx(eager, rel=1e-5), [])
    assert recorder.recorded == 1


def test_an_own_loop_says_why_its_step_is_not_recorded(monkeypatch):
    monkeypatch.setattr(loop_context, "recorder_for", lambda _: Refuses())
    _, notices = looped(data(1000), fit_with(recorded=True))
    assert notices == [
        "trains without a CUDA graph: RuntimeError: operation not permitted when stream is "
        "capturing"
    ]


def test_on_a_cpu_an_own_step_runs_as_it_is():
    found = data(1000)
    eager, _ = looped(found, fit_with(recorded=False))
    assert looped(found, fit_with(recorded=True)) == (eager, [])
