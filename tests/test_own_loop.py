"""A task's own training loop, in this process: reports, checkpoints, inheritance, faults."""

import re
import threading
import time
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from raynas.data import Loop, LoopData
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.winner import retrain
from raynas.execution.worker import Notice, UnexplainedFailureError, train
from raynas.training import loop_thread
from raynas.training.loop_context import adopt, packed, unpacked
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Report, WinnerEpoch

DATA = LoopData({"input_shape": (3,), "outputs": 1})
INPUTS = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
TARGETS = INPUTS.sum(1, keepdim=True)


def build(architecture):
    return nn.Sequential(
        nn.Linear(3, architecture["width"]), nn.Dropout(0.2), nn.Linear(architecture["width"], 1)
    )


def epoch_of(child, optimizer):
    """Train one epoch with all sources of randomness; return the loss."""
    child.train()
    for rows in np.array_split(np.random.permutation(40), 4):  # noqa: NPY002 - a user's code
        loss = (child(INPUTS[rows]) - TARGETS[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def yielding(child, context):
    optimizer = torch.optim.Adam(child.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    context.track(optimizer=optimizer, schedule=schedule)
    for _ in context.epochs():
        loss = epoch_of(child, optimizer)
        schedule.step()
        yield {"val_loss": loss, "rate": schedule.get_last_lr()[0]}


def reporting(child, context):
    """The same as a function that a library would call back; it keeps a file."""
    optimizer = torch.optim.Adam(child.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    file = context.directory / "state.pt"
    if context.checkpoint:
        own = torch.load(context.checkpoint)
        optimizer.load_state_dict(own["optimizer"])
        schedule.load_state_dict(own["schedule"])
    for _ in context.epochs():
        loss = epoch_of(child, optimizer)
        schedule.step()
        torch.save({"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}, file)
        metrics = {"val_loss": torch.tensor(loss), "rate": schedule.get_last_lr()[0]}
        if not context.report(metrics, checkpoint=file):
            return


LOOPS = {"generator": yielding, "function": reporting}


def context(fit, test=None):
    return TrainingContext(build, Recipe(), DATA, "cpu", loop=Loop(fit, test))


@pytest.fixture
def spec(tmp_path):
    return TrialSpec(0, {"width": 4}, epochs=4, seed=5, checkpoint=str(tmp_path / "a.pt"))


def scores(events):
    return [(e.epoch, e.metrics["val_loss"], e.metrics["rate"]) for e in events]


@pytest.mark.parametrize("fit", LOOPS.values(), ids=LOOPS)
def test_a_report_after_every_epoch_with_the_costs_of_the_network(fit, spec):
    reports = list(train(context(fit), spec))
    assert [report.epoch for report in reports] == [1, 2, 3, 4]
    assert reports[0].metrics["params"] == 4 * 4 + 5
    assert reports[0].metrics["flops"] == 3 * 4 + 4 + 4 + 1


def test_both_forms_train_alike(spec, tmp_path):
    ways = [
        scores(train(context(fit), replace(spec, checkpoint=str(tmp_path / name))))
        for name, fit in LOOPS.items()
    ]
    assert ways[0] == ways[1]


@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("fit", LOOPS.values(), ids=LOOPS)
def test_killed_after_any_epoch_it_goes_on_bit_for_bit(fit, epochs, spec, tmp_path):
    whole = scores(train(context(fit), replace(spec, checkpoint=str(tmp_path / "b.pt"))))
    assert scores(islice(train(context(fit), spec), epochs)) == whole[:epochs]
    assert scores(train(context(fit), spec)) == whole


def test_an_heir_takes_over_weights_and_momentum_but_keeps_its_own_rate(spec, tmp_path):
    parent = replace(spec, keep=True)
    list(train(context(yielding), parent))

    def faster(child, context):
        optimizer = torch.optim.Adam(child.parameters(), lr=0.5)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        context.track(optimizer=optimizer, schedule=schedule)
        group, *_ = optimizer.param_groups
        assert len(optimizer.state) == 4  # the moments of the parent
        assert context.inherited == 1.0
        for _ in context.epochs():
            yield {"val_loss": 1.0, "rate": group["lr"]}

    heir = replace(
        spec, checkpoint=str(tmp_path / "heir.pt"), parent=parent.checkpoint, begin=2, epochs=3
    )
    (report,) = train(context(faster), heir)
    assert report.epoch == 3
    assert report.metrics["rate"] == pytest.approx(0.5 * 0.9**4)


def test_the_state_of_a_parent_that_does_not_fit_is_left_out():
    wide, narrow = (torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=rate) for rate in (0.1, 0.2))
    wide.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    adopt("optimizer", narrow, wide.state_dict())
    assert [group["lr"] for group in narrow.param_groups] == [0.2]


def test_a_file_of_another_architecture_is_not_given_to_an_heir(spec, tmp_path):
    list(train(context(reporting), replace(spec, keep=True)))
    given = []

    def look(child, context):  # noqa: ARG001 - the interface
        given.append(context.checkpoint)
        yield {"val_loss": 1.0}

    for width in (4, 5):
        heir = replace(
            spec,
            architecture={"width": width, "training.lr": 0.3},
            checkpoint=str(tmp_path / f"{width}.pt"),
            parent=spec.checkpoint,
            epochs=1,
        )
        assert isinstance(next(train(context(look), heir)), Report)
    assert [path is None for path in given] == [False, True]


def test_the_winner_is_tested_by_the_task(spec):
    def test(child, context):
        assert context.final
        return {"test_error": (child.eval()(INPUTS) - TARGETS).abs().mean()}

    *epochs, tested, exported = retrain(context(yielding, test), spec)
    assert [type(event) for event in epochs] == [WinnerEpoch] * 4
    assert set(tested.metrics) == {"test_error", "params", "flops"}
    assert [*exported.files] == ["network.pt2"]


def test_only_the_training_of_the_winner_is_final(spec):
    def told(child, context):  # noqa: ARG001 - the interface
        yield {"final": float(context.final)}

    (report,) = train(context(told), replace(spec, epochs=1))
    assert report.metrics["final"] == 0
    *_, tested, _ = retrain(context(told), replace(spec, epochs=1))
    assert tested.metrics["final"] == 1


def test_without_a_test_the_last_metrics_count(spec):
    *_, tested, _ = retrain(context(yielding), spec)
    assert set(tested.metrics) == {"val_loss", "rate", "params", "flops"}


def test_a_loop_that_ends_early_has_finished_with_its_last_metrics(spec):
    def short(child, context):  # noqa: ARG001 - the interface
        yield {"val_loss": 2.0}
        yield {"val_loss": 1.0}

    reports = list(train(context(short), replace(spec, keep=True)))
    assert [report.metrics["val_loss"] for report in reports] == [2.0, 1.0, 1.0, 1.0]
    assert reports[-1].metrics["ended_after"] == 2
    assert list(train(context(short), spec)) == reports  # told again from the checkpoint


def test_a_loop_that_does_not_end_is_ended_after_its_last_epoch(spec):
    ended = []

    def endless(child, context):  # noqa: ARG001 - the interface
        try:
            while True:
                yield {"val_loss": 1.0}
        finally:
            ended.append(True)

    assert len(list(train(context(endless), spec))) == 4
    assert ended == [True]


def raising(child, context):  # noqa: ARG001 - the interface
    yield {"val_loss": 2.0}
    yield {"val_loss": 2.0}
    raise ZeroDivisionError("in the third epoch")


def raising_in_a_thread(child, context):
    for metrics in raising(child, context):
        context.report(metrics)


@pytest.mark.parametrize("fit", [raising, raising_in_a_thread])
def test_an_error_in_the_third_epoch_is_a_failure_with_the_users_line(fit, spec):
    *reports, failed = train(context(fit), spec)
    assert [report.epoch for report in reports] == [1, 2]
    assert failed.reason == "ZeroDivisionError: in the third epoch"
    assert 'raise ZeroDivisionError("in the third epoch")' in failed.detail


def silent(child, context):  # noqa: ARG001 - the interface
    yield from ()


BAD = {
    "nothing": (silent, "fit ended without a report, 4 epochs before the end"),
    "nothing, a function": (lambda *_: None, "fit ended without a report"),
    "no mapping": (lambda _, context: context.report(3.0), "by name.*got 3.0"),
    "no numbers": (lambda _, context: context.report({"f1": "x"}), "f1 must be a number"),
    "many numbers": (
        lambda _, context: context.report({"f1": torch.zeros(2)}),
        "f1 must be a number",
    ),
    "not finite": (lambda _, context: context.report({"f1": np.nan}), "diverged: f1 is nan"),
    "batches of data without any": (
        lambda _, context: context.batches("train"),
        "LoopData has no batches: the loop finds what it needs in context.data.content",
    ),
    "no file": (
        lambda _, context: context.report({"f1": 1.0}, checkpoint="gone.pt"),
        "checkpoint of the loop must be there: gone.pt is not",
    ),
}


@pytest.mark.parametrize(("fit", "says"), BAD.values(), ids=BAD)
def test_a_bad_report_is_a_failure_with_a_sentence(fit, says, spec):
    (failed,) = train(context(fit), spec)
    assert isinstance(failed, Failed)
    assert not failed.detail
    assert re.search(says, failed.reason)


def test_a_loop_that_uses_nothing_of_its_checkpoint_is_said_once(spec):
    def forgetful(child, context):
        optimizer = torch.optim.Adam(child.parameters())
        for _ in range(context.last_epoch):
            yield {"val_loss": epoch_of(child, optimizer)}

    list(islice(train(context(forgetful), spec), 2))
    events = list(train(context(forgetful), replace(spec, reported=2)))
    notices = [event for event in events if isinstance(event, Notice)]
    assert len(notices) == 1
    assert "weights of its checkpoint only" in notices[0].text
    assert [event.epoch for event in events if isinstance(event, Report)] == [1, 2, 3, 4]


def test_a_library_that_swallows_the_stop_is_ended_at_its_next_report(spec):
    told = []

    def stubborn(child, context):  # noqa: ARG001 - the interface
        while True:
            try:
                told.append(context.report({"val_loss": 1.0}))
            except Exception:  # noqa: BLE001 - as libraries do
                told.append("swallowed")

    assert len(list(train(context(stubborn), spec))) == 4
    assert told == [True, True, True, False]
    assert not loop_thread.left_behind()


def test_a_process_with_a_loop_that_does_not_end_trains_nothing_else(spec, monkeypatch):
    monkeypatch.setattr(loop_thread, "_PATIENCE", 0.05)
    free = threading.Event()

    def hanging(child, context):  # noqa: ARG001 - the interface
        context.report({"val_loss": 1.0})
        free.wait(600.0)

    list(islice(train(context(hanging), spec), 1))
    try:
        with pytest.raises(UnexplainedFailureError, match="has not ended in this process"):
            list(train(context(yielding), spec))
    finally:
        free.set()
    while loop_thread.left_behind():
        time.sleep(0.01)
    assert isinstance(next(train(context(yielding), spec)), Report)


def test_a_folder_comes_back_as_it_was(tmp_path):
    folder = tmp_path / "saved"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_bytes(b"\x00\x01")
    (folder / "empty").write_bytes(b"")
    back = unpacked(packed(folder), tmp_path / "elsewhere")
    assert back.name == "saved"
    files = {str(f.relative_to(back)): f.read_bytes() for f in back.rglob("*") if f.is_file()}
    assert files == {"deep/a.bin": b"\x00\x01", "empty": b""}


def test_the_folder_of_a_loop_is_deleted_at_the_end(spec):
    folders = []

    def look(child, context):  # noqa: ARG001 - the interface
        folders.append(context.directory)
        (context.directory / "file").write_text("x")
        yield {"val_loss": 1.0}

    list(train(context(look), replace(spec, epochs=1)))
    assert not folders[0].exists()


def test_a_loop_has_its_own_seeds_each_epoch(spec, tmp_path):
    drawn = []

    def draw(child, context):  # noqa: ARG001 - the interface
        for _ in context.epochs():
            drawn.append((torch.rand(1).item(), np.random.rand()))  # noqa: NPY002
            yield {"val_loss": 1.0}

    list(train(context(draw), spec))
    list(train(context(draw), replace(spec, checkpoint=str(tmp_path / "c.pt"))))
    assert drawn[:4] == drawn[4:]
    assert len({*drawn}) == 4
