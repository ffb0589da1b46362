"""The winner on Ray: an export that hangs is ended, and made up for by ``resume``."""

import logging

import pytest

import raynas
from raynas.execution.ray_tune import conductor_scheduler

# Its layers share weights and get their shapes from the data; it hangs while it is exported, as
# long as a file is there.
HANGS = """
import time
from pathlib import Path

import torch
from torch import nn

from raynas import Choice, Space

SPACE = Space({"width": Choice([8, 16])})
HANGS = Path(__file__).with_name("hangs")


class Net(nn.Module):
    def __init__(self, width, classes):
        super().__init__()
        self.first, self.one, self.two = nn.LazyLinear(width), nn.LazyLinear(width), None
        self.two = self.one
        self.last = nn.LazyLinear(classes)

    def forward(self, inputs):
        while torch.compiler.is_exporting() and HANGS.exists():
            time.sleep(0.1)
        features = self.first(inputs.flatten(1)).relu()
        return {"logits": self.last(self.two(self.one(features).relu()))}


def build(architecture, input_shape, classes):
    return Net(architecture["width"], classes)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_an_export_that_hangs_is_ended_and_made_up_for(tmp_path, monkeypatch, caplog):
    space, output = tmp_path / "hanging.py", tmp_path / "run"
    space.write_text(HANGS)
    (tmp_path / "hangs").touch()
    monkeypatch.setattr(conductor_scheduler, "EXPORT_SECONDS", 1.0)
    settings = {"space": str(space), "searcher": "random", "max_failures": 1}
    result = raynas.search(**settings, trials=1, epochs=1, output=output)
    assert result.winner.metrics["test_accuracy"] > 0
    (warning,) = [
        one
        for one in caplog.records
        if one.name.startswith("raynas") and one.levelno == logging.WARNING
    ]
    assert warning.getMessage() == (
        "the winner's network.pt2 is missing: the export took more than 1 s, which is the limit; "
        f"its score and the other files are saved, and raynas resume {output} exports it again"
    )
    assert (output / "winner" / "weights.safetensors").exists()

    (tmp_path / "hangs").unlink()
    monkeypatch.undo()
    again = raynas.resume(output)
    assert again.winner.metrics == result.winner.metrics
    assert raynas.load_winner(output).class_names
    assert not [*(output / "checkpoints").iterdir()]
