"""What every shipped space promises that is told what its parameters name."""

import inspect
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from briefs import BRIEFS, NARROW, inputs, outputs
from torch.export import Dim

from raynas.rng import seed_weights

OLD = {"darts", "mlp", "mobile", "nasbench201"}  # these have tests of their own
MODULES = {name: import_module(f"search_spaces.{name}") for name in sorted(BRIEFS.keys() - OLD)}
LANGUAGE = [name for name in MODULES if BRIEFS[name].keys() == {"vocabulary", "length"}]


def built(name, architecture):
    return MODULES[name].build(architecture, **BRIEFS[name], **NARROW.get(name, {}))


def sampled(name, seed):
    seed_weights(seed)
    architecture = MODULES[name].SPACE.sample(np.random.default_rng(seed))
    return architecture, built(name, architecture)


def walk(name, length):
    """Architectures that differ by one decision from one to the next, so that each comes up."""
    space, rng = MODULES[name].SPACE, np.random.default_rng(5)
    architecture = space.sample(rng)
    for _ in range(length):
        yield architecture
        architecture = space.mutate(architecture, rng)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", MODULES)
def test_everything_sampled_can_be_trained(name, seed):
    _, network = sampled(name, seed)
    found = network(inputs(name, 4, seed))
    assert found.shape == outputs(name, 4)
    assert found.isfinite().all()
    found.square().mean().backward()
    for parameter, tensor in network.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.isfinite().all(), parameter


@pytest.mark.parametrize("name", MODULES)
def test_training_lowers_the_loss(name):
    for seed in range(4):
        _, network = sampled(name, seed)
        examples = inputs(name, 16, seed)
        targets = torch.randn(outputs(name, 16), generator=torch.Generator().manual_seed(seed))
        optimizer = torch.optim.Adam(network.parameters(), 3e-3)
        losses = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = (network(examples) - targets).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert np.mean(losses[-5:]) < 0.98 * losses[0]


@pytest.mark.parametrize("name", MODULES)
def test_an_example_is_answered_alone_as_in_a_batch(name):
    for seed in range(8):
        _, network = sampled(name, seed)
        network(inputs(name, 16, seed))  # sets the moments of batch norms
        network.eval()
        batch = inputs(name, 5, seed)
        assert torch.allclose(network(batch)[2:3], network(batch[2:3]), atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # torch's own, about its recurrent layers
@pytest.mark.parametrize("name", MODULES)
def test_the_exported_program_takes_any_batch(name):
    for architecture in walk(name, 4):
        network = built(name, architecture).eval()
        dynamic = ({0: Dim.DYNAMIC},)
        program = torch.export.export(network, (inputs(name, 4),), dynamic_shapes=dynamic)
        for batch in (1, 7):
            examples = inputs(name, batch, seed=1)
            assert torch.allclose(program.module()(examples), network(examples), atol=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_names_and_shapes_of_weights_follow_from_the_architecture(name):
    for architecture in walk(name, 5):
        one, other = (built(name, architecture) for _ in range(2))
        one.load_state_dict(other.state_dict())
        back = MODULES[name].SPACE.from_json(architecture.to_json())
        built(name, back).load_state_dict(one.state_dict())


@pytest.mark.parametrize("name", MODULES)
def test_drawings_tell_architectures_apart(name):
    space, draw = MODULES[name].SPACE, MODULES[name].draw
    some = {space.identity(one): draw(one) for one in walk(name, 60)}
    assert len(set(some.values())) == len(some)
    assert all(len(line) <= 99 for text in some.values() for line in text.splitlines())


@pytest.mark.parametrize("name", MODULES)
def test_build_takes_what_the_brief_offers_by_name(name):
    _, *parameters = inspect.signature(MODULES[name].build).parameters.values()
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    needed = {one.name for one in parameters if one.default is one.empty}
    assert needed == set(BRIEFS[name])


@pytest.mark.parametrize("name", MODULES)
def test_importing_loads_no_torch(name):
    code = f"import sys, search_spaces.{name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", LANGUAGE)
def test_no_output_depends_on_later_ids(name):
    length = BRIEFS[name]["length"]
    for seed in range(12):
        _, network = sampled(name, seed)
        network.eval()
        ids = inputs(name, 2, seed)
        before = network(ids)
        for at in (1, length - 1):
            changed = ids.clone()
            changed[:, at] = changed[:, at] % (BRIEFS[name]["vocabulary"] - 1) + 1
            after = network(changed)
            assert torch.equal(after[:, :at], before[:, :at])
            assert not torch.equal(after[:, at], before[:, at])
