"""What `raynas show` says of a run, of one trial and of two, and what it refuses."""

import csv
import io
import json
from dataclasses import replace

import pytest
from insight_history import architecture, events, play, report, started, winner
from ray_runs import cli, completed
from recorded_runs import written

from raynas.experiment.run.text_drawing import text_drawing
from raynas.insight.text.difference import difference_lines
from raynas.insight.text.graph import draw_graph
from raynas.insight.text.sparkline import sparkline
from raynas.insight.text.trial import end_of, trial_lines
from raynas.insight.wording import harmless, on_one_line
from raynas.space.graph import Layer, between_ends, chain
from raynas.trial import Failed, Finished, Objective, Opened, Retried

SEVERAL = (Objective(), Objective("params", "min"))
ESCAPE = "\x1b[2J\x1b]0;mine\x07"


@pytest.fixture
def run(tmp_path):
    return written(tmp_path / "run", [*events(), winner()], SEVERAL, space="mine.py")


def test_a_trial_says_how_it_ended_and_what_it_is(run, raynas):
    status, said, errors = raynas("show", run, "--trial", 4)
    assert (status, errors) == (0, "")
    assert said.startswith("trial 4, rank 1 of 6, the winner\n")
    for part in (
        "ended      finished after epoch 3 of 3",
        "6.0 s for 3 epochs, begun 1970-01-01 00:01:49 UTC",
        f"{architecture(4)['layers']}",
        "name yours with --space my_space.py",
        "val_accuracy  92.00 %",
        "▁▅█",
    ):
        assert part in said
    record = json.loads(raynas("show", run, "--trial", 4, "--json")[1])
    assert record["architecture"] == dict(architecture(4))
    assert [one["epoch"] for one in record["reports"]] == [1, 2, 3]
    assert record["outcome"]["event"] == "finished"


def ended(*happened):
    return end_of(play([started(0), *happened]).trials[0])


def test_each_end_is_told_apart():
    one = report(0, 1, 0.5)
    assert ended() == "running, before its first epoch"
    assert ended(one) == "running, after epoch 1 of 3"
    assert ended(one, Finished(0, stopped=True)) == "stopped by the scheduler after epoch 1 of 3"
    limit = Finished(0, stopped=True, limit="time")
    assert ended(one, limit) == "stopped after epoch 1 of 3 by a limit of the run: time"
    blamed = {"architecture": "same network", "circumstances": "lost worker", "part": "a proxy"}
    for cause, words in blamed.items():
        said = ended(one, Failed(0, "no luck", cause=cause))
        assert said.startswith("failed after epoch 1 of 3: no luck; ")
        assert words in said


def test_what_it_came_from_and_what_it_lost_is_said():
    happened = [*events(), replace(started(6), parent=4, inherits=True, begin=1, replaces=1)]
    happened += [Retried(6, "the worker died", "worker", seconds=3.0), report(6, 2, 0.8)]
    said = "\n".join(trial_lines(play(happened), 6, lambda _: "drawn"))
    changed = [
        path for path in architecture(6) if architecture(6)[path] != architecture(4).get(path)
    ]
    assert f"parent     trial 4; other: {changed[0]}" in said
    assert "inherited  the weights of trial 4, which count as 1 epoch" in said
    assert "replaced   trial 1" in said
    assert "retried    with a new worker, 3.0 s lost: the worker died" in said
    assert "network\n  drawn" in said


def test_the_same_network_is_named():
    again = replace(started(6), architecture=architecture(0), identity=started(0).identity)
    said = "\n".join(trial_lines(play([*events(), again]), 6, lambda _: ""))
    assert f"{started(0).identity}, also of trial 0" in said


def test_two_trials_differ_in_what_is_shown_and_in_nothing_else(run, raynas):
    status, said, errors = raynas("show", run, "--diff", 0, 4)
    assert (status, errors) == (0, "")
    first, second = architecture(0), architecture(4)
    paths = {*first, *second}
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    for path in paths:
        same = path in first and path in second and first[path] == second[path]
        assert (path in rows) != same, path
    assert rows["val_accuracy"] == ["90.00", "%", "92.00", "%"]
    data = json.loads(raynas("show", run, "--diff", 0, 4, "--json")[1])
    assert data["metrics"]["val_accuracy"] == pytest.approx([0.9, 0.92])
    assert data["trials"] == [0, 4]


def test_trials_of_other_lengths_are_compared_at_the_epoch_both_have():
    lines = [*difference_lines(play(events()), 1, 4)]
    at = lines.index("after epoch 1")
    assert lines[at + 1 :][0].split() == ["val_accuracy", "95.00", "%", "72.00", "%"]


def test_the_front_is_the_front(run, raynas):
    status, said, errors = raynas("show", run, "--pareto")
    assert (status, errors) == (0, "")
    assert said.startswith("Pareto front of val_accuracy and params: trials 0, 4, of 6 trials\n")
    data = json.loads(raynas("show", run, "--pareto", "--json")[1])
    assert [row["trial"] for row in data] == [4, 0], "the best by the first objective first"


def test_csv_has_a_row_for_each_trial_and_a_column_for_each_decision(run, raynas):
    status, said, errors = raynas("show", run, "--csv")
    assert (status, errors) == (0, "")
    rows = [*csv.DictReader(io.StringIO(said))]
    assert [row["trial"] for row in rows] == ["4", "0", "1", "5", "3", "2"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "", ""]
    assert float(rows[0]["val_accuracy"]) == pytest.approx(0.92)
    for row in rows:
        decided = architecture(int(row["trial"]))
        assert all(row[path] == str(value) for path, value in decided.items() if value is not None)
    assert len([*csv.DictReader(io.StringIO(raynas("show", run, "--csv", "--top", 2)[1]))]) == 2


REFUSED = {
    "two views": (("--trial", 1, "--ledger"), "show takes one of .* got --trial and --ledger"),
    "two formats": (("--json", "--csv"), "give --json or --csv, not both"),
    "a trial as CSV": (("--trial", 1, "--csv"), "with --trial, give --json"),
    "the top of a trial": (("--diff", 1, 2, "--top", 3), "--diff has no such rows"),
    "a space for nothing": (("--space", "mlp"), "give it with --trial"),
    "a trial that is not there": (("--trial", 6), "got 6: it has the trials 0 to 5"),
    "a negative trial": (("--trial", -1), "got -1: it has the trials 0 to 5"),
    "a trial and itself": (("--diff", 2, 2), "two different trials, got 2 twice"),
    "no such space": (("--trial", 1, "--space", "none.py"), "none.py"),
}


@pytest.mark.parametrize(("arguments", "says"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_together_is_one_sentence_and_status_2(run, raynas, arguments, says):
    status, output, errors = raynas("show", run, *arguments)
    assert (status, output) == (2, "")
    assert errors.count("\n") == 1
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(errors)


def test_one_objective_has_no_front(tmp_path, raynas):
    run = written(tmp_path / "run", events())
    status, _, errors = raynas("show", run, "--pareto")
    assert status == 2
    assert "needs a run with several objectives, this run has the objective val_accuracy" in errors


def test_runs_without_scores_are_shown(tmp_path, raynas):
    empty = written(tmp_path / "empty", [Opened(0.0)], SEVERAL)
    assert raynas("show", empty) == (
        0,
        "0 trials: 0 finished\ntraining took 0.0 s for 0 epochs\nno trial has a score\n",
        "",
    )
    assert raynas("show", empty, "--json") == (0, "[]\n", "")
    assert raynas("show", empty, "--csv")[1].startswith("rank,trial,status,winner,front,")
    assert "trials none, of 0 trials" in raynas("show", empty, "--pareto")[1]
    assert "it has none" in raynas("show", empty, "--trial", 0)[2]
    failed = written(tmp_path / "failed", [started(0), Failed(0, "no", "Traceback\n  here")])
    assert "no trial has a score; trial 0 failed: no" in raynas("show", failed)[1]
    said = raynas("show", failed, "--trial", 0)[1]
    assert "ended      failed after epoch 0 of 3: no" in said
    assert "traceback\n  Traceback\n    here" in said


def test_no_control_character_reaches_the_output(tmp_path, raynas):
    name = f"val{ESCAPE}"
    bad = replace(report(0, 1, 0.5), metrics={name: 0.5, "\u202eval": 1.0})
    happened = [started(0), bad, Finished(0), started(1), Failed(1, f"{ESCAPE}\nno\ud800")]
    run = written(tmp_path / "run", happened, (Objective(name), Objective("\u202eval")))
    for view in ((), ("--trial", 0), ("--trial", 1), ("--diff", 0, 1), ("--pareto",), ("--csv",)):
        status, said, errors = raynas("show", run, *view)
        assert (status, errors) == (0, "")
        assert not {*said} & {"\x1b", "\x07", "\u202e", "\ud800"}
        assert r"\x1b[2J" in said or r"\u202e" in said


def test_a_stream_without_unicode_gets_question_marks(run):
    status, said, errors = completed(*cli("show", run, "--trial", 4), PYTHONIOENCODING="ascii")
    assert (status, errors) == (0, "")
    assert "val_accuracy  92.00 %               ???" in said


def test_what_is_harmless_stays():
    text = "a\tb\nc → d ± e 漢字"
    assert harmless(text) == text
    assert on_one_line("a\n  b\tc\r\x1b") == r"a b c \x1b"


def test_an_old_and_a_foreign_journal_are_refused(tmp_path, raynas):
    for name, text, says in (
        ("old", '{"event":"run","format":2,"objectives":[]}\n', "use the version that wrote it"),
        ("foreign", '{"a": 1}\n', "must describe a run"),
        ("odd", '{"event":"run","format":3,"objectives":[1]}\n', "describes no objectives"),
        ("bytes", "\udcff\udcfe\n", "is not valid JSON"),
    ):
        (tmp_path / name).mkdir()
        raw = text.encode("utf-8", "surrogateescape")
        (tmp_path / name / "journal.jsonl").write_bytes(raw)
        status, output, errors = raynas("show", tmp_path / name)
        assert (status, output) == (2, "")
        assert says in errors


def test_a_graph_is_drawn_by_its_chains():
    assert draw_graph(chain([Layer("conv", 1, 3.0), Layer("relu", 1)])) == (
        "input → conv 3 → relu → output"
    )
    layers = [Layer("conv", 1, "3x3"), Layer("relu", 1), Layer("sum", 1)]
    branched = between_ends(layers, [(0, 1), (1, 2), (0, 3), (2, 3)])
    assert draw_graph(branched).splitlines() == [
        "0  input",
        "1  conv 3x3 → relu  reads 0",
        "2  sum → output     reads 0, 1",
    ]
    long = draw_graph(chain([Layer("conv", 1, "of many words")] * 30))
    assert all(len(line) <= 78 for line in long.splitlines())
    assert long.replace("\n", " ").count("conv of many words") == 30


def test_a_drawing_runs_no_code_that_was_not_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("raise SystemExit('it ran')")
    said = text_drawing({"space": "mine.py"}, architecture(0))
    assert said.startswith("not drawn: ")
    assert text_drawing({"space": None}, architecture(0)) == said
    changed = text_drawing({"space": "mlp"}, architecture(0))
    assert changed.startswith("not drawn: the space has changed since the run: ")


def test_a_curve_is_as_wide_as_asked_and_ends_where_it_ends():
    assert sparkline([0, 1, 2, 3], 9) == "▁▃▆█"
    assert sparkline([5, 5], 9) == "▁▁"
    assert sparkline([1, float("nan"), float("inf"), 2], 9) == "▁  █"
    assert sparkline([], 9) == ""
    long = sparkline(range(1000), 10)
    assert (len(long), long[0], long[-1]) == (10, "▁", "█")
    assert sparkline([3, 1], 1) == "▁"
