"""A search on several Ray nodes, of which everything is killed once."""

from pathlib import Path

import pytest
from ray_runs import completed

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


@pytest.mark.slow
def test_after_every_fault_each_trial_is_there_exactly_once_and_as_it_was_trained(tmp_path):
    """A worker, a node, a node with notice, the head, and the driver."""
    status, output, errors = completed(
        str(SOAK), "--trials", "24", "--drivers", "1", "--seconds", "0.4", cwd=tmp_path
    )
    assert status == 0, output + errors
    for kind in ("worker", "node", "notice", "head", "driver"):
        assert f"x {kind}" in output
