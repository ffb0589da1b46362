"""What a worker does with a trial, in this process: real children, real digits, no Ray."""

from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset, get_worker_info

from raynas.data import Data
from raynas.errors import StorageError
from raynas.execution.retries import place
from raynas.execution.training_context import TrainingContext
from raynas.execution.trial_spec import TrialSpec
from raynas.execution.worker import UnexplainedFailureError, train
from raynas.experiment.resolve.briefs import builder
from raynas.goals import Classification
from raynas.tasks import Source
from raynas.tasks.digits import Digits
from raynas.training.recipe import Recipe
from raynas.trial import Failed, Report
from search_spaces import mlp

NET = {"layers": 1, "layers.0.width": 16, "activation": "ReLU", "norm": "batch", "dropout": 0.1}


def bound(build, **options):
    """Return ``build`` with what it asks for beside the architecture."""
    told = {"input_shape": (1, 8, 8), "classes": 10, "outputs": 10}
    return builder(build, options, told)


@pytest.fixture(scope="module")
def context():
    recipe = Recipe().with_overrides(Digits.recipe)
    return TrainingContext(bound(mlp.build), recipe, Digits().load(Source(), seed=0), "cpu")


@pytest.fixture
def spec(tmp_path):
    checkpoint = tmp_path / "checkpoints" / "trial-0003.pt"
    return TrialSpec(3, NET, epochs=4, seed=11, checkpoint=str(checkpoint))


def metrics(reports):
    return [(report.number, report.epoch, dict(report.metrics)) for report in reports]


def names(folder):
    return sorted(path.name for path in folder.glob("*"))


def test_a_report_after_every_epoch_and_a_checkpoint_before_all_but_the_last(
    context, spec, tmp_path
):
    folder, contents = tmp_path / "checkpoints", []
    for report in train(context, spec):
        assert isinstance(report, Report)
        contents.append((folder / "trial-0003.pt").read_bytes())
        assert names(folder) == ["trial-0003.pt"]
        assert set(report.metrics) >= {"train_loss", "val_loss", "val_accuracy", "params", "flops"}
        assert report.seconds > 0
    assert len(contents) == 4
    assert len(set(contents)) == 3
    assert contents[2] == contents[3]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_killed_after_any_epoch_it_goes_on_bit_for_bit(context, spec, epochs, tmp_path):
    elsewhere = replace(spec, checkpoint=str(tmp_path / "elsewhere" / "trial.pt"))
    whole = metrics(train(context, elsewhere))
    killed = list(islice(train(context, spec), epochs))
    continued = list(train(context, spec))
    assert continued[:epochs] == killed  # told again from the checkpoint, seconds and all
    assert metrics(continued) == whole


def test_killed_twice_it_trains_no_epoch_again(context, spec):
    built, trained = [], []

    def build(*given):
        from torch import nn  # noqa: PLC0415 - as a space does

        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = mlp.build(*given)

            def forward(self, inputs):
                trained.append(self.training)
                return self.net(inputs)

        built.append(given)
        return Counting()

    counting = replace(context, build=bound(build))
    list(train(counting, replace(spec, epochs=1)))  # leaves no checkpoint
    a_whole_epoch, trained[:] = sum(trained), []
    for epochs in (1, 2, 4):
        reports = list(islice(train(counting, spec), epochs))
        assert [report.epoch for report in reports] == list(range(1, epochs + 1))
    assert len(built) == 4
    assert sum(trained) == 4 * a_whole_epoch


WIDER = {**NET, "layers.0.width": 64}


@pytest.mark.parametrize("change", [{"architecture": WIDER}, {"seed": 12}])
def test_the_checkpoint_of_another_trial_of_its_number_is_not_used(context, spec, change):
    """A driver was killed before the start of that trial was safe in the journal."""
    list(islice(train(context, spec), 2))
    other = replace(spec, **change)
    elsewhere = replace(other, checkpoint=f"{spec.checkpoint}.elsewhere")
    assert metrics(train(context, other)) == metrics(train(context, elsewhere))
    list(islice(train(context, spec), 2))
    notice, *_ = train(context, replace(other, reported=2))
    assert notice.text.endswith("trial-0003.pt is that of another trial")


@pytest.fixture
def parent(context, tmp_path):
    """The checkpoint of a trial with two epochs of four behind it."""
    path = tmp_path / "parent" / "trial-0001.pt"
    list(islice(train(context, TrialSpec(1, NET, 4, seed=11, checkpoint=str(path))), 2))
    return path


def test_an_heir_of_the_same_architecture_goes_on_as_its_parent(context, spec, parent):
    heir = replace(spec, parent=str(parent), begin=2)
    told = metrics(train(context, heir))
    whole = metrics(train(context, replace(spec, checkpoint=f"{parent}.whole")))
    assert told == [(n, epoch, {**m, "inherited": 1.0}) for n, epoch, m in whole[2:]]


@pytest.mark.parametrize("epochs", [1, 2])
def test_an_heir_killed_after_any_epoch_goes_on_bit_for_bit(
    context, spec, parent, epochs, tmp_path
):
    heir = replace(spec, architecture=WIDER, parent=str(parent), begin=1, seed=5)
    before = parent.read_bytes()
    elsewhere = replace(heir, checkpoint=str(tmp_path / "elsewhere" / "trial.pt"))
    whole = metrics(train(context, elsewhere))
    assert [epoch for _, epoch, _ in whole] == [2, 3, 4]
    kept = (64 + 2 + 10) * 16 + 10  # one layer, its normalisation, logits
    assert {m["inherited"] for _, _, m in whole} == {kept / ((64 + 2 + 10) * 64 + 10)}
    killed = list(islice(train(context, heir), epochs))
    assert parent.read_bytes() == before
    parent.unlink()  # nobody's business any more
    continued = list(train(context, heir))
    assert continued[:epochs] == killed
    assert metrics(continued) == whole


def test_an_heir_begins_where_its_parent_stands(context, spec, parent):
    def first(**changes):
        given = replace(spec, architecture=WIDER, epochs=3, begin=2, **changes)
        return next(train(context, given)).metrics

    fresh, heir = first(), first(parent=str(parent))
    assert "inherited" not in fresh
    assert heir["lr"] == fresh["lr"]
    assert heir["val_accuracy"] > fresh["val_accuracy"]


def test_what_is_kept_after_the_last_epoch_tells_all_again(context, spec, tmp_path):
    kept = replace(spec, epochs=2, keep=True)
    reports = list(train(context, kept))
    assert names(tmp_path / "checkpoints") == ["trial-0003.pt"]
    assert list(train(context, kept)) == reports
    elsewhere = str(tmp_path / "elsewhere.pt")
    heir = replace(spec, checkpoint=elsewhere, parent=kept.checkpoint, epochs=3, begin=2)
    (report,) = train(context, heir)
    assert (report.epoch, report.metrics["inherited"]) == (3, 1.0)


def spoiled(path):
    return [
        path.parent / "nobody.pt",
        cut(path, "half.pt", path.read_bytes()[:1000]),
        cut(path, "text.pt", b"no checkpoint"),
        cut(path, "empty.pt", b""),
    ]


def cut(path, name, contents):
    path.with_name(name).write_bytes(contents)
    return path.with_name(name)


def test_a_parent_that_cannot_be_read_is_a_failure(context, spec, parent, tmp_path):
    for path in spoiled(parent):
        failed = only_event(context, replace(spec, parent=str(path)), cause="circumstances")
        begins = f"it needs the weights of another trial, but its checkpoint {path} "
        assert failed.reason.startswith(begins)
    assert names(tmp_path / "checkpoints") == []


def test_a_trial_whose_own_checkpoint_is_damaged_or_elsewhere_begins_again_and_says_so(
    context, spec, parent, tmp_path
):
    whole = [
        one.metrics for one in train(context, replace(spec, checkpoint=str(tmp_path / "a.pt")))
    ]
    for path in spoiled(parent):
        given = replace(spec, checkpoint=str(path), reported=2)
        notice, *reports = train(context, given)
        assert notice.text.startswith(f"begins again, because its checkpoint {path} ")
        assert [one.metrics for one in reports] == whole


@pytest.mark.parametrize("begin", [-1, 4, 5])
def test_a_trial_without_an_epoch_left_is_a_failure(context, spec, begin):
    failed = only_event(context, replace(spec, begin=begin))
    assert failed.reason == f"0 <= begin < epochs must hold: got begin={begin}, epochs=4"


def test_the_seed_decides_everything_and_the_number_nothing(context, spec, tmp_path):
    def trained(**changes):
        path = tmp_path / str(sorted(changes.items())) / "trial.pt"
        given = replace(spec, epochs=1, checkpoint=str(path), **changes)
        return [report.metrics for report in train(context, given)]

    assert trained(seed=1) == trained(seed=1, number=9)
    assert trained(seed=1) != trained(seed=2)


def only_event(context, spec, cause="architecture"):
    (event,) = train(context, spec)
    assert isinstance(event, Failed)
    assert event.number == 3
    assert event.cause == cause
    return event


def test_a_network_that_cannot_be_built_is_a_failure_with_its_reason(context, spec):
    def build(_, input_shape, __):
        raise ValueError(f"no room for a pool in {input_shape}")

    failed = only_event(replace(context, build=bound(build)), spec)
    assert failed.reason == "the network cannot be built: no room for a pool in (1, 8, 8)"


def test_what_a_build_never_meant_to_raise_comes_with_its_traceback(context, spec):
    def build(architecture, *_):
        return architecture["depth"]

    failed = only_event(replace(context, build=bound(build)), spec)
    assert failed.reason.startswith("KeyError: ")
    assert "'depth'" in failed.reason
    assert 'return architecture["depth"]' in failed.detail


CHILDREN = {
    "wrong input": (lambda nn: nn.Linear(7, 10), "mat1 and mat2 shapes"),
    "few logits": (
        lambda nn: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
        "one logit per class",
    ),
    "no batch": (lambda nn: nn.Sequential(nn.Flatten(0), nn.Linear(64, 10)), "shapes"),
    "nothing to train": (lambda nn: nn.Flatten(), "must have parameters to train"),
    "forgotten return": (lambda _: None, "must return a torch.nn.Module, it returned None"),
}


@pytest.mark.parametrize(("make", "says"), CHILDREN.values(), ids=CHILDREN)
def test_a_child_that_does_not_fit_is_a_failure(context, spec, make, says):
    def build(*_):
        from torch import nn  # noqa: PLC0415 - as a space does

        return make(nn)

    failed = only_event(replace(context, build=bound(build)), spec)
    assert says in failed.reason


def test_a_checkpoint_that_cannot_be_written_is_no_trials_fault(context, spec, tmp_path):
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be written"):
        list(train(context, spec))


def test_divergence_is_a_failure_and_leaves_no_checkpoint(context, spec, tmp_path):
    recipe = replace(context.recipe, lr=1e9, warmup=0.0, label_smoothing=0.0)
    plain = replace(spec, architecture={**NET, "norm": "none"})
    failed = only_event(replace(context, recipe=recipe), plain)
    assert failed.reason.startswith("training diverged: train_loss is ")
    assert names(tmp_path / "checkpoints") == []


def test_a_failure_has_taken_the_time_since_the_last_report(context, spec, monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("raynas.execution.worker.time", clock)

    def build(*given):
        child = mlp.build(*given)
        steps = []

        def step(*_):
            now[0] += 0.25
            steps.append(None)
            if len(steps) == 35:  # an epoch has 17
                raise RuntimeError("enough")

        next(child.parameters()).register_hook(step)
        return child

    events = []
    for event in train(replace(context, build=bound(build)), spec):
        events.append(event)
        now[0] += 100  # whoever listens takes his time
    assert [type(event) for event in events] == [Report, Report, Failed]
    assert events[-1].seconds == 0.25


def test_out_of_memory_is_a_failure(context, spec):
    def build(_, __, classes):
        from torch import nn  # noqa: PLC0415 - as a space does

        return nn.Sequential(nn.Flatten(), nn.Linear(64, 2**50), nn.Linear(2**50, classes))

    failed = only_event(replace(context, build=bound(build)), spec)
    assert failed.reason.startswith("out of memory: ")
    assert failed.out_of_memory


@pytest.mark.parametrize("where", ["building", "moving", "training"])
def test_out_of_memory_is_told_from_other_failures_wherever_it_happens(context, spec, where):
    def build(*given):
        import torch  # noqa: PLC0415 - as a space does

        def fail(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

        child = mlp.build(*given)
        if where == "building":
            fail()
        elif where == "moving":
            child.to = fail
        else:
            next(child.parameters()).register_hook(fail)
        return child

    failed = only_event(replace(context, build=bound(build)), spec)
    assert failed.reason == "out of memory: CUDA out of memory. Tried to allocate 2.00 GiB."
    assert failed.out_of_memory


def test_trials_share_the_data_and_keep_to_their_threads(context, spec):
    import torch  # noqa: PLC0415

    before = torch.get_num_threads()
    try:
        two = replace(context, threads=2)
        list(train(two, replace(spec, epochs=1)))
        train_inputs = two.examples("train").inputs
        list(train(two, replace(spec, epochs=1, number=4)))
        assert torch.get_num_threads() == 2
        assert two.examples("train").inputs is train_inputs
        assert two.examples("valid").inputs is not train_inputs
    finally:
        torch.set_num_threads(before)


class Loaders(Dataset):
    """Examples that say which process loaded them; 0 is this one."""

    def __len__(self):
        return 8

    def __getitem__(self, number):
        loader = get_worker_info()
        return np.array([loader.id + 1 if loader else 0], np.float32), number % 2


def test_other_processes_load_examples_only_for_a_network_on_a_gpu():
    part = Loaders()
    data = Data(part, part, part, goal=Classification(classes=2))
    context = TrainingContext(bound(mlp.build), Recipe(), data, "cpu", threads=3)
    loaded = [inputs for inputs, _ in context.batches(part).scoring()]
    assert loaded
    assert not torch.cat(loaded).any()
    assert replace(context, device="cuda").batches(part).workers == 2  # one thread is for torch


def test_what_the_architecture_decides_of_the_training_wins(context, spec):
    def rates(**decisions):
        searched = {f"training.{name}": value for name, value in decisions.items()}
        given = replace(spec, architecture={**NET, **searched}, epochs=1)
        return [report.metrics["lr"] for report in train(context, given)]

    assert rates(lr=0.25, schedule="constant") == [0.25]
    assert rates(lr=0.125, schedule="constant") == [0.125]


def test_a_training_decision_that_no_recipe_has_is_a_failure(context, spec):
    searched = {**NET, "training.momentun": 0.5}
    failed = only_event(context, replace(spec, architecture=searched))
    assert "did you mean 'momentum'" in failed.reason


def test_options_of_the_space_reach_its_build(context, spec):
    def build(*_, depth):
        raise ValueError(f"depth is {depth}")

    failed = only_event(replace(context, build=bound(build, depth=5)), spec)
    assert failed.reason.endswith("depth is 5")


@pytest.mark.parametrize("leaves", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_a_network_that_wants_to_end_the_process_is_a_failure(context, spec, leaves):
    def build(*_):
        raise leaves

    failed = only_event(replace(context, build=bound(build)), spec)
    assert failed.reason.startswith(type(leaves).__name__)


def settings():
    return (
        torch.get_default_dtype(),
        torch.empty(0).device,
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        torch.backends.cudnn.benchmark,
    )


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_network_sets_in_torch_ends_with_its_trial(context, spec, fails):
    def build(*given):
        child = mlp.build(*given)
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta" if fails else "cpu")
        torch.set_grad_enabled(not fails)
        torch.use_deterministic_algorithms(mode=True)
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.benchmark = True
        if fails:
            raise RuntimeError("no")
        torch.set_default_dtype(torch.float32)
        return child

    before = settings()
    events = [*train(replace(context, build=bound(build)), spec)]
    assert isinstance(events[-1], Failed) == fails
    assert settings() == before


def test_a_used_worker_is_not_sure_of_an_error_unless_a_new_one_has_had_it(context, spec):
    def build(*_):
        raise RuntimeError("two tensors do not fit")

    broken = replace(context, build=bound(build))
    failed = only_event(broken, spec)  # a new worker is sure
    with pytest.raises(UnexplainedFailureError) as caught:
        list(train(broken, spec, used=True))
    assert replace(caught.value.failed, seconds=0.0) == replace(failed, seconds=0.0)
    assert place(failed) == f"{__file__}:{build.__code__.co_firstlineno + 1}"
    (again,) = train(broken, replace(spec, confirmed=[place(failed)]), used=True)
    assert again.reason == failed.reason


def test_a_used_worker_is_sure_of_what_raynas_itself_says(context, spec):
    def build(*_):
        raise ValueError("no room")

    (failed,) = train(replace(context, build=bound(build)), spec, used=True)
    assert failed.reason == "the network cannot be built: no room"
