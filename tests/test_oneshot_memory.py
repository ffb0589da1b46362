"""Whether a supernet fits into memory, seen before it is built."""

from functools import partial

import pytest
import ray
import test_oneshot_spaces as spaces
from briefs import BRIEFS
from ray_runs import PATIENCE

import raynas
from raynas.errors import ResourceError, SpaceError
from raynas.execution.machine_memory import machine_memory
from raynas.execution.memory_limit import MemoryLimit
from raynas.execution.ray_tune import devices
from raynas.execution.step_memory import step_bytes
from raynas.experiment.resolve.supernet_memory import SupernetMemory
from raynas.journal import exists
from raynas.oneshot.loop import method_of
from raynas.oneshot.supernet_build import SupernetBuild
from raynas.space import Architecture
from raynas.training.recipe import Recipe
from search_spaces import nasbench201

DATA = spaces.data_of("nasbench201")
WIDE = """
from torch import nn
from raynas import Choice, Space
from raynas.oneshot import choose

SPACE = Space({"width": Choice((8, 2_000_000)), "op": Choice(("dense", "skip"))})


def build(architecture, input_shape, classes):
    width = {width}
    options = {"dense": lambda: nn.Linear(width, width), "skip": nn.Identity}
    chosen = choose(architecture, "op", options)
    first, last = nn.Linear(64, width), nn.Linear(width, classes)
    return nn.Sequential(nn.Flatten(), first, chosen, last)
"""


def build(method, share=1):
    made = partial(nasbench201.build, **BRIEFS["nasbench201"], channels=16, cells=1)
    relaxation = spaces.relaxation_of(nasbench201)
    return SupernetBuild(made, nasbench201.SPACE, relaxation, {method: share})


def needed(method, share=1, batch_size=64):
    memory = SupernetMemory(DATA, MemoryLimit(1e9, "this machine"))
    return memory.needed(
        method_of(method, {}), Recipe(batch_size=batch_size), build(method, share)
    )


def test_the_prediction_is_what_a_step_needs():
    supernet = build("darts")(Architecture({"method": "darts"}))
    assert needed("darts") == pytest.approx(step_bytes(supernet, DATA, 64), rel=0.1)


def test_a_mixture_needs_more_than_a_part_of_it_or_a_path():
    all_options, path = needed("darts"), needed("random-ws")
    assert all_options > 1.5 * path
    assert all_options > 1.5 * needed("pc-darts", share=4)
    assert needed("darts", batch_size=256) > 3 * all_options
    assert needed("random-ws", share=0) == pytest.approx(path, rel=0.3)
    between = SupernetMemory(DATA, MemoryLimit(1.2 * path, "this machine"))
    recipe = Recipe(batch_size=64)
    between.check(method_of("random-ws", {}), recipe, build("random-ws"))
    with pytest.raises(ResourceError, match=r"supernet of darts needs about .* this machine has"):
        between.check(method_of("darts", {}), recipe, build("darts"))
    SupernetMemory(DATA, None).check(
        method_of("darts", {}), recipe, build("darts")
    )  # trained elsewhere


@pytest.mark.parametrize(
    ("method", "width", "advice"),
    [
        ("random-ws", 'architecture["width"]', "It has the weights of all options: take"),
        ("darts", "2_000_000", "such as spos, or pc-darts, .* or a smaller batch_size"),
    ],
)
def test_a_supernet_that_is_too_large_is_refused_before_it_is_built(
    method, width, advice, tmp_path
):
    """Its weights alone would take 16 TB."""
    space = tmp_path / "wide.py"
    text = WIDE.replace("{width}", width)
    if method == "darts":
        text = text.replace('"width": Choice((8, 2_000_000)), ', "")
    space.write_text(text)
    run = tmp_path / "run"
    has = machine_memory() / 1e9
    with pytest.raises(SpaceError, match=rf"needs about \d{{5}}.* has {has:.1f} GB.*{advice}"):
        raynas.search(space=str(space), method=method, output=run, trials=1, gpus_per_trial=0)
    assert not run.exists()


@pytest.mark.slow
def test_on_a_cluster_the_memory_of_its_machines_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_PATIENCE", PATIENCE)
    run, has = tmp_path / "run", machine_memory() / 1e9
    large = {"batch_size": 3_000_000}
    ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR")
    try:
        says = rf"darts needs about \d+\.\d GB .* machine of the cluster has {has:.1f} GB. Take"
        with pytest.raises(ResourceError, match=says):
            raynas.search(
                space="nasbench201", method="darts", output=run, trials=1, training=large
            )
    finally:
        ray.shutdown()
    assert not exists(run)
    assert not exists(run / "supernets")


def test_a_build_that_looks_at_numbers_is_let_pass_with_a_warning(caplog):
    def looks(architecture):
        network = nasbench201.build(architecture, **BRIEFS["nasbench201"], channels=4, cells=1)
        assert float(next(network.parameters()).sum()) < 1e9
        return network

    made = SupernetBuild(looks, nasbench201.SPACE, build("darts").relaxation, {"darts": 1})
    SupernetMemory(DATA, MemoryLimit(1e6, "this machine")).check(
        method_of("darts", {}), Recipe(), made
    )
    assert "memory of the supernet of darts is not predicted" in caplog.text
