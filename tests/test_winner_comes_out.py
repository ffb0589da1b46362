"""What a search accepts comes out: trained, exported, loaded, shown, taken up, begun with."""

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import children
import in_process
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

import raynas
from raynas import journal
from raynas.errors import RunError
from raynas.execution import winner as winner_module
from raynas.execution.winner import retrain
from raynas.experiment.resolve.starting_points import starting_points
from raynas.experiment.run import search as search_module
from raynas.insight.leaderboard import records, rows
from raynas.insight.text.summary import winner as summary
from raynas.space import Choice, Space
from raynas.space.values import same
from raynas.training.exported import Exported
from raynas.trial import Failed, Proposal, Winner, WinnerEpoch

KINDS = sorted(children.KINDS)


class Given:
    """A space whose ``build`` sees to it that it is given what was decided."""

    def __init__(self, tree, kinds):
        self.SPACE = Space({"kind": Choice(kinds), "more": tree})
        self.kinds = children.KINDS

    def build(self, architecture, input_shape, classes):
        del input_shape
        decided = self.SPACE.architecture(architecture)
        assert all(same(value, decided[path]) for path, value in architecture.items())
        return self.kinds[architecture["kind"]](classes)


@pytest.fixture
def here(monkeypatch):
    """Train in this process; ``here.retrain`` stands for what trains the winner."""

    class Here:
        retrain = staticmethod(retrain)

    monkeypatch.setattr(
        search_module,
        "_execute",
        lambda *given: in_process.execute(*given, retrained=Here.retrain),
    )
    return Here


def search(output, space, **more):
    settings = {"trials": 3, "epochs": 2, "searcher": "random", "scheduler": "none"} | more
    return children.quietly(
        lambda: raynas.search(space=space, task=in_process.Few(), output=output, **settings)
    )


def resume(output, space, **more):
    return children.quietly(
        lambda: raynas.resume(output, space=space, task=in_process.Few(), **more)
    )


def winner_events(output):
    lines = [json.loads(line) for line in (output / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"].startswith("winner")]


@settings(max_examples=12)
@given(strategies.spaces(), st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True))
def test_whatever_is_searched_comes_out(space, kinds):
    with pytest.MonkeyPatch.context() as patched, TemporaryDirectory() as folder:
        patched.setattr(search_module, "_execute", in_process.execute)
        output, mine = Path(folder) / "run", Given(space.tree, kinds)
        result = search(output, mine)
        assert not result.history.failed, result.history.failed[0].outcome.reason
        assert result.history == journal.read(output).history
        chosen = result.history.trials[result.winner.number].architecture
        assert result.winner.folder == "winner"

        before = (output / "journal.jsonl").read_bytes()
        assert resume(output, mine).history == result.history
        assert (output / "journal.jsonl").read_bytes() == before

        json.dumps(records(rows(result.history)))
        assert f"trial {result.winner.number}" in summary(result.history)
        assert chosen in starting_points(output, mine.SPACE)
        card = output / "winner" / "architecture.json"
        assert starting_points(card, mine.SPACE) == (chosen,)

        if chosen["kind"] == "a compiled script":
            assert result.winner.missing.startswith("network.pt2 is missing")
            return
        data = in_process.Few().load(None, 0)
        logits = raynas.load_winner(output)(data.test.inputs)
        right = (logits.argmax(1).numpy() == data.test.targets).mean()
        assert right == pytest.approx(result.winner.metrics["test_accuracy"])


def lost_when(kind):
    """Return a training whose worker is lost when it would tell an event of a kind."""

    def lost(context, spec):
        for event in retrain(context, spec):
            if isinstance(event, kind):
                yield Failed(spec.number, "its worker was lost: no memory", cause="circumstances")
                return
            yield event

    return lost


def test_an_export_that_is_lost_costs_neither_score_nor_weights_and_is_made_up_for(
    here, tmp_path, caplog
):
    mine, output = Given({}, ["tied weights"]), tmp_path / "run"
    here.retrain = lost_when(Exported)
    result = search(output, mine)
    assert result.winner.metrics["test_accuracy"] >= 0
    assert not result.winner.folder
    assert "is not exported yet: raynas resume" in summary(result.history)
    (warning,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert warning.getMessage() == (
        "the winner's network.pt2 is missing: its worker was lost: no memory; its score and the "
        f"other files are saved, and raynas resume {output} exports it again"
    )
    left = {path.name for path in (output / "winner").iterdir()}
    assert {"weights.safetensors", "architecture.json"} <= left
    card = json.loads((output / "winner" / "architecture.json").read_text())
    assert card["metrics"] == result.winner.metrics

    here.retrain = staticmethod(retrain)
    told = len(winner_events(output))
    again = resume(output, mine)
    (event,) = winner_events(output)[told:]
    assert (event["event"], event["folder"]) == ("winner", "winner"), "only the export was left"
    assert again.winner.metrics == result.winner.metrics
    assert raynas.load_winner(output).class_names
    assert not (output / "checkpoints" / "winner.pt").exists()


@pytest.mark.usefixtures("here")
def test_what_torch_cannot_export_is_said_once_and_not_tried_again(tmp_path, caplog):
    mine, output = Given({}, ["a compiled script"]), tmp_path / "run"
    result = search(output, mine)
    assert result.winner.folder == "winner"
    assert result.winner.missing.startswith("network.pt2 is missing, because torch cannot export")
    assert result.winner.missing in summary(result.history)
    assert result.winner.missing in caplog.text
    before = (output / "journal.jsonl").read_bytes()
    resume(output, mine)
    assert (output / "journal.jsonl").read_bytes() == before


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_kill_in_the_winners_training_costs_an_epoch_at_most(epoch, here, tmp_path):
    mine = Given({}, ["lazy convolutions", "a passing buffer"])
    search(tmp_path / "whole", mine, epochs=3)
    output = tmp_path / "cut"

    def killed(context, spec):
        for event in retrain(context, spec):
            yield event
            if isinstance(event, WinnerEpoch) and event.epoch == epoch:
                raise KeyboardInterrupt

    here.retrain = killed
    with pytest.raises(KeyboardInterrupt):
        search(output, mine, epochs=3)
    here.retrain = staticmethod(retrain)
    resume(output, mine)
    told = [(one["event"], one.get("epoch")) for one in winner_events(output)]
    assert told == [*(("winnerepoch", n) for n in range(4)), ("winner", None), ("winner", None)]
    for name in ("weights.safetensors", "architecture.json"):
        cut, whole = (tmp_path / run / "winner" / name for run in ("cut", "whole"))
        assert cut.read_bytes() == whole.read_bytes()


class LatestWins:
    """Hands over what was trained last."""

    def __init__(self, space):
        self.space = space

    def __repr__(self):
        return "LatestWins"

    def propose(self, history, rng):
        del rng
        kind = ("plain", "tied weights")[len(history.trials)]
        return Proposal(self.space.architecture({"kind": kind}))

    def recommend(self, history):
        return history.finished[-1]


def test_files_of_another_winner_do_not_stay(here, tmp_path):
    mine, output = Given({}, ["plain", "tied weights"]), tmp_path / "run"
    first = search(output, mine, trials=1, searcher=LatestWins(mine.SPACE))
    assert (output / "winner" / "network.pt2").exists()
    here.retrain = lost_when(Exported)
    second = resume(output, mine, trials=2, searcher=LatestWins(mine.SPACE))
    assert second.winner.number != first.winner.number
    assert not (output / "winner" / "network.pt2").exists()
    card = json.loads((output / "winner" / "architecture.json").read_text())
    assert card["architecture"] == dict(second.history.trials[1].architecture)


def test_a_winner_that_cannot_be_trained_fails_the_run_and_keeps_its_trials(here, tmp_path):
    mine, output = Given({}, ["plain"]), tmp_path / "run"
    here.retrain = lost_when(winner_module.Tested)
    with pytest.raises(RunError, match="could not be trained and tested: its worker was lost"):
        search(output, mine)
    here.retrain = staticmethod(retrain)
    assert resume(output, mine).winner.folder == "winner"


@pytest.mark.usefixtures("here")
def test_winners_of_old_journals_count_as_exported(tmp_path):
    mine, output = Given({}, ["plain"]), tmp_path / "run"
    search(output, mine)
    path = output / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    old = [
        {name: value for name, value in line.items() if name != "missing"}
        for line in lines
        if line["event"] != "winnerepoch" and (line["event"] != "winner" or line["folder"])
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    before = path.read_bytes()
    assert isinstance(resume(output, mine).winner, Winner)
    assert path.read_bytes() == before
