"""Latency tables, and methods that mind the expected latency."""

import itertools
import json
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raynas.costs import timing
from raynas.costs.device import Device, devices_here
from raynas.data import Loop
from raynas.errors import ConfigError, SpaceError
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import load, train
from raynas.experiment.resolve.supernet_serving import serving
from raynas.oneshot import choose
from raynas.oneshot.latency import LatencyTable
from raynas.oneshot.loop import SupernetLoop, method_of
from raynas.oneshot.methods.proxyless import drawn_gate
from raynas.oneshot.mixed import MixedSupernet
from raynas.oneshot.relaxation import plain
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.oneshot.timing import latencies_ms, measured
from raynas.space import Choice, Space
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Objective, Report
from search_spaces import recurrent_cells
from search_spaces.nasbench201 import small

DIGITS = Digits().load(Source(), seed=0)
FEW = {part: getattr(DIGITS, part).take(np.arange(96)) for part in ("train", "valid")}
DATA = replace(DIGITS, **FEW, norm=None)
HERE = Device.of(torch.device("cpu"))
IMAGES = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
ONE = Device(HERE.name, 1)  # a trial in these tests has one thread


def child(architecture, cells=1):
    return small.build(architecture, (1, 8, 8), 10, channels=2, cells=cells)


def supernet(cells=1):
    return MixedSupernet(partial(child, cells=cells), small.SPACE, plain(small.SPACE))


def table(seed=0, device=ONE, space=small.SPACE):
    """A table of made-up latencies."""
    rng = np.random.default_rng(seed)
    counts = {path: int(one.domain.count) for path, one in space.decisions.items()}
    ms = {path: rng.uniform(0, 2, count).tolist() for path, count in counts.items()}
    return replace(LatencyTable.of_space(device, 1, space, ms), rest_ms=0.5)


# The table.


def test_the_table_has_each_option_in_a_network_and_changes_none():
    net = supernet()
    net.network.stem.eval()
    modes = {name: one.training for name, one in net.named_modules()}
    before = {name: one.clone() for name, one in net.state_dict().items()}
    found = measured(net, IMAGES, rounds=3)
    assert found.device == Device.of(IMAGES.device)  # with as many threads as torch has now
    assert found.batch == 2
    assert {path: [*own] for path, own in found.options_ms.items()} == {
        path: [*one.domain.values()] for path, one in small.SPACE.decisions.items()
    }
    assert {name: one.training for name, one in net.named_modules()} == modes
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    networks = [child(small.SPACE.sample(np.random.default_rng(0))) for _ in range(2)]
    assert min(latencies_ms(networks, IMAGES, 3)) > 0
    assert all(one.training for one in networks)
    assert LatencyTable.from_data(found.to_data()) == found


def test_the_latencies_of_repeated_cells_are_added(monkeypatch):
    """Everything takes a millisecond by this clock, and there are six cells."""
    ticks = itertools.count()

    def clock():
        return next(ticks) / 1e3

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=clock, thread_time=clock))
    found = measured(supernet(cells=2), IMAGES, rounds=3)
    for own in found.options_ms.values():
        assert [*own.values()] == pytest.approx([6.0] * 3)
    assert found.rest_ms == pytest.approx(1 - 6 * 6)
    chosen = small.SPACE.sample(np.random.default_rng(0))
    assert found.of(chosen) == pytest.approx(1.0)


def test_a_table_survives_its_file(tmp_path):
    one = table()
    one.save(tmp_path / "table.json")
    assert LatencyTable.load(tmp_path / "table.json") == one
    assert LatencyTable.from_data(json.loads(json.dumps(one.to_data()))) == one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("[1", "Expecting"),
        ("{}", "device: Field required"),
        ('{"device": {"name": "a"}, "batch": 1, "rest_ms": "x", "options_ms": {}}', "rest_ms"),
        (
            '{"device": {"name": "a"}, "batch": 1, "rest_ms": 0, "options_ms": {"a": {"b": -1}}}',
            "at least 0",
        ),
        (
            '{"device": {"name": "a"}, "batch": 1, "rest_ms": NaN, "options_ms": {}}',
            "at least 0",
        ),
    ],
)
def test_what_is_no_table_is_refused_with_its_file(text, message, tmp_path):
    file = tmp_path / "table.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=r"table\.json must be a latency table.*" + message):
        LatencyTable.load(file)


def test_a_table_that_lacks_something_is_refused_with_its_name():
    whole = table()
    options = {path: dict(own) for path, own in whole.options_ms.items()}
    del options["edge_0_2"]["avg_pool_3x3"]
    method = asked("proxyless", latency_table=replace(whole, options_ms=options))
    with pytest.raises(ConfigError, match="for 'edge_0_2' it lacks 'avg_pool_3x3'"):
        method.check(supernet(), IMAGES)
    del options["edge_0_2"]
    with pytest.raises(ConfigError, match="it lacks 'edge_0_2'"):
        method.check(supernet(), IMAGES)


def test_decisions_within_others_are_refused_by_their_names():
    space = Space({"kind": Choice({"deep": {"size": Choice((1, 3))}, "flat": None})})

    def build(architecture):
        def deep():
            sizes = {n: lambda n=n: nn.Conv2d(1, 1, n, padding=n // 2) for n in (1, 3)}
            return choose(architecture, "kind.deep.size", sizes)

        return nn.Sequential(choose(architecture, "kind", {"deep": deep, "flat": nn.Identity}))

    net = MixedSupernet(build, space, plain(space))
    with pytest.raises(SpaceError, match=r"'kind\.deep\.size' is below an option of 'kind'"):
        measured(net, IMAGES)
    with pytest.raises(SpaceError, match=r"'kind\.deep\.size' is below"):
        asked("darts").check(net, IMAGES)


@pytest.mark.parametrize("method", ["darts", "proxyless"])
def test_a_space_whose_networks_do_not_use_all_decisions_is_refused_by_its_name(method):
    """A recurrent cell computes what its states read, and no other node."""
    build = partial(recurrent_cells.build, vocabulary=20, length=6, width=4)
    texts = torch.ones(1, 6, dtype=torch.int64)
    shares = SupernetBuild(build, recurrent_cells.SPACE, recurrent_cells.RELAXATION, {method: 1})
    with pytest.raises(
        SpaceError, match=r"the space cells: .* decision 'node_\d+\.operation'.*--pr"
    ):
        serving("cells", shares, asked(method), texts, lambda _: None)
    made = MixedSupernet(build, recurrent_cells.SPACE, recurrent_cells.RELAXATION)
    with pytest.raises(SpaceError, match="do not use the decision"):
        measured(made, texts)


# The expected latency.


def asked(name, **options):
    wanted = {"latency_weight": 0.7, "latency_reference_ms": 3.0}
    return method_of(name, {**wanted, **options})


def ready(name, seed, made=None):
    """Return a method with random strengths, in double precision."""
    method, made = asked(name), made or table(seed)
    rng = np.random.default_rng(seed)
    method._table = made
    for path, own in made.latencies(small.SPACE).items():
        method._ms[path] = torch.tensor(own, dtype=torch.float64)
        method.strengths[path] = nn.Parameter(torch.tensor(rng.standard_normal(len(own))))
    return method


@given(st.integers(0, 2**32))
def test_the_expected_latency_is_the_mean_over_all_networks(seed):
    method = ready("darts", seed)
    weights = method.weights()
    names = [*weights]
    total = 0.0
    for places in itertools.product(range(3), repeat=len(names)):
        chosen = {
            name: [*small.SPACE.decisions[name].domain.values()][at]
            for name, at in zip(names, places, strict=True)
        }
        share = np.prod([weights[name][at] for name, at in zip(names, places, strict=True)])
        total += share * method._table.of(small.SPACE.architecture(chosen))
    assert float(method.expected_ms().detach()) == pytest.approx(total, rel=1e-9)


@given(st.integers(0, 2**32))
def test_the_gradient_of_the_latency_is_that_of_finite_differences(seed):
    method = ready("darts", seed)
    strengths = [*method.strengths.values()]
    found = torch.autograd.grad(method.penalty(None), strengths)
    for one, gradient in zip(strengths, found, strict=True):
        for at in range(len(one)):
            sides = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    one[at] += step
                    sides.append(float(method.penalty(None)))
                    one[at] -= step
            assert float(gradient[at]) == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=1e-7)


def no_loss(_):
    """A loss that does not depend on the gates."""
    return torch.zeros((), dtype=torch.float64, requires_grad=True)


@given(st.integers(0, 2**32))
def test_the_latency_changes_two_strengths_as_their_own_softmax_says(seed):
    """As in the authors' code: the expected latency of the two options that were drawn."""
    method = ready("proxyless", seed)
    training = SimpleNamespace(loss=no_loss, mixed=SimpleNamespace(mix=lambda _: None))
    method._gates = {path: drawn_gate(one.detach()) for path, one in method.strengths.items()}
    found = method.gradients(training, 0, None, None, 0.0)
    total = method._table.rest_ms
    for path, one in method.strengths.items():
        places = [*method._gates[path].pair]
        total = total + (one[places].softmax(0) * method._ms[path][places]).sum()
    loss = method.latency_weight * (total - 3.0) / 3.0
    for mine, expected in zip(
        found, torch.autograd.grad(loss, [*method.strengths.values()]), strict=True
    ):
        torch.testing.assert_close(mine, expected)
        assert int(mine.count_nonzero()) <= 2


# Training.


def context(name, **options):
    loop = SupernetLoop(Objective("accuracy"), {name: options}, {"batch_size": 32})
    made = SupernetBuild(child, small.SPACE, plain(small.SPACE), {name: 1})
    return TrainingContext(made, Recipe(), DATA, "cpu", loop=Loop(loop.fit))


def trained(folder, name, epochs=4, stop=None, **options):
    """Return the reports of a training, which ends early after ``stop`` reports, and its state."""
    path = str(folder / f"{name}.pt")
    spec = TrialSpec(0, {"method": name}, epochs, seed=3, checkpoint=path, keep=True)
    going = train(context(name, **options), spec)
    reports = [*itertools.islice(going, stop)]
    going.close()
    if isinstance(reports[-1], Failed):
        return reports, None
    return reports, load(path)["loop"]["tracked"]["method"]


WEIGHTED = {"latency_weight": 0.5, "latency_reference_ms": 3.0}


@pytest.mark.parametrize("name", ["darts", "proxyless"])
def test_a_resumed_training_has_the_same_table(name, tmp_path):
    _, before = trained(tmp_path, name, stop=2, **WEIGHTED)
    reports, after = trained(tmp_path, name, **WEIGHTED)
    assert len(reports) == 4
    assert after["latency"] == before["latency"]
    assert LatencyTable.from_data(after["latency"]).device == ONE


@pytest.mark.parametrize("name", ["darts", "proxyless"])
def test_a_killed_training_with_a_table_continues_bit_for_bit(name, tmp_path):
    options = {**WEIGHTED, "latency_table": table()}
    straight, whole = trained(tmp_path / "whole", name, **options)
    trained(tmp_path / "parts", name, stop=2, **options)
    resumed, parts = trained(tmp_path / "parts", name, **options)
    assert [dict(one.metrics) for one in resumed] == [dict(one.metrics) for one in straight]
    for path, one in whole["strengths"].items():
        assert torch.equal(one, parts["strengths"][path])


@pytest.mark.parametrize(
    ("name", "more"), [("darts", {}), ("darts", {"order": 2}), ("proxyless", {"every": 1})]
)
def test_a_heavy_weight_makes_networks_fast(name, more, tmp_path):
    made = table(1)
    least = sum(min(own.values()) for own in made.options_ms.values())
    options = {**more, "latency_reference_ms": 1.0, "latency_table": made}
    found = {}
    for weight in (1e-6, 100.0):
        reports, _ = trained(
            tmp_path / str(weight), name, epochs=8, latency_weight=weight, **options
        )
        found[weight] = [one.metrics["expected_latency_ms"] for one in reports]
    assert found[100.0][-1] < 0.8 * found[1e-6][-1]
    assert found[100.0][-1] > least + made.rest_ms


def test_without_a_weight_nothing_is_measured(tmp_path):
    reports, state = trained(tmp_path, "proxyless", epochs=1)
    assert state["latency"] is None
    assert isinstance(reports[0], Report)
    assert "expected_latency_ms" not in reports[0].metrics


@pytest.mark.parametrize("other", [Device("Pixel 1", 4), Device(HERE.name, 7)])
def test_a_table_of_another_device_is_refused_before_training(other, tmp_path):
    """On the machine that starts the search, if that trains, and also on the worker."""
    method = asked("proxyless", latency_table=table(device=other))
    expected = f"measured on {other}, and trials run on {HERE.name} (1 thread);"
    with pytest.raises(ConfigError) as refused:
        method.check_devices(devices_here(1, gpus=False))
    assert expected in str(refused.value)
    (failed,), _ = trained(tmp_path, "proxyless", **WEIGHTED, latency_table=method.latency_table)
    assert expected in failed.reason


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("proxyless", {"latency_weight": -1.0}, "latency_weight >= 0"),
        ("proxyless", {"latency_weight": 1.0}, "give both or neither"),
        ("proxyless", {"latency_reference_ms": 1.0}, "give both or neither"),
        ("proxyless", {**WEIGHTED, "latency_batch": 0}, "latency_batch >= 1"),
        ("proxyless", {**WEIGHTED, "latency_table": "none.json"}, "No such file"),
        ("pc-darts", WEIGHTED, "give share=1"),
    ],
)
def test_options_that_do_not_fit_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        method_of(name, options)


def test_a_table_without_a_weight_is_refused(tmp_path):
    table().save(tmp_path / "table.json")
    with pytest.raises(ConfigError, match="latency_table only with them"):
        method_of("darts", {"latency_table": str(tmp_path / "table.json")})
