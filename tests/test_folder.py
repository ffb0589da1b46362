"""What a run's folder keeps, and which experiments it refuses; nothing trains."""

import json
import os
import sys
from dataclasses import dataclass, replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from in_process import opened

import raynas
from raynas import journal
from raynas.errors import ConfigError, JournalError
from raynas.experiment.experiment import Experiment
from raynas.experiment.resolve.references import find_space
from raynas.experiment.run.folder import checkpoints, keep_winner
from raynas.experiment.run.search import recorded
from raynas.journal import Journal
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Space
from raynas.tasks.digits import Digits
from raynas.trial import Objective, Report, Started
from search_spaces import mlp


@pytest.fixture
def experiment(tmp_path):
    return Experiment(space="mlp", trials=3, epochs=2, output=tmp_path / "run")


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wrote(experiment, *events):
    writer = Journal(experiment.output)
    for event in events:
        writer.append(event)
    writer.close()


def start(number, epochs=2):
    architecture = mlp.SPACE.sample(np.random.default_rng(number))
    return Started(number, architecture, mlp.SPACE.identity(architecture), epochs, seed=number)


def test_a_run_is_begun_once_and_then_found_again(experiment):
    assert not opened(experiment).trials
    wrote(experiment, start(0), Report(0, 1, {"val_accuracy": 0.5}))
    before = files(experiment.output)
    assert opened(experiment).trials[0].epoch == 1
    assert files(experiment.output) == before


def other_space():
    return replace_space(Space({**mlp.SPACE.tree, "bias": Choice([True, False])}))


def replace_space(space):
    @dataclass(frozen=True)
    class Own:
        SPACE: Space
        build = staticmethod(mlp.build)

        def __repr__(self):
            return "mine"

    return Own(space)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"space": "nasbench201"}, "space is 'mlp' there and 'nasbench201' here"),
        ({"task": Digits()}, "task is 'digits' there and"),
        ({"task_options": {"valid": 0.1}}, r"task_options is \{\} there .*; the data or their"),
        ({"seed": 1}, "seed is 0 there and 1 here; the data or their split are different"),
        ({"searcher": "random"}, "searcher is 'auto' there and 'random' here"),
        ({"searcher_options": {"fidelities": [1, 2]}}, "searcher_options is"),
        ({"scheduler": "none"}, "scheduler is 'asha' there and 'none' here"),
        ({"training": {"lr": 0.5}}, r"training is \{\} there and \{'lr': 0.5\} here"),
        ({"epochs": 3}, "epochs is 2 there and 3 here"),
        ({"objective": "val_loss"}, "objective is 'val_accuracy' there and 'val_loss' here"),
    ],
)
def test_the_run_of_another_experiment_is_refused_and_left_alone(experiment, settings, says):
    opened(experiment)
    wrote(experiment, start(0), Report(0, 1, {"val_accuracy": 0.5}))
    kept = checkpoints(experiment.output).of(0)
    kept.parent.mkdir()
    kept.write_bytes(b"half trained")
    with (experiment.output / "journal.jsonl").open("ab") as file:
        file.write(b'{"event":"torn')
    before = files(experiment.output)
    with pytest.raises(JournalError, match=says):
        raynas.run(replace(experiment, **settings))
    assert files(experiment.output) == before


def test_a_space_that_was_edited_meanwhile_is_refused(experiment):
    mine = replace(experiment, space=replace_space(mlp.SPACE))
    opened(mine)
    opened(replace(mine, space=replace_space(mlp.SPACE)))
    with pytest.raises(JournalError, match="the space has other decisions"):
        opened(replace(mine, space=other_space()))


def test_options_in_another_order_are_refused_with_what_may_be_the_cause(experiment):
    spaces = [Space({"op": Choice(options)}) for options in (["a", "b"], ["b", "a"])]
    one, other = (replace(experiment, space=replace_space(space)) for space in spaces)
    opened(one)
    with pytest.raises(JournalError, match=r"in another order .*a list made from a set"):
        opened(other)


def test_a_helper_that_was_changed_is_seen_and_said_once(experiment, tmp_path, caplog):
    (tmp_path / "helper.py").write_text("WIDTH = 3\n")
    (tmp_path / "space.py").write_text(
        "from helper import WIDTH\nfrom search_spaces.mlp import SPACE, build\n"
    )
    mine = replace(experiment, space=str(tmp_path / "space.py"))
    opened(mine)
    opened(mine)
    assert "has changed" not in caplog.text
    (tmp_path / "helper.py").write_text("WIDTH = 4\n")
    opened(mine)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("your code has changed since this run was last started (")
    assert "/helper.py)" in said
    opened(mine)
    assert len(caplog.records) == 1


def test_a_module_that_was_changed_is_seen_and_what_lies_beside_it(
    experiment, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_it.py").write_text("WIDTH = 3\n")
    (tmp_path / "a_space.py").write_text(
        "from beside_it import WIDTH\nfrom search_spaces.mlp import SPACE, build\n"
    )
    mine = replace(experiment, space="a_space:SOLE")
    sole = "class SOLE: SPACE, build = SPACE, staticmethod(build)\n"
    (tmp_path / "a_space.py").write_text((tmp_path / "a_space.py").read_text() + sole)
    opened(mine)
    opened(mine)
    assert "has changed" not in caplog.text
    (tmp_path / "beside_it.py").write_text("WIDTH = 4\n")
    opened(mine)
    assert "/beside_it.py)" in caplog.text


NOTEBOOK = """
import search_spaces.mlp as mlp
from types import SimpleNamespace

SPACE = mlp.SPACE
WIDTH = {width}

def helper(): return {helper}

class Part:
    @property
    def deep(self): return {part}

def build(architecture, input_shape, classes):
    return [helper(), Part().deep, mlp.build(architecture, input_shape, classes)]
"""


@pytest.mark.parametrize("changed", [None, "helper", "part"])
def test_a_cell_of_a_notebook_that_was_changed_is_seen(experiment, monkeypatch, caplog, changed):
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    for values in ({}, {changed: 2}):
        text = NOTEBOOK.format(**{"width": 1, "helper": 1, "part": 1} | values)
        exec(text, vars(main))
        opened(replace(experiment, space=SimpleNamespace(SPACE=mlp.SPACE, build=main.build)))
    assert ("has changed" in caplog.text) == (changed is not None)
    assert ("__main__.helper" in caplog.text) == (changed == "helper")


def test_resume_runs_only_the_module_that_the_run_was_begun_with(
    experiment, tmp_path, monkeypatch
):
    monkeypatch.setattr(sys, "path", [*sys.path])
    text = "from search_spaces.mlp import SPACE, build\nclass MINE: pass\n"
    text += "MINE.SPACE, MINE.build = SPACE, staticmethod(build)\n"
    for name in ("began", "moved", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "one_space.py").write_text(text)
    (tmp_path / "other" / "one_space.py").write_text(f"raise SystemExit\n{text}")
    monkeypatch.chdir(tmp_path / "began")
    opened(replace(experiment, space="one_space:MINE"))
    sys.path.remove(str(tmp_path / "began"))
    recorded(experiment.output, {})
    monkeypatch.chdir(tmp_path / "moved")
    recorded(experiment.output, {})
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(JournalError, match=r"'one_space:MINE' from .*began.*now .*other"):
        recorded(experiment.output, {})


def test_a_module_that_a_library_hides_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "yaml.py").write_text("raise SystemExit")
    with pytest.raises(ConfigError, match=r"'yaml.space' must name one module, and there are"):
        find_space("yaml.space", {})
    libraries = max(at for at, one in enumerate(sys.path) if one.endswith("site-packages"))
    assert sys.path.index(str(tmp_path)) > libraries, "a library comes before what lies here"


def test_a_run_begun_before_there_was_a_setting_goes_on(experiment):
    opened(experiment)
    path = experiment.output / "journal.jsonl"
    path.write_text(path.read_text().replace('"scheduler_options":{},', ""))
    assert "scheduler_options" not in journal.read(experiment.output).run["experiment"]
    assert not opened(experiment).trials


def test_how_much_and_where_may_change_and_is_kept(experiment):
    opened(experiment)
    wrote(experiment, start(0))
    more = {"trials": 9, "max_concurrent": 1, "cpus_per_trial": 0.5, "winner_epochs": 4}
    assert opened(replace(experiment, **more)).trials
    again = recorded(experiment.output, {})
    assert {name: getattr(again, name) for name in more} == more
    assert recorded(experiment.output, {"trials": 12}).trials == 12
    assert journal.read(experiment.output).history.trials


def test_the_best_known_score_may_change_and_the_regret_is_by_the_last_one(experiment):
    opened(replace(experiment, best_known=0.9))
    wrote(experiment, start(0), Report(0, 1, {"val_accuracy": 0.5}, 1.0))
    assert opened(replace(experiment, best_known=0.75)).regret(0.5) == 0.25
    assert journal.read(experiment.output).history.regret(0.5) == 0.25
    assert recorded(experiment.output, {}).best_known == 0.75
    assert opened(recorded(experiment.output, {"best_known": 1.0})).regret(0.5) == 0.5


def test_a_run_may_be_moved(experiment, tmp_path):
    opened(experiment)
    moved = tmp_path / "elsewhere"
    experiment.output.rename(moved)
    assert opened(recorded(moved, {})).objectives == (Objective(),)
    assert recorded(moved, {}).output == moved


def test_a_torn_line_is_cut_off_and_said_so(experiment, caplog):
    opened(experiment)
    wrote(experiment, start(0))
    whole = (experiment.output / "journal.jsonl").read_bytes()
    (experiment.output / "journal.jsonl").write_bytes(whole + b'{"event":"repo')
    assert opened(experiment).trials[0].epoch == 0
    assert "the last line of the journal was torn (14 bytes" in caplog.text
    assert (experiment.output / "journal.jsonl").read_bytes() == whole


@pytest.mark.parametrize("act", [raynas.load, raynas.resume])
def test_a_folder_without_a_run_is_refused(tmp_path, act):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(JournalError, match="holds no run"):
        act(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


class Own:
    """A searcher whose repr is the address it happens to have."""

    def __init__(self, space, depth=1):
        self.space, self.depth = space, depth

    propose = RandomSearch.propose


def test_what_was_given_as_an_object_must_be_given_again(experiment):
    mine = replace(experiment, searcher=Own(mlp.SPACE), space=mlp)
    opened(mine)
    opened(replace(mine, searcher=Own(mlp.SPACE)))
    with pytest.raises(ConfigError, match=r"space as an object \(search_spaces.mlp\)"):
        recorded(experiment.output, {})
    with pytest.raises(ConfigError, match=r"searcher=\.\.\.\)"):
        recorded(experiment.output, {"space": mlp})
    again = recorded(experiment.output, {"space": mlp, "searcher": Own(mlp.SPACE)})
    assert not opened(again).trials


def test_an_object_among_the_options_must_be_given_again(experiment):
    mine = replace(experiment, searcher=Own, searcher_options={"depth": Digits()})
    opened(mine)
    with pytest.raises(ConfigError, match="searcher_options as an object"):
        recorded(experiment.output, {"searcher": Own})
    opened(recorded(experiment.output, {"searcher": Own, "searcher_options": {"depth": Digits()}}))


def test_the_winners_files_are_on_the_disk_before_anything_says_so(tmp_path, monkeypatch):
    """What is flushed is seen: a power cut cannot be tried here."""
    flushed = []

    def fsync(descriptor):
        found = os.fstat(descriptor)
        flushed.append((found.st_ino, found.st_size))

    def now(*paths):
        return [(path.stat().st_ino, path.stat().st_size) for path in paths]

    monkeypatch.setattr("os.fsync", fsync)
    folder = tmp_path / "winner"
    keep_winner(tmp_path, {"weights.safetensors": b"w" * 9}, {"trial": 3})
    assert json.loads((folder / "architecture.json").read_text()) == {"trial": 3}
    *files, _, _ = flushed
    assert sorted(files) == sorted(now(*folder.iterdir()))
    assert flushed[-2:] == now(folder, tmp_path)
    keep_winner(tmp_path, {"network.pt2": b"p" * 99})
    assert flushed[-3:] == now(folder / "network.pt2", folder, tmp_path)
    keep_winner(tmp_path, {"weights.safetensors": b"w"}, {"trial": 4})
    assert {path.name for path in folder.iterdir()} == {"architecture.json", "weights.safetensors"}
