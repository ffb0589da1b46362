"""A search on nodes that join and leave; some have GPUs, and one has none."""

import platform

import pytest
from ray._private import worker
from ray.core.generated import autoscaler_pb2
from ray_nodes import head, node
from ray_runs import PATIENCE, wait_until
from waiting_run import Run

from raynas.execution.packing import Resources
from raynas.execution.ray_tune.demand import Demand


@pytest.fixture(scope="module")
def address():
    """The head of a cluster."""
    with head("--num-cpus=2") as address:
        yield address


@pytest.mark.slow
def test_nodes_that_join_are_used_and_nodes_that_leave_are_survived(address, tmp_path):
    options = ("--gpus-per-trial=1", "--max-concurrent=9")
    with Run(tmp_path).on(address, *options) as run:
        run.until(lambda: run.counts == [0])  # this node has no GPU, so it trains nothing
        with node("--num-cpus=1", "--num-gpus=1", "--address", address):
            run.until_workers(1)
            with node("--num-cpus=4", "--num-gpus=2", "--address", address) as large:
                run.until_workers(3)  # each has a GPU of its own
                large.terminate()
                run.until(lambda: len(run.counts) == 4)
            said = run.finish()
        assert run.counts == [0, 1, 3, 1]
    assert "at most 12 trials of 1 epoch" in said
    assert "1 node joined: 3 trials can run at once" in said
    assert "1 node left: 1 trial can run at once" in said


def asked():
    """Return how many nodes with a GPU an autoscaler sees to be lacking."""
    told = autoscaler_pb2.GetClusterResourceStateReply()
    told.ParseFromString(worker.global_worker.gcs_client.get_cluster_resource_state())
    return sum(one.count for one in told.cluster_resource_state.pending_resource_requests)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_an_autoscaler_sees_fewer_trials_as_fewer_are_left():
    demand = Demand()
    for trials in (3, 2, 1, 2, 0):
        demand.show([Resources(1.0, 1.0)] * trials)
        assert wait_until(lambda expected=trials: asked() == expected)
    with_two_processes = Resources(1.0, 1.0, workers=2)
    demand.show([with_two_processes])
    assert wait_until(lambda: asked() == 2)
    demand.show([])
    assert wait_until(lambda: asked() == 0)


@pytest.mark.slow
def test_a_node_without_raynas_is_named(address, tmp_path):
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "raynas.py").write_text("raise ImportError('as if there was none')")
    with (
        node("--num-cpus=1", "--address", address, PYTHONPATH=str(tmp_path / "node")),
        Run(tmp_path).on(address) as run,
    ):
        _, errors = run.started.communicate(timeout=PATIENCE)
    *_, last = errors.splitlines()  # on a busy machine trials begin before the node has answered
    assert (run.started.returncode, "Traceback" in errors) == (2, False), errors
    name = platform.node()
    assert f"every node of the cluster must have this raynas, and {name} has not: run" in last
