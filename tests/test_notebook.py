"""A search in a notebook: in a real kernel, as people see it."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import numpy as np
import pytest
from insight_history import SPACE, events, play, started, winner
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from ray_runs import PATIENCE

from raynas.experiment.resolve.references import find_space
from raynas.experiment.run.result import Result
from raynas.insight.notebook.html import result_html, space_html, trial_html, winner_html
from raynas.space import Choice, Float, Repeat, Space
from raynas.space.codec import to_data
from raynas.trial import Failed, Finished, History, Report, Started, Winner

TESTS = Path(__file__).resolve().parent
TUTORIAL = TESTS.parent / "docs" / "tutorial.ipynb"
SMALLER = {
    '{"cells": 1}': '{"cells": 1, "channels": 4}',
    "trials=20": "trials=2, max_concurrent=1",  # another worker would take seconds to start
    "trials=25": "trials=3",
    "epochs=9": "epochs=2",
}
EVIL = "<script>alert('$x$ & y')</script>"
# The history of the tests, with a cell that shows its progress, and what it consists of.
VALUES = """
import raynas
from insight_history import SPACE, events, play, winner
from raynas.insight.notebook.cell import in_cell
from raynas.insight.plots import curves

with in_cell(6) as cells:
    history = play([*events(), winner()], *cells)
"""


def run(notebook, folder):
    """Execute a notebook in a kernel of the running Python."""
    place = {"metadata": {"path": folder}}
    client = NotebookClient(
        notebook,
        timeout=int(PATIENCE),
        startup_timeout=int(PATIENCE),
        kernel_name="python3",
        resources=place,
    )
    client.km = client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.km.transport = "ipc"  # a port may be taken by another process before the kernel has it
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    env = {**os.environ, "PYTHONPATH": paths}  # noqa: TID251 - what a kernel inherits
    with TemporaryDirectory(prefix="raynas") as sockets:  # their paths must be short
        client.km.ip = f"{sockets}/kernel"
        client.execute(reset_kc=True, env=env)
    return notebook


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What a notebook shows of each value, by its text."""
    ends = ["SPACE", "history.trials[4]", "history.winner", "curves(history)", "history.trials"]
    notebook = new_notebook(cells=[new_code_cell(one) for one in [VALUES, *ends]])
    cells = run(notebook, tmp_path_factory.mktemp("values")).cells
    return dict(zip(["progress", *ends], (cell.outputs for cell in cells), strict=True))


def test_the_cell_shows_the_progress_and_at_last_all_of_it(shown):
    picture, failure = shown["progress"]
    assert "trial 2  failed: the loss is not finite" in failure["text"]
    assert "2 finished, 1 stopped early, 1 failed" in picture["data"]["text/html"]
    assert "val_accuracy 92.00 %" in picture["data"]["text/html"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("SPACE", "op is conv"),
        ("history.trials[4]", "epochs 3/3"),
        ("history.winner", "test_accuracy"),
    ],
)
def test_a_value_is_shown_as_html(shown, value, said):
    (output,) = shown[value]
    assert said in output["data"]["text/html"]
    assert len(output["data"]["text/plain"]) < 400


def test_a_figure_is_shown_without_pyplot(shown):
    (output,) = shown["curves(history)"]
    assert len(output["data"]["image/png"]) > 1000


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, cluster, monkeypatch):
    context = cluster.get_runtime_context()
    monkeypatch.setenv("RAY_ADDRESS", context.gcs_address)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(TUTORIAL, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    for cell in notebook.cells:
        for long, short in SMALLER.items():
            cell.source = cell.source.replace(long, short)
    code = [cell for cell in run(notebook, tmp_path).cells if cell.cell_type == "code"]
    outputs = {cell.source: cell.outputs for cell in code}
    (search,) = (cell for cell in code if "raynas.search(" in cell.source)
    assert "2 of 2 trials" in html_of(search.outputs)
    assert "Winner: trial" in html_of(outputs["result"])
    assert "<svg" in html_of(outputs["result"])
    assert 0 <= float(code[-1].outputs[-1]["data"]["text/plain"]) <= 1


def html_of(outputs):
    """Return the first HTML of a cell; on a slow machine a warning may come before it."""
    return next(one["data"]["text/html"] for one in outputs if "text/html" in one.get("data", ()))


def evil():
    """Return a space, a history and a winner whose words are markup."""
    space = Space({"op": Choice((EVIL, "x")), "rate": Float(1, 2)})
    history = play([started(0), Failed(0, EVIL)])
    return space, history, Winner(0, {EVIL: 1.0}, EVIL, reason=EVIL, missing=EVIL)


def test_all_text_is_escaped():
    space, history, won = evil()
    history.winner = won
    pages = [
        space_html(space),
        winner_html(won),
        trial_html(history.trials[0]),
        result_html(EVIL, history, ""),
    ]
    for page in pages:
        assert "<script" not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("happened", [[], [started(0)], [*events()], [*events(), winner()]])
def test_a_result_says_in_one_line_what_it_is(happened, tmp_path):
    result = Result(tmp_path / "x", play(happened), {}, to_data(SPACE.tree))
    assert "\n" not in repr(result)
    assert len(repr(result)) < 600
    assert str(tmp_path) in result._repr_html_()
    assert bool(happened[1:]) == ("<svg" in result._repr_html_())


def test_a_result_of_an_unknown_space_is_shown_without_a_drawing(tmp_path):
    result = Result(tmp_path, play(events()))
    assert "trial 4" not in result._repr_html_() or "<svg" not in result._repr_html_()
    assert len(result.trials()) == 6
    assert len(result.reports()) == 9


def test_the_winner_is_drawn_as_its_space_draws_it(tmp_path):
    space, rng = find_space("nasbench201", {}).space, np.random.default_rng(0)
    decided, history = space.sample(rng), History()
    history.apply(Started(0, decided, space.identity(decided), 1, 0))
    history.apply(Report(0, 1, {"val_accuracy": 0.5}))
    history.apply(Finished(0))
    tree = to_data(space.tree)
    shipped = Result(tmp_path, history, {"space": "nasbench201"}, tree)._repr_html_()
    other = Result(tmp_path, history, {"space": "my_space.py"}, tree)._repr_html_()
    assert "edge_0_1" in other
    assert "edge_0_1" not in shipped
    assert "<svg" in shipped


def test_short_texts():
    history = play([*events(), winner()])
    trial = history.trials[4]
    assert repr(trial).startswith("<Trial 4 finished, epochs 3/3, val_accuracy 0.92, ")
    assert repr(history.trials[1]).startswith("<Trial 1 stopped early, epochs 1/3")
    assert repr(history.winner) == "<Winner, trial 4, test_accuracy 0.8875, winner>"
    assert repr(SPACE) == "<Space of 8 decisions, infinitely many architectures>"
    vast = Space({"l": Repeat({f"d{i}": Choice(tuple(range(9))) for i in range(900)}, 0, 6)})
    assert repr(vast) == "<Space of 5401 decisions, about 10^5153 architectures>"
    assert repr(Space({"a": Choice((1, 2))})) == "<Space of 1 decision, 2 architectures>"


def test_plots_are_methods_of_a_result(tmp_path):
    result = Result(tmp_path, History(), {}, to_data(SPACE.tree))
    plots = [name for name in dir(result) if name.startswith("plot_")]
    assert len(plots) == 11
    for name in plots:
        assert getattr(result, name)().get_size_inches()[0] > 0
    assert "no trial has a score" in result.verdict().sentence
    assert result.importance() == {}
