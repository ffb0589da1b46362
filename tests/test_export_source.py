"""A network as source and as ONNX: the same outputs, for every shipped space and odd networks."""

import ast
import importlib
import sys
import types

import briefs
import children
import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from raynas.experiment.resolve.briefs import builder
from raynas.rng import seed_weights
from raynas.training.export import Predictions, safe, traced_program
from raynas.training.onnx_file import ONNX, onnx_file
from raynas.training.source.expressions import UnwritableError
from raynas.training.source.model_file import model_file

SMALL = {
    "darts": {"channels": 4, "cells": 2},
    "mobile": {"width": 0.25},
    "mobile.proxyless": {"width": 0.1},
    "nasbench201": {"channels": 4, "cells": 2},
    "recurrent_cells": {"width": 8},
    "textnas": {"width": 8},
}


def child(name, seed, among=1):
    """Return a network, of the sampled ones that with the fewest layers."""
    module, rng = importlib.import_module(f"search_spaces.{name}"), np.random.default_rng(seed)
    sampled = [module.SPACE.sample(rng) for _ in range(among)]
    architecture = min(sampled, key=lambda one: sum(value != "skip" for value in one.values()))
    seed_weights(seed)
    return builder(module.build, SMALL.get(name, {}), briefs.BRIEFS[name])(architecture)


def predictions(network, inputs):
    norm = None
    if inputs.is_floating_point():
        norm = inputs.mean((0, *range(2, inputs.ndim)), keepdim=True), torch.tensor(3.0)
    return Predictions(network, None, [norm]).eval()


def loaded(written):
    module = types.ModuleType("written_for_a_test")
    module.__file__ = "model.py"
    sys.modules[module.__name__] = module
    exec(compile(written.source, "model.py", "exec"), vars(module))
    model = module.Model()
    model.load_state_dict(load(save(safe(written.state))))
    return model


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", briefs.BRIEFS)
def test_source_of_every_space_computes_the_same(name, seed):
    network = predictions(child(name, seed), inputs := briefs.inputs(name, 4))
    written = model_file(network, inputs, "A network.")
    model, others = loaded(written), briefs.inputs(name, 5, seed=9)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(others), network(others), rtol=1e-6, atol=1e-6)
        seed_weights(1)
        trained = model.train()(others)
        seed_weights(1)
        expected = network.train()(others)
    torch.testing.assert_close(trained, expected, rtol=1e-5, atol=1e-5)
    assert sum(p.numel() for p in model.parameters()) == sum(
        p.numel() for p in network.parameters()
    )
    imported = {
        name.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(written.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    roots = {one.partition(".")[0] for one in imported}
    assert roots <= {"torch", "safetensors", *sys.stdlib_module_names}
    assert max(map(len, written.source.splitlines())) <= 99


@pytest.mark.parametrize("name", briefs.BRIEFS)
def test_onnx_of_every_space_computes_the_same(name):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    network = predictions(child(name, 0, among=20), inputs := briefs.inputs(name, 2))
    found = onnx_file(network, traced_program(network, inputs), inputs)
    assert not found.missing
    session = runtime.InferenceSession(found.files[ONNX], providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[0] == "batch"
    for batch in (1, 5):
        others = briefs.inputs(name, batch, seed=9)
        (given,) = session.run(None, {session.get_inputs()[0].name: others.numpy()})
        with torch.no_grad():
            expected = network(others).numpy()
        np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)


# What source cannot say: weights that a rule computes, states that are no tensors, no source.
UNWRITTEN = {
    "weight norm",
    "spectral norm",
    "orthogonal",
    "the old weight norm",
    "an extra state",
    "a compiled script",
    "a rare type",
    "a mapping",
    "an object with logits",
    "a named tuple",
}


@pytest.mark.parametrize("kind", children.KINDS)
def test_odd_networks_are_written_or_refused(kind):
    seed_weights(0)
    network = children.KINDS[kind](10)
    inputs = torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        network.eval()(inputs)
    goal = types.SimpleNamespace(predictions=children_output) if "a " in kind else None
    wrapped = Predictions(network, goal, [None]).eval()
    if kind in UNWRITTEN:
        with pytest.raises(UnwritableError):
            model_file(wrapped, inputs, "A network.")
        return
    model = loaded(model_file(wrapped, inputs, "A network."))
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(inputs), wrapped(inputs), rtol=1e-6, atol=1e-6)


def children_output(outputs):
    from raynas.goals.outputs import main_output  # noqa: PLC0415

    return main_output(outputs)


class Counted(nn.Module):
    """Looks at values, so it cannot be traced."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x):
        x = x.flatten(1)
        while float(x.abs().max()) > 1.0:
            x = x / 2
        return self.layer(x)


def test_a_loop_over_values_is_copied():
    network = Predictions(Counted(), None, [None]).eval()
    written = model_file(network, torch.randn(2, 1, 8, 8), "A network.")
    assert "while float(x.abs().max()) > 1.0:" in written.source


def test_tied_weights_stay_tied():
    written = model_file(
        Predictions(children.TiedWeights(10), None, [None]).eval(),
        torch.randn(2, 1, 8, 8),
        "A network.",
    )
    model = loaded(written)
    assert model.network.outer.weight is model.network.inner.weight


def test_layers_that_differ_in_numbers_share_a_class():
    written = model_file(
        predictions(child("nasbench201", 0), inputs := briefs.inputs("nasbench201", 2)),
        inputs,
        "A network.",
    )
    names = [
        node.name for node in ast.parse(written.source).body if isinstance(node, ast.ClassDef)
    ]
    assert names == ["Reduction", "Cell", "Model"]
    assert "*[Cell(channels=4) for _ in range(2)]" in written.source
