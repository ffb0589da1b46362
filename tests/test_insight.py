import io
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from insight_history import SPACE, architecture, events, play, report, started, winner
from rich.console import Console

from raynas.insight.estimates import reason
from raynas.insight.front import front
from raynas.insight.leaderboard import leaderboard, records, rows, top_of
from raynas.insight.screening import screening
from raynas.insight.text.drawing import draw
from raynas.insight.text.leaderboard import as_lines, as_table
from raynas.insight.text.progress import Lines, Pace
from raynas.insight.text.summary import counts, effort, print_summary
from raynas.insight.wording import count, duration, metric
from raynas.searchers.recommendation import Estimate, Recommendation
from raynas.trial import Failed, Finished, History, Objective, Screening


def written(*, terminal=False, width=110):
    return Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)


def test_longest_trained_first_then_loss_then_what_has_no_score_of_its_own():
    history = play(events())
    frame = leaderboard(history)
    assert frame["trial"].tolist() == [4, 0, 1, 5, 3, 2]
    assert frame["rank"].tolist()[:4] == [1, 2, 3, 4]
    assert frame["rank"].isna().tolist() == [False] * 4 + [True] * 2
    assert frame["trial"][0] == history.best.number
    assert frame["status"].tolist() == [
        "finished",
        "finished",
        "stopped early",
        "running",
        "answered by trial 0",
        "failed",
    ]
    assert frame["seconds"].tolist() == [6, 6, 2, 2, 0, 2]
    assert frame["reason"].iloc[-1] == "the loss is not finite"


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_first_row_is_the_best_of_the_history(scores):
    def happened():
        for number, (epochs, accuracy) in enumerate(scores):
            yield started(number)
            yield from (report(number, epoch, accuracy) for epoch in range(1, epochs + 1))
            yield Finished(number, stopped=epochs < 3)

    history = play(happened())
    frame = leaderboard(history)
    assert frame["trial"][0] == history.best.number
    assert frame["rank"].tolist() == list(range(1, len(scores) + 1))


def test_records_are_strict_json_and_lose_nothing():
    history = play(events())
    found = json.loads(json.dumps(records(rows(history)), allow_nan=False))
    best, failed = found[0], found[-1]
    assert best["val_accuracy"] == history.best.metrics["val_accuracy"]
    assert best["params"] == 12_349
    assert SPACE.architecture(best["architecture"]) == history.best.architecture
    assert failed["rank"] is None
    assert failed["val_accuracy"] is None
    assert failed["epochs"] == 1


def test_an_infinite_metric_is_no_number_in_json():
    loss = Objective("val_loss", "min")
    history = History((loss,))
    bad = report(0, 1, 0.5)
    happened = [started(0), report_with(bad, val_loss=float("inf")), Finished(0)]
    found = records(rows(play(happened, history=history)))
    assert found[0]["val_loss"] is None
    json.dumps(found, allow_nan=False)


def report_with(old, **metrics):
    return type(old)(old.number, old.epoch, {**old.metrics, **metrics}, old.seconds, old.at)


def test_an_empty_history_has_an_empty_leaderboard():
    frame = leaderboard(History())
    assert len(frame) == 0
    assert list(frame.columns)[:4] == ["rank", "trial", "status", "winner"]
    assert records(rows(History())) == [*as_lines(rows(History()))] == []


def test_several_objectives_are_columns_once():
    objectives = (Objective(), Objective("params", "min"))
    frame = leaderboard(play(events(), history=History(objectives)))
    assert list(frame.columns).count("params") == 1


@given(st.lists(st.tuples(*[st.sampled_from([0.1, 0.2, 0.3, math.nan])] * 2), max_size=9))
def test_on_the_front_is_whom_nobody_beats(scores):
    """Against the definition, one pair after the other."""
    objectives = (Objective("val_accuracy", "max"), Objective("val_loss", "min"))
    history = History(objectives)
    for number, (accuracy, loss) in enumerate(scores):
        last = report_with(report(number, 3, accuracy), val_loss=loss)
        play([started(number), last, Finished(number)], history=history)
    short = len(scores)  # better than all, after less training
    play([started(short), report_with(report(short, 1, 1), val_loss=0)], history=history)
    play([Finished(short, stopped=True)], history=history)
    finite = {number: pair for number, pair in enumerate(scores) if not math.isnan(sum(pair))}
    unbeaten = [
        number
        for number, (a, b) in finite.items()
        if not any(c >= a and d <= b and (c, d) != (a, b) for c, d in finite.values())
    ]
    assert front(history) == (unbeaten if scores else [short])
    if all(map(math.isfinite, history.best.losses)):
        assert history.best.number in front(history), "the winner is not beaten either"
    frame = leaderboard(history)
    assert sorted(frame["trial"][frame["front"]]) == front(history)
    assert {row["trial"]: row["front"] for row in records(rows(history))} == {
        number: number in front(history) for number in history.trials
    }


def test_the_front_is_said_and_marked():
    history = play(events(), history=History((Objective(), Objective("params", "min"))))
    console = written()
    print_summary(console, history)
    said = console.file.getvalue()
    assert "Pareto front of val_accuracy and params: trials 0, 4\n" in said
    marked = [line.split()[1] for line in said.splitlines() if " yes " in line]
    assert marked == ["4", "0"]
    assert "front" not in leaderboard(play(events())), "with one objective it is the best"


def test_the_table_and_the_lines_say_the_same():
    board = rows(play(events()))
    lines = list(as_lines(board))
    assert " ".join(lines[1].split()) == "1 4 92.00 % 12.3k 3.4M 3 6.0 s finished"
    assert lines[-1].endswith("failed: the loss is not finite")
    assert len({line.index("%") for line in lines if "%" in line}) == 1
    console = written(terminal=True)
    console.print(as_table(board, console.width))
    drawn = [line.split() for line in console.file.getvalue().splitlines()]
    assert drawn == [line.split() for line in lines]


def test_plain_lines_one_for_each_trial_that_ended():
    console = written()
    play(events(), Lines(console))
    assert console.file.getvalue().splitlines() == [
        "trial 0  val_accuracy 90.00 %  epochs 3/3  params 12.3k  6.0 s  best 90.00 % (trial 0)",
        "trial 1  val_accuracy 95.00 %  epochs 1/3  stopped early  params 12.3k  2.0 s"
        "  best 90.00 % (trial 0)",
        "trial 2  failed: the loss is not finite  best 90.00 % (trial 0)",
        "trial 3  val_accuracy 90.00 %  answered by trial 0  best 90.00 % (trial 0)",
        "trial 4  val_accuracy 92.00 %  epochs 3/3  params 12.3k  6.0 s  best 92.00 % (trial 4)",
    ]


def test_a_plain_line_is_never_wrapped_nor_read_as_markup():
    console = written(width=40)
    reason = "[bold]no room[/bold] " + "for this " * 20 + "one"
    play([started(0), Failed(0, reason)], Lines(console))
    assert console.file.getvalue() == f"trial 0  failed: {reason}\n"


def test_a_resumed_run_knows_its_best_from_before():
    happened = list(events())
    history = play(happened[:6])
    console = written()
    play(happened[6:8], Lines(console), history=history)
    assert console.file.getvalue().endswith("best 90.00 % (trial 0)\n")


@given(
    workers=st.integers(1, 8),
    before=st.integers(0, 20),
    rounds=st.integers(1, 5),
    epochs=st.integers(1, 9),
)
def test_the_estimate_is_exact_where_all_trials_take_the_same(workers, before, rounds, epochs):
    """Workers that each train one trial at a time, ten seconds per epoch, all in step."""
    total = before + workers * (rounds + 3)
    pace = Pace(total)
    pace.note(0.0, before)
    assert pace.left(5.0) is None
    for epoch in range(1, rounds * epochs + 1):
        pace.note(10.0 * epoch, before + workers * epoch / epochs)
    assert pace.left(10.0 * rounds * epochs) == pytest.approx(10.0 * epochs * 3)
    assert pace.left(10.0 * rounds * epochs + 4) == pytest.approx(10.0 * epochs * 3 - 4)
    assert pace.left(1e9) == 0


def test_the_summary_counts_saves_ranks_and_draws():
    history = play([*events(), winner()])
    console = written()
    print_summary(console, history, draw=lambda _: "a drawing\nof two lines", top=3)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == (
        "6 trials: 2 finished, 1 stopped early, 1 failed, 1 answered from the journal, 1 not ended"
    )
    assert lines[1] == (
        "training took 18.0 s for 9 epochs; stopping early saved 2 epochs, about 4.0 s"
    )
    assert lines[2] == ("2.0 s wasted on failed trials; answers from the journal saved 6.0 s")
    table = lines[4:8]
    assert [row.split()[1] for row in table] == ["trial", "4", "0", "1"]
    assert lines[9] == (
        "winner: trial 4, val_accuracy 92.00 %, val_loss 0.08, 12.3k parameters, 3.4M FLOPs"
    )
    assert lines[10:] == [
        "  a drawing",
        "  of two lines",
        "test_accuracy 88.75 %",
    ]


def test_the_winner_is_marked_and_why_it_is_not_the_first_row():
    """Trial 0 was trained once more and is recommended, though trial 4 scored better."""
    again = replace(started(0), number=6, repeat=True)
    told = [
        again,
        *(replace(report(6, epoch, 0.9), errors={"val_accuracy": 0.01}) for epoch in (1, 2, 3)),
    ]
    history = play([*events(), *told, Finished(6)])
    estimates = {4: Estimate(-0.905, 0.01), 0: Estimate(-0.91, 0.005)}
    line = reason(history, Recommendation(history.trials[0], estimates))
    assert line == (
        "trial 4 has the better score, 92.00 %, but on new data trial 0 is expected to reach "
        "91.00 % ± 0.98 % (2 trainings, mean 90.00 %), and trial 4 is expected to reach "
        "90.50 % ± 1.96 % (1 training, mean 92.00 %)"
    )
    assert not reason(history, Recommendation(history.trials[4], estimates))
    short = reason(history, Recommendation(history.trials[0]))
    assert short == (
        "trial 4 has the better score, 92.00 %, but more is expected of trial 0 on new data"
    )
    history.apply(replace(winner(), number=0, reason=line))
    frame = leaderboard(history)
    assert frame[frame["winner"]]["trial"].tolist() == [0]
    assert frame[frame["trial"] == 0][["trainings", "mean"]].values.tolist() == [[2, 0.9]]
    assert [one["winner"] for one in records(top_of(rows(history), 1))] == [False, True]
    console = written()
    print_summary(console, history, draw=lambda _: "a drawing", top=1)
    text = console.file.getvalue().splitlines()
    assert [row.rpartition("  ")[2] for row in text[4:7]] == [
        "status",
        "finished",
        "finished, winner",
    ]
    assert text[9] == f"why this trial: {line}"


def test_a_summary_without_any_score():
    history = play([started(0), Failed(0, "no memory")])
    console = written()
    print_summary(console, history)
    assert console.file.getvalue().splitlines() == [
        "1 trial: 0 finished, 1 failed",
        "training took 0.0 s for 0 epochs",
        "no trial has a score; trial 0 failed: no memory",
    ]
    assert counts(History()) == "0 trials: 0 finished"
    assert effort(History()) == "training took 0.0 s for 0 epochs"


def test_a_drawing_shows_every_decision_once():
    for number in range(20):
        decided = architecture(number)
        words = draw(decided).replace(",", "").split()
        for path, value in decided.items():
            shown = f"{value:.4g}" if isinstance(value, float) else str(value)
            assert shown in words, path


def test_a_drawing_is_a_tree():
    decided = SPACE.architecture(
        {
            "op": "conv",
            "op.conv.kernel": 5,
            "layers": 2,
            "layers.0.width": 16,
            "layers.1.width": 32,
            "bias": True,
            "act": None,
            "training.lr": 0.0123456,
        }
    )
    assert draw(decided).splitlines() == [
        "op conv",
        "  conv  kernel 5",
        "layers 2",
        "  0  width 16",
        "  1  width 32",
        "bias True, act None",
        "training  lr 0.01235",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (999.6, "1k"),
        (12_345, "12.3k"),
        (999_949, "1M"),
        (3_349_342, "3.35M"),
    ],
)
def test_counts(number, text):
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (93_784, "26 h 03 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_metrics():
    assert metric("val_accuracy", 0.97222) == "97.22 %"
    assert metric("val_loss", 0.123456) == "0.1235"
    assert metric("params", 1_234_567) == "1.23M"


def test_insight_needs_neither_ray_nor_torch():
    code = (
        "import sys\n"
        "from raynas.insight import leaderboard\n"
        "from raynas.insight.board import tensorboard\n"
        "from raynas.insight.text import drawing, progress, summary\n"
        "from insight_history import events, play\n"
        "leaderboard.leaderboard(play(events()))\n"
        "sys.exit(str({'ray', 'torch'} & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, check=False
    )
    assert done.stderr.decode().strip() == ""


def screened(said, *, off_from=99):
    """A run of as many trials as accuracies, proxies agreeing with all of them."""
    for number, accuracy in enumerate(said):
        how = "off" if number >= off_from else "blind" if number % 5 == 4 else "chosen"
        scores = {"synflow": accuracy, "naswot": 2 * accuracy}
        asked = Screening("off") if how == "off" else Screening(how, scores, dropped=3)
        yield replace(started(number, 1), screening=asked)
        yield report(number, 1, accuracy)
        yield Finished(number)


def test_what_proxies_were_worth_is_said_in_one_line():
    said = screening(play(screened([0.1, 0.5, 0.3, 0.2, 0.9, 0.4])))
    assert said == (
        "synflow, naswot: rank correlation with val_accuracy 1.00 over 6 trials; "
        "18 proposals dropped"
    )
    off = screening(play(screened([0.1, 0.5, 0.3, 0.2, 0.9, 0.4], off_from=4)))
    assert "over 4 trials; 12 proposals dropped; switched off from trial 4 on" in off
    assert "too few trials to compare them with; 3 proposals" in screening(play(screened([0.1])))


def test_the_summary_has_a_line_on_proxies_where_they_were_asked():
    for happened, there in ((screened([0.1, 0.5, 0.3, 0.2, 0.9]), True), (events(), False)):
        console = written()
        print_summary(console, play(happened))
        assert ("rank correlation with val_accuracy" in console.file.getvalue()) == there
    assert screening(History()) == ""
