"""What the report says of runs that are young, broken, old, or of a special kind."""

import json
import shutil
from dataclasses import replace

import numpy as np
from report_runs import EPOCHS, made_up, write
from test_report import page_of, refused, words_of

from raynas.experiment.run.drawing import drawing_of
from raynas.experiment.run.report import report
from raynas.insight.report.contenders import differences
from raynas.oneshot.search import FOLDER, SHARED, supernets
from raynas.space import Architecture, Choice, Float, Space
from raynas.trial import Failed, Finished, Opened, Report, Resumed, Started
from search_spaces import mlp


def test_an_empty_run(tmp_path):
    said = words_of(page_of(tmp_path / "run", []))
    assert "Nothing has happened in this run yet." in said
    assert "There is nothing to show yet: no trial has begun." in said
    assert "raynas search --space mlp" in said


def test_a_run_that_is_going_on(tmp_path):
    told = [*made_up(9)]
    last = max(at for at, event in enumerate(told) if isinstance(event, Finished | Failed))
    said = words_of(page_of(tmp_path / "run", told[:last]))
    assert "1 trial had not ended when this was written." in said
    assert "9 of 9" not in said
    assert "running" in said


def test_a_run_of_failures_only(tmp_path):
    decided = mlp.SPACE.architecture({"layers": 1, "layers.0.width": 16} | _REST)
    told = [Opened(0.0)]
    for number in range(3):
        told.append(Started(number, decided, str(number), EPOCHS, 0))
        told.append(Failed(number, "the loss is not finite", "Traceback: here"))
    said = words_of(page_of(tmp_path / "run", told))
    assert "The run has no result, because no trial has a score." in said
    assert "the loss is not finite Traceback: here architecture 3 0, 1, 2" in said
    assert "Best architectures" not in said


def test_a_killed_run_without_costs_and_nothing_of_the_environment(tmp_path, monkeypatch):
    """The last line of the journal is torn, and metrics of costs were not recorded."""
    monkeypatch.setenv("RAYNAS_TEST_TOKEN", "s3cr3t-0f-the-environment")
    told = [
        replace(one, metrics={"val_accuracy": one.metrics["val_accuracy"]}, errors={})
        if isinstance(one, Report)
        else one
        for one in made_up(9)
    ]
    folder = write(tmp_path / "run", told)
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"event":"started","number":9,"archi')
    page = report(folder).read_text()
    said = words_of(page)
    assert "The winner is not trained and tested yet" in said
    assert "parameters" not in said
    assert "± (95 %)" not in said
    assert "s3cr3t-0f-the-environment" not in page
    assert "RAYNAS_TEST_TOKEN" not in page


def test_a_resumed_population_with_several_objectives(tmp_path):
    settings = {"objective": ("val_accuracy", "params"), "scheduler": "pbt"}
    told = [*made_up(30)]
    stopped = next(one for one in told if isinstance(one, Finished) and one.stopped)
    again = [Opened(1.71e9, slots=2, gpus=0.5), Resumed(stopped.number, at=1.71e9)]
    said = words_of(page_of(tmp_path / "run", [*told, *again], settings=settings))
    table = said[said.index("processes that worked on the run") :]
    assert "2023-11-14 22:13 UTC" in table
    assert "2024-03-09 16:00 UTC 0.0 s 2 0.5" in table
    assert "All trials by their objectives" in said
    assert "on the front" in said
    assert "Which trial was derived from which" in said
    assert "--objective val_accuracy --objective params" in said


def test_a_space_that_has_changed_is_drawn_as_its_decisions():
    described = {"experiment": {"space": "mlp"}}
    tree = dict(mlp.SPACE.tree)
    assert not drawing_of(described, Space(tree).decisions).notes
    tree["training"] = {"lr": Float(1e-4, 1e-1, log=True)}  # as --tune does
    assert not drawing_of(described, Space(tree).decisions).notes
    tree["activation"] = Choice(("ReLU", "GELU", "SiLU", "Tanh", "Mish"))
    (note,) = drawing_of(described, Space(tree).decisions).notes
    assert "The space has changed since the run (activation has other values)" in note
    del tree["activation"]
    (note,) = drawing_of(described, Space(tree).decisions).notes
    assert "(activation is new)" in note


def test_code_of_a_space_is_only_run_when_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "my_space.py"
    mine.write_text("raise SystemExit('the report ran my code')")
    described = {
        "experiment": {"space": "my_space.py"},
        "data": {"input_shape": [4], "classes": 3},
    }
    found = drawing_of(described, mlp.SPACE.decisions)
    assert "name your space: --space my_space.py" in found.notes[0]
    decided = mlp.SPACE.sample(np.random.default_rng(0))
    kinds = [layer.kind for layer in found.graph_of(decided).layers]
    assert kinds[1:-1] == [*decided]
    mine.write_text(
        "from search_spaces import mlp; from raynas.space import Space; from search_spaces.mlp "
        "import build; SPACE = Space(mlp.SPACE.tree)"
    )
    named = drawing_of(described, mlp.SPACE.decisions, "my_space.py")
    assert not named.notes
    traced = [layer.kind for layer in named.graph_of(decided).layers]
    assert traced.count("linear") == decided["layers"] + 1, "found in the network"


def test_a_run_with_supernets(tmp_path):
    folder = write(tmp_path / "run", [], settings={"method": "spos"})
    space, metric = supernets(("spos",)), f"{SHARED}val_accuracy"
    decided = Architecture({"method": "spos"})
    told = [
        Started(0, decided, "spos", 2, 0),
        Report(0, 1, {metric: 0.5}),
        Report(0, 2, {metric: 0.6}, 3.0),
        Finished(0),
    ]
    inner = write(folder / FOLDER, told, {"space": None, "objective": metric}, space)
    said = words_of(report(folder).read_text())
    assert "0 method spos finished 60.00 % 2 3.0 s" in said
    assert "These are the supernets of another run" in words_of(report(inner).read_text())
    (inner / "journal.jsonl").write_text("damaged\n")
    assert "The supernets cannot be shown:" in words_of(report(folder).read_text())


def test_a_journal_of_an_older_raynas_without_all_it_writes_now(tmp_path):
    folder = write(tmp_path / "run", made_up(9))
    path = folder / "journal.jsonl"
    first, *rest = path.read_text().splitlines()
    run = json.loads(first)
    kept = {name: run[name] for name in ("event", "format", "objectives")}
    path.write_text("\n".join([json.dumps(kept), *rest, ""]))
    said = words_of(report(folder).read_text())
    assert "The journal does not describe the space" in said
    assert "The journal has no settings, so there is no command." in said


def test_what_is_no_run_or_of_another_version_is_refused(tmp_path, capsys, monkeypatch):
    def report_of(*words):
        return refused("report", *words, capsys=capsys, monkeypatch=monkeypatch)

    (tmp_path / "photos").mkdir()
    status, said = report_of(tmp_path / "photos")
    assert status == 2
    assert "holds no run: there is no journal.jsonl in it" in said
    assert report_of(tmp_path / "nowhere")[0] == 2
    folder = write(tmp_path / "run", made_up(3))
    journal = folder / "journal.jsonl"
    shutil.copytree(folder, tmp_path / "old")
    older = tmp_path / "old" / "journal.jsonl"
    older.write_text(journal.read_text().replace('"format":3', '"format":2', 1))
    status, said = report_of(tmp_path / "old")
    assert status == 2
    assert "use the version that wrote it" in said
    before = journal.read_bytes()
    for file, why in (
        (journal, "must be a file that ends in .html"),
        (tmp_path / "no" / "where.html", "there is no folder"),
        (tmp_path / "photos.html", "cannot be written"),
    ):
        (tmp_path / "photos.html").mkdir(exist_ok=True)
        status, said = report_of(folder, "--output", file)
        assert status == 2
        assert why in said
    assert journal.read_bytes() == before
    status, said = report_of(folder, "--space", "no_such_space")
    assert status == 2
    assert "no space 'no_such_space'" in said


def test_a_large_report_stays_small(tmp_path):
    path = report(write(tmp_path / "run", made_up(1000)))
    assert path.stat().st_size < 5_000_000


_REST = {"activation": "ReLU", "norm": "none", "dropout": 0.0}


def test_layers_that_differ_are_marked():
    def graph(**widths):
        decided = {"layers": len(widths), "activation": "ReLU", "norm": "none", "dropout": 0.0}
        named = {f"layers.{name[1]}.width": width for name, width in widths.items()}
        return mlp.graph(mlp.SPACE.architecture(decided | named))

    first = graph(w0=16, w1=64, w2=128)
    assert differences(first, first) == []
    assert differences(first, graph(w0=16, w1=32, w2=128)) == [2]
    longer = graph(w0=16, w1=64, w2=256, w3=128)
    assert differences(first, longer) == [3], "an added layer does not change those after it"
