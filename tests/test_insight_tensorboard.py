import json
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from insight_history import SPACE, events, play, report, started, winner
from ray_nodes import free_port
from ray_runs import PATIENCE
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from raynas.insight.board.tensorboard import TensorBoard
from raynas.trial import Finished, Objective, Screening, WinnerEpoch


def board(folder):
    return TensorBoard(folder, SPACE.decisions, (Objective(),))


def follow(happened, folder, history=None):
    watcher = board(folder)
    history = play(happened, watcher, history=history)
    watcher.close()
    return history


def read(folder):
    accumulator = EventAccumulator(str(folder), {"scalars": 0, "tensors": 0})
    return accumulator.Reload()


def points(folder, tag):
    return [(p.step, round(p.value, 6), p.wall_time) for p in read(folder).Scalars(tag)]


def rows(folder):
    """Return the beginnings of the HParams rows and the ends."""
    contents = read(folder).PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(
        contents[metadata.SESSION_START_INFO_TAG]
    )
    end = contents.get(metadata.SESSION_END_INFO_TAG)
    return start, end and metadata.parse_session_end_info_plugin_data(end)


def test_scalars_stand_under_readable_names_at_their_epoch_and_time(tmp_path):
    follow(events(), tmp_path)
    assert points(tmp_path / "trial-0000", "epoch/val_accuracy") == [
        (1, 0.7, 102),
        (2, 0.8, 104),
        (3, 0.9, 106),
    ]
    assert points(tmp_path / "trial-0000", "network/params") == [(1, 12_345, 102)]
    tags = read(tmp_path / "trial-0001").Tags()["scalars"]
    assert sorted(tags) == [
        "epoch/train_loss",
        "epoch/val_accuracy",
        "epoch/val_loss",
        "network/flops",
        "network/params",
        "other/lr",
        "other/seconds",
    ]


def test_a_trial_can_be_read_while_it_runs(tmp_path):
    watcher = board(tmp_path)
    play(list(events())[:3], watcher)
    assert points(tmp_path / "trial-0000", "epoch/val_accuracy") == [(1, 0.7, 102)]
    start, end = rows(tmp_path / "trial-0000")
    assert start.start_time_secs == 100
    assert end is None
    watcher.close()


def test_an_answered_trial_has_its_decisions_and_its_score(tmp_path):
    history = follow(events(), tmp_path)
    assert points(tmp_path / "trial-0003", "epoch/val_accuracy") == [(3, 0.9, 109)]
    start, end = rows(tmp_path / "trial-0003")
    assert set(start.hparams) == set(history.trials[3].architecture)
    assert end.end_time_secs == 109


def test_files_do_not_stay_open(tmp_path):
    watcher = board(tmp_path)
    play(events(), watcher)
    assert len(watcher._files) == 1  # trial 5 is running
    watcher.close()
    assert not watcher._files


@pytest.mark.parametrize("cut", range(1, 26))
def test_a_resumed_run_writes_each_point_once(tmp_path, cut):
    happened = [*events(), WinnerEpoch(4, 1, 2), replace(winner(), folder=""), winner()]
    history = follow(happened[:cut], tmp_path)
    follow(happened[cut:], tmp_path, history)
    for trial in history.trials.values():
        expected = [report.epoch for report in trial.reports] if trial.trained else [3]
        folder = tmp_path / f"trial-{trial.number:04d}"
        assert [step for step, *_ in points(folder, "epoch/val_accuracy")] == expected
        start, end = rows(folder)
        assert start.group_name == folder.name
        assert (end is None) == (trial.outcome is None)
    assert points(tmp_path / "winner", "winner/test_accuracy") == [(0, 0.8875, 130)]


def test_trials_without_a_folder_are_written_with_the_first_event(tmp_path):
    happened = list(events())
    history = play(happened[:-1])
    follow(happened[-1:], tmp_path, history)
    for trial in history.trials.values():
        folder = tmp_path / f"trial-{trial.number:04d}"
        expected = [report.epoch for report in trial.reports] if trial.trained else [3]
        assert [step for step, *_ in points(folder, "epoch/val_accuracy")] == expected


@pytest.fixture
def server():
    """Give a function that starts TensorBoard on a folder and returns its address."""
    running = []

    def start(folder):
        port = free_port()
        command = ["--logdir", str(folder), "--port", str(port), "--host", "127.0.0.1"]
        program = Path(sys.executable).parent / "tensorboard"
        running.append(
            subprocess.Popen(
                [program, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        )
        return f"http://127.0.0.1:{port}/data/plugin/hparams"

    yield start
    for process in running:
        process.terminate()
        process.wait()


def ask(address, body, ready):
    """POST ``body`` until the answer is ``ready``: the server starts, then reads the files."""
    request = urllib.request.Request(
        address, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    answer = None
    deadline = time.monotonic() + PATIENCE
    while not (answer and ready(answer)):
        assert time.monotonic() < deadline, f"TensorBoard never answered as expected: {answer}"
        time.sleep(0.1)
        with suppress(OSError), urllib.request.urlopen(request) as response:
            answer = json.load(response)
    return answer


@pytest.mark.slow
def test_the_hparams_tab_of_a_real_server_shows_decisions_and_metrics(tmp_path, server):
    history = follow(events(), tmp_path)
    address = server(tmp_path)
    experiment = ask(
        f"{address}/experiment", {"experimentName": ""}, lambda answer: "hparamInfos" in answer
    )
    assert {info["name"] for info in experiment["hparamInfos"]} == set(SPACE.decisions)
    kernel = next(i for i in experiment["hparamInfos"] if i["name"] == "op.conv.kernel")
    assert kernel["domainDiscrete"] == [3, 5, 7]
    asked = {
        "experimentName": "",
        "allowedStatuses": [f"STATUS_{s}" for s in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")],
        "colParams": [{"hparam": path, "includeInResult": True} for path in SPACE.decisions],
        "startIndex": 0,
        "sliceSize": 100,
    }
    answer = ask(
        f"{address}/session_groups", asked, lambda answer: len(answer["sessionGroups"]) == 6
    )
    groups = {group["name"]: group for group in answer["sessionGroups"]}
    for trial in history.trials.values():
        group = groups[f"trial-{trial.number:04d}"]
        shown = {path: value for path, value in group["hparams"].items() if value != ""}
        expected = {path: "None" if v is None else v for path, v in trial.architecture.items()}
        assert shown == expected
        values = {m["name"]["tag"]: m["value"] for m in group["metricValues"]}
        assert set(values) == {"epoch/val_accuracy", "network/params", "network/flops"}
        assert values["epoch/val_accuracy"] == pytest.approx(trial.metrics["val_accuracy"])
    ended = {name: group["sessions"][0]["status"] for name, group in groups.items()}
    assert ended.pop("trial-0002") == "STATUS_FAILURE"
    assert ended.pop("trial-0005") == "STATUS_UNKNOWN"  # TensorBoard's word for: has not ended
    assert set(ended.values()) == {"STATUS_SUCCESS"}


def test_what_proxies_are_worth_is_drawn_over_the_trials_compared(tmp_path):
    def happened():
        for number, accuracy in enumerate((0.1, 0.5, 0.3, 0.2, 0.9, 0.4)):
            how = "off" if number == 5 else "chosen"
            begun = started(number, 1)
            yield replace(begun, screening=Screening(how, {"snip": -accuracy}))
            yield report(number, 1, accuracy, at=number)
            yield Finished(number, at=number)

    follow(happened(), tmp_path)
    assert points(tmp_path / "search", "proxies/rank_correlation") == [(4, -1, 3), (5, -1, 4)]
    follow(events(), tmp_path / "without")
    assert (
        "proxies/rank_correlation" not in read(tmp_path / "without" / "search").Tags()["scalars"]
    )
