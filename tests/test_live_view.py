"""What a person sees on a terminal while a search runs, and what is seen elsewhere."""

import logging
import re
import sys

import pytest
from command import called
from insight_history import events, play, report, started
from ray_runs import cli, completed, wait_until
from rich.console import Console
from terminal import Terminal, program

from raynas.cli.consoles import NOTICES
from raynas.cli.main import notices
from raynas.insight.leaderboard import leaderboard, rows
from raynas.insight.text.leaderboard import as_table
from raynas.insight.text.progress import Lines, View, live_view
from raynas.insight.text.summary import print_summary
from raynas.trial import (
    Failed,
    Finished,
    History,
    Objective,
    Opened,
    Report,
    Winner,
    WinnerEpoch,
)

NOTICE = "a notice of the search that is longer than eighty columns and so has to go on below that"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def console(columns=80, lines=24, **settings):
    return Console(file=Terminal(columns, lines), width=columns, height=lines, **settings)


def shown(view, columns=80, lines=24):
    """Return the lines of a view that a terminal shows."""
    terminal = console(columns, lines)
    terminal.print(view.render())
    return [line for line in terminal.file.seen if line]


def test_it_shows_counts_times_best_and_running():
    clock = Clock()
    view = View(console(), 6, clock)
    first, times = shown(view)
    assert first == "starting Ray"
    assert times.endswith(" 0.0 s elapsed")
    play(events(), view)
    clock.now = 17.0
    bar, times, *rest = shown(view)
    assert bar.endswith("  4 of 6 trials"), "an answer is not among them"
    assert times.split(",")[0].endswith(" 17.0 s elapsed")
    assert rest == [
        "2 finished, 1 stopped early, 1 failed, 1 answered from the journal, 1 running",
        "best  val_accuracy 92.00 %  trial 4  epochs 3/3  params 12.3k",
        "      ▁▁▁▁█  90.00 % → 92.00 %",
        "trial 5  epochs 1/3  val_accuracy 70.00 %",
    ]


def test_it_keeps_its_height_while_trials_come_and_go():
    """From the first event to the winner, at 80 columns, with five trials at most at once."""
    view, history, heights = View(console(), 9, Clock()), History(), []
    numbers = range(5)
    happened = [Opened(0.0, slots=3)]
    happened += [started(number) for number in numbers]
    happened += [report(number, 1, 0.5 + number / 10) for number in numbers]
    happened += [report(number, 3, 0.5 + number / 10) for number in numbers]
    happened += [Failed(4, "no memory"), *(Finished(number) for number in range(4))]
    happened += [WinnerEpoch(3, 1, 2), Winner(3, {}, ""), Winner(3, {}, "winner")]
    terminal = console()
    for event in happened:
        play([event], view, history=history)
        lines = len(terminal.render_lines(view.render(), pad=False))
        heights.append(lines)
        assert all(len(line) <= 80 for line in shown(view))
    assert heights[0] == 5 + 3, "a line for each trial that may run"
    assert heights == sorted(heights), "it never shrinks"
    assert {*heights[5:]} == {5 + 5}


class Latin(Terminal):
    encoding = "latin-1"


def test_a_terminal_without_unicode_gets_no_curve():
    plain = Console(file=Latin(80), width=80, height=24)
    view = View(plain, 6, Clock())
    play(events(), view)
    plain.print(view.render())
    assert not {*"".join(plain.file.seen)} & {*"▁█"}


def test_it_shows_how_far_the_winner_is():
    view, history = View(console(), 1, Clock()), History()
    play([started(0), report(0, 3, 0.9), Finished(0)], view, history=history)
    before = shown(view)[2:]
    play([WinnerEpoch(0, 3, 10)], view, history=history)
    assert shown(view)[2:] == [*before, "training the winner: epoch 3 of 10"]
    play([Winner(0, {"test_accuracy": 0.9}, "")], view, history=history)
    assert shown(view)[2:] == [*before, "exporting the winner"]
    play([Winner(0, {"test_accuracy": 0.9}, "winner")], view, history=history)
    assert shown(view)[2:] == before


@pytest.mark.parametrize("columns", [30, 60, 80, 120])
def test_a_line_of_the_view_is_a_line_of_the_terminal(columns):
    view = View(console(columns), 10**6, Clock())
    assert len(shown(view, columns)) == 2
    play([*events(), *(started(number) for number in range(6, 20))], view)
    seen = shown(view, columns)
    assert len(seen) == 14, "bar, times, counts, best, its curve, eight trials, and more"
    low = View(console(columns, 10), 10**6, Clock())
    play([*events(), *(started(number) for number in range(6, 20))], low)
    assert len(shown(low, columns)) <= 10


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_notices_and_failures_stand_whole_above_one_view_and_stay(columns, monkeypatch):
    terminal = Terminal(columns)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", terminal)
    seen_at_import = {"_width": columns, "_height": 24, "is_interactive": True}
    for name, value in seen_at_import.items():
        monkeypatch.setattr(NOTICES, name, value)
    with notices(), live_view(NOTICES, 6) as view:
        wait_until(lambda: "elapsed" in "".join(terminal.seen))
        logging.getLogger("raynas").warning(NOTICE)
        play(events(), view)
        wait_until(lambda: "4 of 6 trials" in "".join(terminal.seen))
        logging.getLogger("raynas").warning("the last one")
        sys.stdout.write("a space prints\n")
        wait_until(lambda: "a space prints" in terminal.seen)
        lines = [line for line in terminal.seen if line]
    above = [*wrapped(NOTICE, columns), "trial 2  failed: the loss is not finite"]
    above += ["the last one", "a space prints"]
    assert lines[: len(above)] == above
    assert len(lines) == len(above) + 6, "one view below them"
    assert [line for line in terminal.seen if line] == above


def wrapped(text, columns):
    """Break at the last space that fits."""
    if len(text) <= columns:
        return [text]
    end = text.rindex(" ", 0, columns + 1)
    return [text[:end], *wrapped(text[end + 1 :], columns)]


def test_a_running_trial_is_the_best_in_the_view_the_lines_and_the_leaderboard():
    view, history = View(console(), 6, Clock()), History()
    lines = console(120)
    play([started(0), report(0, 1, 0.9)], view, history=history)
    assert shown(view)[3] == "best  val_accuracy 90.00 %  trial 0  epochs 1/3  params 12.3k"
    happened = [started(1), report(1, 1, 0.8), Finished(0, stopped=True), report(1, 2, 0.85)]
    happened += [started(2), Failed(2, "no memory")]
    play(happened, view, Lines(lines), history=history)
    assert shown(view)[3] == "best  val_accuracy 85.00 %  trial 1  epochs 2/3  params 12.3k"
    assert lines.file.seen[1] == "trial 2  failed: no memory  best 85.00 % (trial 1)"
    assert leaderboard(history)["trial"].tolist() == [1, 0, 2]
    assert leaderboard(history)["rank"].tolist()[:2] == [1, 2]
    said = console(120)
    print_summary(said, history)
    assert "best so far: trial 1, val_accuracy 85.00 %" in "\n".join(said.file.seen)
    play([Failed(1, "no memory")], view, history=history)
    assert shown(view)[3] == "best  val_accuracy 90.00 %  trial 0  epochs 1/3  params 12.3k"


def test_the_time_that_is_left_does_not_count_the_start():
    clock = Clock()
    view = View(console(), 10, clock)
    play([started(0)], view)
    clock.now = 1000.0  # the workers start
    history = play([started(0), report(0, 1, 0.9)], view)
    clock.now = 1002.0
    play([report(0, 2, 0.9)], view, history=history)
    clock.now = 1004.0
    play([report(0, 3, 0.9), Finished(0)], view, history=history)
    assert shown(view)[1].endswith("16 min 44 s elapsed, about 54.0 s left")


def test_without_colours_there_are_none():
    plain = Console(file=Raw(), force_terminal=True, width=80, no_color=True)
    with live_view(plain, 6) as view:
        play(events(), view)
        wait_until(lambda: "trial 5" in plain.file.text)
    colours = re.findall(r"\x1b\[([\d;]*)m", plain.file.text)
    assert not {part for one in colours for part in one.split(";")} - {"", "0", "1", "2"}


class Raw(Terminal):
    def __init__(self):
        super().__init__(80)
        self.text = ""

    def write(self, text):
        self.text += text
        return len(text)


@pytest.mark.parametrize("columns", [80, 120])
def test_each_trial_of_the_leaderboard_is_one_line(columns):
    objectives = (Objective(), Objective("params", "min"))
    history = History(objectives)
    for number in range(12):
        old = report(number, 3, 0.9)
        slow = Report(number, 3, old.metrics, 5400.0, errors={"val_accuracy": 0.01})
        play([started(number), slow, Finished(number, stopped=bool(number % 2))], history=history)
    board, terminal = rows(history), console(columns, 40)
    terminal.print(as_table(board, columns, ["val_accuracy", "params"]))
    head, *lines = [line for line in terminal.file.seen if line]
    assert [row.split()[0] for row in lines] == [str(number) for number in range(1, 13)]
    assert {"trial", "front", "val_accuracy", "params", "status"} <= set(head.split())
    assert ("FLOPs" in head) == (columns == 120)
    assert all(row.endswith(("finished", "stopped early")) for row in lines)


WATCHED = "from raynas.cli.consoles import watched; print('watched', watched())"


@pytest.mark.parametrize(("term", "there"), [("xterm", "True"), ("dumb", "False")])
def test_a_terminal_that_cannot_repaint_gets_lines(term, there):
    with program("-c", WATCHED, columns=80, TERM=term) as running:
        *_, last = running.watch()
    assert f"watched {there}" in last


def test_a_pipe_gets_lines_even_where_colours_are_forced():
    status, output, _ = completed("-c", WATCHED, FORCE_COLOR="1", TTY_INTERACTIVE="1")
    assert (status, output) == (0, "watched False\n")


SLOW = """
from tqdm import tqdm
from raynas.tasks import Digits


class Slow(Digits):
    def load(self, source, seed):
        for _ in tqdm(range(50), mininterval=0):  # as torchvision shows a download
            pass
        return super().load(source, seed)
"""


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """What was seen of a search, change by change, on a terminal that became narrower; its run."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "slow.py").write_text(SLOW)
    what = ("--space", "mlp", "--task", folder / "slow.py:Slow", "--output", folder / "run")
    size = ("--trials", 5, "--epochs", 2, "--max-concurrent", 1, "--max-failures", 5)
    frames = []
    with program(*cli("search", *what, *size), columns=120, TERM="xterm-256color") as searching:
        for seen in searching.watch():
            frames.append(seen)
            if searching.terminal.columns > 80 and any("1 running" in line for line in seen):
                searching.resize(80)
        assert searching.wait() == 0, seen
    assert searching.terminal.columns == 80
    return frames, folder / "run"


def matching(pattern, lines):
    return next(filter(None, (re.fullmatch(pattern, line) for line in lines)), None)


AHEAD = r"at most 5 trials of 2 epochs \(10 epochs; with asha about \d+\) on 1 worker"
WINNER = r"training the winner, trial (\d+), on training and validation data"


@pytest.mark.slow
def test_from_start_to_winner_there_is_one_view_below_whole_notices(search):
    frames, _ = search
    for frame in frames:
        assert sum("elapsed" in line for line in frame) <= 1, frame
        assert sum("of 5 trials" in line for line in frame) <= 1, frame
    for notice in (AHEAD, WINNER):
        first = next(at for at, frame in enumerate(frames) if matching(notice, frame))
        later = frames[first:]
        assert all(matching(notice, frame) for frame in later), "it stays"
        assert any("of 5 trials" in line for frame in later for line in frame), "so does the view"


@pytest.mark.slow
def test_what_stays_on_the_terminal_is_whole_and_agrees_with_show(search):
    frames, run = search
    last = [line for line in frames[-1] if line]
    assert sum("%|" in line for line in last) == 1, "a loader's bar is one line"
    assert not any("elapsed" in line or "of 5 trials" in line for line in last)
    number = matching(WINNER, last).group(1)
    rows = [line for line in last if re.match(r" *\d+ +\d+ .* %", line)]
    assert len(rows) == 5, last
    assert all(row.endswith(("finished", "early", "winner")) for row in rows), "each is one line"
    assert any(row.split()[1] == number and row.endswith("winner") for row in rows)
    assert f"their curves:  tensorboard --logdir {run}" in "".join(last), "to be copied"
    status, output, _ = called("show", run)
    assert status == 0
    assert f"\nwinner: trial {number}, val_accuracy" in output
