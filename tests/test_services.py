"""Experiment trackers get the trials of a run."""

import threading

import pytest
from local_runs import Run, learn, stumble
from ray_runs import PATIENCE

from raynas.errors import ConfigError
from raynas.execution.plan import Plan
from raynas.experiment.experiment import Experiment
from raynas.experiment.run.search import prepared
from raynas.experiment.run.watchers import Watchers
from raynas.insight import services
from raynas.insight.services import service_log
from raynas.insight.services.service_log import ServiceLog
from raynas.schedulers import make
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Float, Space
from raynas.trial import Winner

SPACE = Space({"op": Choice(("conv 3x3", "skip")), "training": {"lr": Float(0.01, 1.0)}})


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """A service may take its time: what a test looks at is what it has got in the end."""
    monkeypatch.setattr(service_log, "_PATIENCE", PATIENCE)


def events(scheduler="none", child=learn, trials=4):
    run = Run(Plan(SPACE, RandomSearch(SPACE), make(scheduler), trials, 9, 0)).opened()
    run.to_end(child=child)
    return [*run.events, Winner(0, {"test_accuracy": 0.5}, ""), Winner(0, {}, "winner")]


def told(log, happened, before=()):
    """Tell a log what happens, as a run does."""
    run = Run(Plan(SPACE, RandomSearch(SPACE), make("none"), 4, 9, 0), list(before))
    for event in happened:
        run.history.apply(event)
        log.write(event, run.history)
    log.close()
    return run.history


class Notes(list):
    log = list.append


def test_each_trial_is_told_once_with_all_its_epochs_and_then_the_winner(tmp_path):
    notes = Notes()
    history = told(ServiceLog("notes", lambda: notes, tmp_path / "mine"), events(child=stumble))
    assert [one.name for one in notes] == [*(f"trial-{n:04d}" for n in range(4)), "winner"]
    assert len({one.search for one in notes}) == 1
    assert notes[0].search.startswith("mine-19700101-")
    for one, trial in zip(notes, history.trials.values(), strict=False):
        assert one.decided == trial.architecture
        assert [*one.steps] == [(report.epoch, report.metrics) for report in trial.reports]
    assert any(one.failed for one in notes)
    assert notes[-1].steps == ((0, {"test_accuracy": 0.5}),)


def test_a_paused_trial_goes_on_where_it_was_and_so_does_a_run(tmp_path):
    whole, parts = Notes(), Notes()
    happened = events("halving", trials=9)
    history = told(ServiceLog("notes", lambda: whole, tmp_path), happened)
    cut = len(happened) * 2 // 3
    told(ServiceLog("notes", lambda: parts, tmp_path), happened[:cut])
    told(ServiceLog("notes", lambda: parts, tmp_path), happened[cut:], before=happened[:cut])
    assert len(whole) > 10
    for notes in (whole, parts):
        for trial in history.trials.values():
            own = [one.steps for one in notes if one.name == f"trial-{trial.number:04d}"]
            assert [epoch for steps in own for epoch, _ in steps] == [*trial.reports.epochs]


def test_a_service_that_fails_gets_no_more_and_the_run_continues(tmp_path, caplog):
    failed = threading.Event()

    class Broken:
        def log(self, entry):  # noqa: ARG002 - by contract
            failed.set()
            raise OSError("no such server")

    log = ServiceLog("broken", Broken, tmp_path)
    watchers = Watchers([log])
    happened, run = events(), Run(Plan(SPACE, RandomSearch(SPACE), make("none"), 4, 9, 0))
    for event in happened:
        run.history.apply(event)
        watchers.write(event, run.history)
        if run.history.finished:
            assert failed.wait(PATIENCE)
            log._thread.join(PATIENCE)
    log.close()
    said = "broken did not take a trial (OSError: no such server): it gets no more"
    assert caplog.text.count(said) == 1


def test_what_is_unknown_or_not_installed_is_refused_before_anything_starts(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="no service 'wandbb': did you mean 'wandb'"):
        prepared(Experiment(output=tmp_path, log=["wandbb"]))
    monkeypatch.setattr(services, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"the package wandb: pip install 'raynas\[wandb\]'"):
        prepared(Experiment(output=tmp_path, log=["wandb"]))
    with pytest.raises(ConfigError, match="log must be a list of names, got 'wandb'"):
        Experiment(log="wandb")
    assert not [*tmp_path.iterdir()]


def stored(content):
    """Yield the records in a file of wandb: a log of LevelDB after seven bytes."""
    at, parts = 7, []
    while at + 7 <= len(content):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        size, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts.append(content[at + 7 : at + 7 + size])
        at += 7 + size
        if kind in {1, 4}:  # whole, or the last part
            yield b"".join(parts)
            parts = []


@pytest.mark.filterwarnings("default")
def test_weights_and_biases_has_a_run_for_each_trial(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    from wandb.proto.wandb_internal_pb2 import Record  # noqa: PLC0415 - optional

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    history = told(ServiceLog("wandb", services.SERVICES["wandb"], tmp_path), events(trials=2))
    seen = {}
    for path in tmp_path.rglob("*.wandb"):
        name = ""
        for data in stored(path.read_bytes()):
            record = Record.FromString(data)
            name = record.run.display_name or name
            if record.HasField("history"):
                row = {one.key or one.nested_key[0]: one.value_json for one in record.history.item}
                seen.setdefault(name, []).append(row)
    for trial in history.trials.values():
        rows = seen[f"trial-{trial.number:04d}"]
        assert [float(row["val_accuracy"]) for row in rows] == [
            report.metrics["val_accuracy"] for report in trial.reports
        ]
    assert float(seen["winner"][0]["test_accuracy"]) == 0.5


@pytest.mark.filterwarnings("default")
def test_mlflow_has_a_run_for_each_trial(tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mlflow import MlflowClient  # noqa: PLC0415 - optional

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    happened = events("halving", trials=3)
    log = ServiceLog("mlflow", services.SERVICES["mlflow"], tmp_path / "mine")
    history = told(log, happened)
    client = MlflowClient()
    (experiment,) = (one for one in client.search_experiments() if one.name.startswith("mine-"))
    runs = {one.info.run_name: one for one in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["trial-0000", "trial-0001", "trial-0002", "winner"]
    for trial in history.trials.values():
        run = runs[f"trial-{trial.number:04d}"]
        assert run.info.status == "FINISHED"
        assert run.data.params == {path: str(value) for path, value in trial.architecture.items()}
        curve = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [(one.step, one.value) for one in curve] == [
            (report.epoch, report.metrics["val_accuracy"]) for report in trial.reports
        ]
    assert runs["winner"].data.metrics == {"test_accuracy": 0.5}
