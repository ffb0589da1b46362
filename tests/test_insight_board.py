import copy
import io

import pytest
from insight_history import SPACE, events, play, report, started
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalar

from raynas.insight import plots
from raynas.insight.board.album import Album
from raynas.insight.board.shown import in_sample
from raynas.insight.board.tensorboard import TensorBoard
from raynas.insight.comparison import BUDGETS
from raynas.insight.graphs import chains_of
from raynas.insight.text.progress import Lines, View
from raynas.space import Choice, Space
from raynas.trial import Failed, Finished, History, Objective, Report, Started

BEST = "all trials/best val_accuracy, by"


def follow(happened, folder, history=None):
    board = TensorBoard(folder, SPACE.decisions, (Objective(),))
    history = play(happened, board, history=history)
    board.close()
    return history


def read(folder):
    return EventAccumulator(str(folder), {"scalars": 0, "tensors": 0, "images": 0}).Reload()


def points(folder, tag):
    return [(point.step, round(point.value, 6)) for point in read(folder).Scalars(tag)]


def text(folder):
    return read(folder).Tensors("leaderboard")[-1].tensor_proto.string_val[0].decode()


def test_the_best_score_is_drawn_over_trials_epochs_and_seconds(tmp_path):
    follow(events(), tmp_path)
    search = tmp_path / "search"
    # Trial 1 was stopped after an epoch: it does not beat longer ones. Trial 2 failed.
    assert points(search, f"{BEST} trials") == [(1, 0.9), (2, 0.9), (3, 0.9), (4, 0.92)]
    assert points(search, f"{BEST} epochs") == [(3, 0.9), (4, 0.9), (5, 0.9), (8, 0.92)]
    assert points(search, f"{BEST} seconds") == [(6, 0.9), (7, 0.9), (9, 0.9), (15, 0.92)]


def test_where_the_best_score_is_known_the_regret_is_drawn_and_told(tmp_path):
    history = follow(events(), tmp_path, History(best_known=0.95))
    search = tmp_path / "search"
    regret = "all trials/regret, by"
    assert points(search, f"{regret} trials") == [(1, 0.05), (2, 0.05), (3, 0.05), (4, 0.03)]
    assert points(search, f"{regret} epochs") == [(3, 0.05), (4, 0.05), (5, 0.05), (8, 0.03)]
    assert points(search, f"{regret} seconds") == [(6, 0.05), (7, 0.05), (9, 0.05), (15, 0.03)]
    layout = read(search).Tensors(custom_scalar.CONFIG_SUMMARY_TAG)[0].tensor_proto.string_val[0]
    charts = layout_pb2.Layout.FromString(layout).category[0].chart
    assert {f"regret by {one}" for one in BUDGETS} < {chart.title for chart in charts}
    y = plots.regret_so_far(history, "trials").axes[0].lines[0].get_ydata()
    assert [*y] == pytest.approx([0.05, 0.03, 0.03])
    assert History((Objective("val_loss", "min"),), best_known=0.1).regret(0.5) == 0.4
    assert History().regret(0.5) is None


def test_where_the_best_score_is_known_lines_and_the_live_view_have_the_regret():
    history = play(events(), history=History(best_known=0.95))
    console = Console(width=100, record=True, file=io.StringIO())
    for watcher in (Lines(console), View(console, 6, lambda: 0.0)):
        watcher.write(history.trials[4].outcome, history)
    console.print(watcher.render())
    told = console.export_text()
    assert "best 92.00 %, regret 3.00 % (trial 4)" in told
    assert "val_accuracy 92.00 %, regret 3.00 %  trial 4" in told


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_resumed_run_tells_the_same_story(tmp_path, cut):
    happened = [*events()]
    follow(happened, tmp_path / "whole")
    history = follow(happened[:cut], tmp_path / "cut")
    follow(happened[cut:], tmp_path / "cut", history)
    found = [read(tmp_path / name / "search") for name in ("whole", "cut")]
    tags = found[0].Tags()["scalars"]
    assert tags == found[1].Tags()["scalars"]
    for tag in tags:
        one, other = ([(p.step, p.value) for p in each.Scalars(tag)] for each in found)
        assert one == other


def test_a_run_that_continues_in_another_folder_is_told_from_its_beginning(tmp_path):
    happened = [*events()]
    follow(happened[15:], tmp_path, play(happened[:15]))
    assert [step for step, _ in points(tmp_path / "search", f"{BEST} trials")] == [1, 2, 3, 4]


def test_the_leaderboard_is_a_text_with_the_decisions(tmp_path):
    history = follow(events(), tmp_path)
    lines = text(tmp_path / "search").splitlines()
    assert lines[0].startswith("| \\# | trial | val\\_accuracy | params | flops |")
    assert lines[2].startswith("| 1 | 4 | 92.00 % |")
    said = next(line for line in lines if line.startswith("- trial 4: "))
    assert all(
        str(value).replace("_", "\\_") in said for value in history.trials[4].architecture.values()
    )


def test_custom_scalars_have_a_layout(tmp_path):
    follow(events(), tmp_path)
    stored = read(tmp_path / "search").Tensors(custom_scalar.CONFIG_SUMMARY_TAG)
    layout = layout_pb2.Layout.FromString(stored[0].tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == ["Search", "Trials"]


def test_few_trials_have_a_run_of_their_own_however_long_the_search_is():
    numbers = [number for number in range(100_000) if in_sample(number)]
    assert numbers[:128] == [*range(128)]
    assert len(numbers) < 450, "TensorBoard selects nothing if there are more than 500"
    assert numbers[-1] > 95_000


def searching(trials):
    for number in range(trials):
        yield started(number, 2)
        accuracy = 0.99 if number == 201 else 0.5 + 0.001 * (number % 7)
        yield report(number, 1, accuracy / 2, at=number)
        yield report(number, 2, accuracy, at=number + 0.5)
        yield Finished(number, at=number + 0.5)


def test_a_good_trial_that_is_not_in_the_sample_is_shown_when_it_ends(tmp_path):
    follow(searching(260), tmp_path)
    shown = {int(path.name[6:]) for path in tmp_path.glob("trial-*")}
    assert 201 in shown
    assert not in_sample(201)
    assert points(tmp_path / "trial-0201", "epoch/val_accuracy") == [(1, 0.495), (2, 0.99)]
    assert shown - {number for number in range(260) if in_sample(number)} <= {
        201,
        *range(128, 160),
    }
    assert len(read(tmp_path / "search").Scalars(f"{BEST} trials")) == 260


NASTY = "a\ud800\x07\n<script>alert(1)</script>|[x](y)"


def test_names_of_users_do_no_harm(tmp_path):
    space = Space({"op<b>|\x07": Choice((NASTY, "plain"))})
    objective = Objective(f"val_{NASTY}")
    board = TensorBoard(tmp_path, space.decisions, (objective,))
    architecture = space.architecture({"op<b>|\x07": NASTY})
    history = History((objective,))
    play(
        [
            Started(0, architecture, "x", 1, seed=0),
            Report(0, 1, {objective.metric: 0.5}, at=1.0),
            Finished(0, at=1.0),
            Started(1, architecture, "x", 1, seed=0, at=1.0),
            Failed(1, NASTY, at=2.0),
        ],
        board,
        history=history,
    )
    board._album._began -= 1000
    board.close()
    tags = read(tmp_path / "search").Tags()
    assert f"all trials/best val_{NASTY}, by trials".isprintable() is False
    assert all(tag.isprintable() for kind in ("scalars", "images") for tag in tags[kind])
    said = text(tmp_path / "search")
    assert "<script>" not in said
    assert (
        len({line.replace("\\|", "").count("|") for line in said.splitlines() if line[:1] == "|"})
        == 1
    )


@pytest.fixture
def kept():
    return []


def album(kept, graph_of=None):
    return Album(
        SPACE.decisions,
        graph_of or chains_of(SPACE.decisions),
        lambda tag, _, number: kept.append((tag, number)),
    )


def best(history):
    return sorted((one for one in history.finished if one.trained), key=lambda one: one.loss)


def test_pictures_are_drawn_beside_the_run_when_trials_have_become_more(kept):
    history = play(events())
    made = album(kept)
    made.follow(history, best(history), 4)
    assert made._thread is None, "a run of a few seconds has no pictures"
    made._began -= 1e6
    made.follow(history, best(history), 4)
    made._thread.join()
    assert not kept, "only the calling thread writes"
    made.follow(history, best(history), 4)
    drawn = [tag for tag, number in kept if number is None]
    assert {"all trials/leaderboard", "all trials/architecture of rank 1"} <= {*drawn}
    assert len(drawn) == len({*drawn}), "nothing is drawn twice while no trial is new"
    assert not made._thread.is_alive()


def test_drawing_stops_at_the_end_of_the_run(kept):
    history = play(events())
    made = album(kept)
    made._began -= 1e6
    made._spent = 1e9  # all of the thread's time is used up
    made.follow(history, best(history), 4)
    made.end(history, best(history))
    assert not made._thread.is_alive()
    assert "all trials/leaderboard" in {tag for tag, _ in kept}


def test_all_pictures_are_drawn_at_the_end_of_a_long_run_and_none_of_a_short_one(kept):
    history = play(events())
    made = album(kept)
    made.end(history, best(history))
    assert not kept
    made._began -= 1e6  # so long that there is time for all pictures on any machine
    made.end(history, best(history))
    tags = {tag for tag, _ in kept}
    assert {"all trials/outcomes", "analysis/curves", "network/architecture"} <= tags
    assert {number for tag, number in kept if tag == "network/architecture"} == {0, 1, 4}


def test_a_copy_of_a_history_does_not_change():
    happened = [*events()]
    history = play(happened[:8])
    copied = history.copy()
    seen = copy.deepcopy((copied.trials, copied.finished, copied.failed, copied.running))
    play(happened[8:], history=history)
    assert (copied.trials, copied.finished, copied.failed, copied.running) == seen
    assert len(history.trials) > len(copied.trials)


def test_a_picture_that_fails_is_left_out_with_a_warning(kept, caplog):
    def graph_of(_):
        raise RuntimeError("no graph")

    history = play(events())
    made = album(kept, graph_of)
    made._began -= 1e6  # so long that there is time for all pictures on any machine
    made.end(history, best(history))
    assert "all trials/outcomes" in {tag for tag, _ in kept}
    assert "RuntimeError('no graph')" in caplog.text


def test_a_run_of_failures_has_a_story(tmp_path):
    happened = (
        one for number in range(3) for one in (started(number), Failed(number, "no", at=number))
    )
    follow(happened, tmp_path)
    assert len(read(tmp_path / "search").Scalars("analysis/different networks")) == 3
