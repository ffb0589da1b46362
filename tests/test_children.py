"""Networks made in unusual ways are trained, taken up, inherited from, handed over and loaded."""

import json
from dataclasses import replace
from functools import partial

import children
import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file

import raynas
from raynas.costs import measure, training_bytes
from raynas.errors import SpaceError, TrialError
from raynas.execution import winner
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.winner import retrain
from raynas.execution.worker import train
from raynas.experiment.resolve.briefs import builder
from raynas.goals.outputs import main_output
from raynas.proxies import Batch, score
from raynas.space import Architecture
from raynas.tasks.digits import Digits
from raynas.tasks.task import Source
from raynas.training.child import built
from raynas.training.exported import Exported, input_card
from raynas.training.recipe import Recipe
from raynas.trial import Failed, WinnerEpoch

EPOCHS = 3
NO_SAFETENSORS = {"a rare type", "an extra state"}
NO_PROGRAM = {"a compiled script"}
if torch.complex64 not in safetensors.torch._SIZE:
    NO_SAFETENSORS |= {"a complex buffer", "complex weights"}
if torch.__version__ < "2.7":  # it cannot trace a mapping of the user's own
    NO_PROGRAM |= {"a mapping"}
ONLY = {"synflow": {"complex weights", "bfloat16"}}  # which computes in float64


def bound(build, data):
    """Return ``build`` with what it asks for beside the architecture."""
    return builder(build, {}, data.told)


def zeros(count):
    return torch.zeros((count, 1, 8, 8))


def batch(count):
    return zeros(count), torch.zeros(count, dtype=torch.int64)


@pytest.fixture(scope="module")
def data():
    whole = Digits().load(Source(), 0)
    some = {name: getattr(whole, name).take(np.arange(40)) for name in ("train", "valid", "test")}
    return replace(whole, **some)


@pytest.fixture
def context(data):
    return TrainingContext(bound(children.build, data), Recipe(batch_size=20), data, "cpu")


def spec_of(kind, checkpoint, **more):
    return TrialSpec(0, {"kind": kind}, EPOCHS, 1, str(checkpoint), **more)


def told(events):
    return [replace(event, seconds=0.0) for event in events]


@pytest.mark.parametrize("kind", children.KINDS)
def test_a_trial_goes_on_as_if_it_had_not_been_cut_and_its_weights_are_inherited(
    kind, context, tmp_path
):
    whole = told(train(context, spec_of(kind, tmp_path / "whole.pt", keep=True)))
    assert [event.epoch for event in whole] == [1, 2, 3]
    cut = spec_of(kind, tmp_path / "cut.pt")
    next(iter(train(context, cut)))
    assert told(train(context, cut)) == whole
    heir = spec_of(kind, tmp_path / "heir.pt", parent=str(tmp_path / "whole.pt"))
    first = next(iter(train(context, heir)))
    assert not isinstance(first, Failed), first.reason
    assert first.metrics["inherited"] == 1.0
    assert first.metrics["train_loss"] < whole[0].metrics["train_loss"]


@pytest.mark.parametrize("kind", children.KINDS)
def test_a_winner_goes_on_likewise_and_computes_the_same_when_it_is_loaded(
    kind, context, data, tmp_path
):
    *epochs, tested, program = retrain(context, spec_of(kind, tmp_path / "whole.pt"))
    assert epochs == [WinnerEpoch(0, epoch, EPOCHS) for epoch in (1, 2, 3)]
    cut = retrain(context, spec_of(kind, tmp_path / "cut.pt"))
    assert next(cut).epoch == 1
    assert next(cut).epoch == 2
    again = [*retrain(context, spec_of(kind, tmp_path / "cut.pt"))]
    assert again[:2] == [WinnerEpoch(0, 3, EPOCHS), tested]

    name = "weights.pt" if kind in NO_SAFETENSORS else "weights.safetensors"
    assert [*tested.weights.files] == [name]
    assert bool(tested.weights.missing) == (kind in NO_SAFETENSORS)
    (tmp_path / name).write_bytes(tested.weights.files[name])
    build = bound(children.build, data)
    module = built(build, Architecture({"kind": kind}), partial(zeros, 2))
    read = partial(torch.load, weights_only=True) if kind in NO_SAFETENSORS else load_file
    module.load_state_dict(read(tmp_path / name))
    assert bool(program.missing) == (kind in NO_PROGRAM)
    if kind in NO_PROGRAM:
        assert not program.files
        return
    (tmp_path / "network.pt2").write_bytes(program.files["network.pt2"])
    card = {"classes": 10, "class_names": data.names, "input": input_card(data)}
    (tmp_path / "architecture.json").write_text(json.dumps(card))
    logits = raynas.load_winner(tmp_path)(data.test.inputs)
    right = (logits.argmax(1).numpy() == data.test.targets).mean()
    assert right == pytest.approx(tested.metrics["test_accuracy"])
    if kind != "a passing buffer":  # which no state_dict holds
        inputs = (torch.from_numpy(data.test.inputs) - data.norm.mean[0]) / data.norm.std[0]
        with torch.inference_mode():
            mine = main_output(module.eval()(inputs.float()))
        torch.testing.assert_close(mine, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("other", [{"number": 1}, {"epochs": 4}, {"seed": 2}, {"kind": "plain"}])
def test_a_winner_does_not_go_on_from_the_checkpoint_of_another(other, context, tmp_path):
    given = {"number": 0, "epochs": EPOCHS, "seed": 1, "kind": "tied weights"} | other
    mine = spec_of("tied weights", tmp_path / "winner.pt")
    alone = [*retrain(context, mine)][:-1]
    (tmp_path / "winner.pt").unlink()
    number, epochs, seed, kind = given.values()
    [*retrain(context, replace(mine, number=number, epochs=epochs, seed=seed,
                               architecture={"kind": kind}))]  # fmt: skip
    assert [*retrain(context, mine)][:-1] == alone


@pytest.mark.parametrize("content", [b"", b"torn"])
def test_a_damaged_checkpoint_costs_a_winner_its_epochs_only(content, context, tmp_path):
    mine = spec_of("plain", tmp_path / "winner.pt")
    alone = [*retrain(context, mine)][:-1]
    (tmp_path / "winner.pt").write_bytes(content)
    assert [*retrain(context, mine)][:-1] == alone


def test_a_trained_winner_is_only_tested_and_exported_again(context, tmp_path):
    mine = spec_of("plain", tmp_path / "winner.pt")
    assert [*map(type, retrain(context, mine))][3:] == [winner.Tested, Exported]
    assert [*map(type, retrain(context, mine))] == [winner.Tested, Exported]


@pytest.mark.parametrize("kind", children.KINDS)
def test_it_is_measured_and_scored_without_a_change(kind, data):
    architecture = Architecture({"kind": kind})
    build = bound(children.build, data)
    child = built(build, architecture, partial(zeros, 2))
    before = {name: part for name, part in child.state_dict().items() if torch.is_tensor(part)}
    before = {name: part.clone() for name, part in before.items()}
    assert measure(child, zeros(1)).params > 600
    assert training_bytes(child, batch, 8, data.goal.loss) > 2000
    after = child.state_dict()
    assert all(torch.equal(part, after[name]) for name, part in before.items())
    found = children.quietly(lambda: score(build, architecture, Batch.of(data, size=8)))
    raised = {name for name in found.tracebacks if kind not in ONLY.get(name, ())}
    assert not raised, found.tracebacks


@pytest.mark.parametrize("name", children.REFUSED)
def test_an_output_that_holds_no_logits_is_refused_with_what_it_was(name, data, tmp_path):
    answer, says = children.REFUSED[name]

    def build(architecture, input_shape, classes):
        del architecture, input_shape
        return children.Answer(classes, answer)

    build = bound(build, data)
    context = TrainingContext(build, Recipe(batch_size=20), data, "cpu")
    (failed,) = train(context, TrialSpec(0, {}, 1, 0, str(tmp_path / "trial.pt")))
    assert not failed.detail, "a sentence, no traceback"
    with pytest.raises(SpaceError, match=says):
        raise SpaceError(failed.reason)
    child = built(build, Architecture({}), partial(zeros, 2))
    with pytest.raises(SpaceError, match=says):
        training_bytes(child, batch, 20, data.goal.loss)
    found = score(build, Architecture({}), Batch.of(data, size=8), ["grad_norm", "jacob_cov"])
    assert "grad_norm" not in found.values
    assert not found.tracebacks


def test_a_lazy_layer_that_only_training_uses_is_refused():
    with pytest.raises(TrialError, match=r"does not use norm\.weight.*give that layer its sizes"):
        built(lambda _: children.LazyInTraining(10), Architecture({}), partial(zeros, 2))


def test_lazy_layers_draw_the_weights_of_the_seed(context, tmp_path):
    runs = [told(train(context, spec_of("lazy layers", tmp_path / name))) for name in "ab"]
    assert runs[0] == runs[1]
