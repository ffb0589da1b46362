"""What a winner's card says, and what is checked by it; nothing trains."""

import warnings

import in_process
import numpy as np
import pytest
import torch
from torch import nn

import raynas
from raynas.costs import measure, training_bytes
from raynas.data import Data, Split
from raynas.errors import DataError, RunError
from raynas.proxies import Batch, score
from raynas.space import Architecture
from raynas.tasks.digits import Digits
from raynas.tasks.task import Source
from raynas.training.examples import Examples


def test_a_winner_names_classes_and_warns_once_of_another_scale(tmp_path):
    data = Digits().load(Source(), 0)
    winner = in_process.kept(tmp_path, nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), data)
    assert (winner.card["input"]["min"], winner.card["input"]["max"]) == ([0], [16])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {*winner.predict(data.test.inputs)} <= {*map(str, range(10))}
        assert len(winner.predict(data.test.inputs[0])) == 1
    with pytest.warns(UserWarning, match="between 0 and 1, .* trained on values between 0 and 16"):
        winner(data.test.inputs / 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        winner(data.test.inputs / 16)
    other = raynas.load_winner(tmp_path)
    with pytest.warns(UserWarning, match="between 0 and 255"):
        other(torch.from_numpy(data.test.inputs / 16 * 255))
    with pytest.raises(DataError, match=r"\(examples, 1, 8, 8\).*move them to the front"):
        winner(data.test.inputs.transpose(0, 2, 3, 1))
    with pytest.raises(RunError, match="holds no winner"):
        raynas.load_winner(tmp_path / "none")


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.out = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids):
        return self.out(self.embedding(ids).mean(1))


def test_ids_stay_whole_numbers_from_the_task_to_the_export(tmp_path):
    ids = np.random.default_rng(0).integers(0, 9, (40, 5), dtype=np.int32)
    data = Data.split(Split.of(ids, np.arange(40) % 2), seed=0)
    assert data.train.inputs.dtype == np.int64
    examples = Examples.of(data.train, data, torch.device("cpu"))
    assert torch.equal(examples.normalised(examples.inputs), examples.inputs)
    assert measure(Tokens(), examples.some(1)[0]).params == 46
    assert training_bytes(Tokens(), examples.some, 8, data.goal.loss) > 46 * 8
    said = score(lambda *_: Tokens(), Architecture({}), Batch.of(data))
    assert not said.tracebacks
    assert {*said.refusals} <= {"jacob_cov", "zen", "naswot", "fisher"}
    child = Tokens()
    winner = in_process.kept(tmp_path, child, data)
    given = torch.from_numpy(data.test.inputs)
    torch.testing.assert_close(winner(data.test.inputs), child(given))
    with pytest.raises(DataError, match=r"must be ids .whole numbers.: got float64"):
        winner(data.test.inputs / 1.0)


@pytest.mark.parametrize(
    ("given", "becomes"),
    [(np.uint8, np.float32), (bool, np.float32), (np.uint16, np.int64), (np.float64, np.float32)],
)
def test_which_numbers_in_two_dimensions_are_ids(given, becomes):
    assert Split.of(np.ones((4, 3), given), [0, 1, 0, 1]).inputs.dtype == becomes
