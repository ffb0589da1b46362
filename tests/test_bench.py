"""The bench: what it says of searchers, in figures, in files, and against published replays."""

import json
import math
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from command import called
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from raynas.cli.main import app
from raynas.cli.settings import by_part
from raynas.errors import ConfigError, SchedulerError
from raynas.execution.plan import Plan
from raynas.execution.simulate import Budget, Cluster, Simulation
from raynas.experiment.bench import Bench, bench
from raynas.experiment.resolve.references import find_table
from raynas.experiment.resolve.user_code import load_module
from raynas.insight.plots.regret import apart
from raynas.insight.regret import Curves, Interval
from raynas.schedulers.run_to_end import RunToEnd
from raynas.searchers import make
from raynas.space import Space
from raynas.tables import TABLES
from search_spaces.nasbench201 import SPACE

COMPACT = Path(__file__).resolve().parents[2] / "shared" / "benchdata" / "nb201.npz"
BRANIN = f"{Path(__file__).resolve().parents[1] / 'benchmarks' / 'functions.py'}:Branin"
needs_compact = pytest.mark.skipif(not COMPACT.exists(), reason="the published results are absent")

TABLE = '''
from raynas.space import Choice, Space
from raynas.tables import Recorded, Scores


class Line:
    """The more, the better; every training takes ten seconds."""

    lengths = (2,)
    best = 0.9

    def __init__(self, top=8, dataset="long"):
        count = {"long": 3, "short": 2}[dataset]
        self.space = Space({f"x{i}": Choice(range(top)) for i in range(count)})

    def answer(self, architecture, epochs, draw):
        score = self.scores(architecture).valid + draw % 5 / 100
        return [Recorded(epoch + 1, {"val_accuracy": score}, 5.0) for epoch in range(epochs)]

    def scores(self, architecture):
        share = sum(architecture.values()) / (7 * len(architecture))
        return Scores(0.8 * share, 0.9 * share)
'''

KNOWING = (
    TABLE
    + """
from dataclasses import dataclass
from typing import Any

from raynas.trial import Proposal


class Known(Line):
    def features(self, architecture):
        return [sum(architecture.values())]


@dataclass(frozen=True)
class Knowing:
    space: Any
    features: Any = None

    def propose(self, history, rng):
        return Proposal(max(self.space, key=self.features))
"""
)


@pytest.fixture
def line(tmp_path):
    (tmp_path / "line.py").write_text(TABLE)
    return f"{tmp_path / 'line.py'}:Line"


def small(line, **settings):
    return Bench(
        **{
            "table": line,
            "evaluations": (5, 12),
            "seeds": 4,
            "searchers": {"evolution": "evolution"},
        }
        | settings
    )


# Figures


def test_curves_are_what_each_run_would_have_handed_over(line):
    settings = small(line, seconds=(70,), evaluations=(5, 12), first_seed=3)
    reached = bench(settings, "line").reached["evolution"]
    table = find_table(line, {})
    for row, seed in enumerate(range(3, 7)):
        plan = Plan(table.space, make("evolution", table.space), RunToEnd(), 10**6, 2, seed)
        search = Simulation(plan, Cluster(table), Budget(trainings=7))
        seen = {}
        for moment in search:
            if trial := search.conductor.recommended:
                seen[moment.trainings] = table.scores(trial.architecture)
        curves = reached.by_trainings
        for column, spent in enumerate(curves.spent):
            if spent <= 7:
                assert curves.test[row, column] == seen[spent].test
                assert curves.valid[row, column] == seen[spent].valid
            else:  # the seconds were over
                assert math.isnan(curves.test[row, column])
        for column, spent in enumerate(reached.by_seconds.spent):
            done = int(spent // 10)
            expected = seen[done].test if done else math.nan
            np.testing.assert_equal(reached.by_seconds.test[row, column], expected)


def test_random_search_is_always_there_to_compare_with(line):
    comparison = bench(small(line), "line")
    assert list(comparison.reached) == ["evolution", "random"]
    whole = json.loads(json.dumps(comparison.as_data()))
    assert whole["objective"] == {"metric": "val_accuracy", "direction": "max"}
    assert whole["best"] == 0.9
    data = whole["searchers"]
    assert data["random"]["at"]["12"]["test_above_yardstick"] == {"mean": 0, "low": 0, "high": 0}
    mine, other = (
        np.array(data[name]["curves"]["evaluations"]["test"])[:, -1]
        for name in ("evolution", "random")
    )
    point = data["evolution"]["at"]["12"]
    assert point["test_mean"] == pytest.approx(mine.mean())
    assert point["test_std"] == pytest.approx(mine.std(ddof=1))
    assert point["test_above_yardstick"]["mean"] == pytest.approx((mine - other).mean())


def test_a_search_that_has_seen_all_stays_where_it_is(line):
    comparison = bench(small(line, table_options={"top": 2}, evaluations=(5, 50)), "line")
    curves = comparison.reached["random"].by_trainings
    assert not np.isnan(curves.test).any()
    assert curves.test[:, -1] == pytest.approx([0.9 / 7] * 4)


def test_a_searcher_may_have_what_the_table_knows_without_training(line, tmp_path):
    (tmp_path / "knowing.py").write_text(KNOWING)
    settings = small(
        f"{tmp_path / 'knowing.py'}:Known",
        searchers={"knowing": f"{tmp_path / 'knowing.py'}:Knowing"},
        searcher_options={"knowing": {"features": "table"}},
        evaluations=(1,),
    )
    assert (bench(settings, "line").reached["knowing"].by_trainings.test == 0.9).all()
    with pytest.raises(ConfigError, match=r"a method features.*Line has none"):
        bench(replace(settings, table=line), "line")


FOREIGN = """
from ray.tune.search.optuna import OptunaSearch

SEARCHER = OptunaSearch(seed=0)


def make(seed):
    return OptunaSearch(seed=seed)
"""


def test_a_searcher_of_ray_tunes_runs_under_every_seed_if_it_is_made_for_it(line, tmp_path):
    (tmp_path / "foreign.py").write_text(FOREIGN)
    settings = small(line, seeds=3, searchers={"o": f"{tmp_path / 'foreign.py'}:make"})
    curves = bench(settings, "line").reached["o"].by_trainings.test
    assert len({tuple(row) for row in curves.tolist()}) == 3
    assert (bench(settings, "line").reached["o"].by_trainings.test == curves).all()
    made = load_module(str(tmp_path / "foreign.py")).SEARCHER
    for ready in (str(tmp_path / "foreign.py"), f"{tmp_path / 'foreign.py'}:SEARCHER", made):
        with pytest.raises(ConfigError, match=r"'o' is Ray Tune's and .*3 seeds: give"):
            bench(replace(settings, searchers={"o": ready}), "line")
    bench(replace(settings, searchers={"o": made}, seeds=1), "line")


def test_trainings_that_fail_are_told_of(line, tmp_path, caplog):
    none = TABLE.replace('"val_accuracy": ', '"val_accuracy": float("nan") * ')
    (tmp_path / "line.py").write_text(none)
    bench(small(line, seeds=2, evaluations=(3,)), "line")
    said = "failed trainings in all runs together: 6; the first: the recorded val_accuracy is nan"
    for name, record in zip(("evolution", "random"), caplog.records, strict=True):
        assert record.message.startswith(f"{name}: {said}")


WRONG = {  # what is wrong with a table, and what is said of it
    "lengths = (2,)|lengths = (3, 2)": "lengths must be a list or tuple of whole numbers",
    "best = 0.9|best = 'high'": "best must be a finite number, got 'high'",
    "self, architecture, epochs, draw|self, architecture, epochs": "answer must take (",
    "[Recorded(epoch + 1, {|[(epoch + 1, {": "answer must be a list of raynas.tables.Recorded",
    "Recorded(epoch + 1,|Recorded('1',": "epoch must be a whole number, got Recorded(",
    "score}, 5.0|score}, None": "seconds must be a number, at least 0",
}


@pytest.mark.parametrize("change", WRONG)
def test_a_table_with_wrong_fields_is_one_sentence(line, tmp_path, change):
    before, _, after = change.partition("|")
    assert before in TABLE
    (tmp_path / "line.py").write_text(
        TABLE.replace(before, after).replace(" + draw % 5 / 100", "")
    )
    with pytest.raises(ConfigError, match=re.escape(WRONG[change])):
        bench(small(line, seeds=1), "line", 1)


def test_a_searcher_that_proposes_nothing_is_said(line, tmp_path, caplog):
    (tmp_path / "nothing.py").write_text(
        "class Nothing:\n    def __init__(self, space): pass\n"
        "    def propose(self, history, rng): return None\n"
    )
    reference = f"{tmp_path / 'nothing.py'}:Nothing"
    bench(small(line, searchers={"idle": reference}, seeds=2), "line")
    assert "idle: proposed nothing in 2 of 2 runs" in caplog.text


def test_a_scheduler_that_always_raises_is_given_up(line, tmp_path):
    (tmp_path / "raises.py").write_text(
        "class Raises:\n    def check(self, epochs): pass\n"
        "    def decide(self, report, history): raise RuntimeError('never')\n"
    )
    with pytest.raises(SchedulerError, match=r"never \(6 times in succession\): correct Raises"):
        bench(small(line, scheduler=f"{tmp_path / 'raises.py'}:Raises", evaluations=(20,)), "line")


def test_values_that_are_no_fractions_are_printed_as_they_are():
    arguments = ["--table", BRANIN, "--searcher", "random", "--seeds", "2", "--evaluations", "9"]
    said = CliRunner().invoke(app, ["bench", *arguments]).output
    assert "the best test score is -0.3979\n" in said
    assert "%" not in said.replace("(95 %)", "")
    assert re.search(r"  9 +-\d+\.\d+ ± ", said)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_that_raises_is_named_with_its_line(line, tmp_path, jobs):
    (tmp_path / "line.py").write_text(TABLE.replace("draw % 5 / 100", "draw / 0"))
    with pytest.raises(
        ConfigError, match=r"table '.*Line': ZeroDivisionError: .*line \d+: score = .*draw / 0"
    ):
        bench(small(line, seeds=2), "line", jobs)


def test_what_a_searcher_does_not_heed_is_said_once(line, tmp_path, caplog):
    weighted = TABLE.replace("Choice(range(top))", "Choice(range(top), range(1, top + 1))")
    (tmp_path / "line.py").write_text(weighted)
    bench(small(line, searchers={"optuna": "optuna"}), "line")
    (said,) = (record.message for record in caplog.records)
    assert said.startswith(
        "Optuna cannot use prior weights: the weights of x0 and 2 more are ignored"
    )


def test_processes_change_nothing_but_the_time(line):
    settings = small(line, seeds=2)
    alone, shared = (bench(settings, "line", jobs).as_data() for jobs in (1, 2))
    for data in (alone, shared):
        for one in data["searchers"].values():
            del one["ms_per_trial"]
    assert alone == shared


def test_the_interval_is_students():
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 12))
    expected = ttest_rel(one, other).confidence_interval(0.95)
    interval = Interval.of(one - other)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.mean == pytest.approx((one - other).mean())
    assert Interval.of(one[:1]) is None
    assert Interval.of(np.array([0.1, math.nan])) is None


def test_a_point_that_some_runs_did_not_reach_has_no_figures():
    values = np.array([[0.5, 0.6], [0.7, math.nan]])
    curves = Curves((1, 2), values, values)
    assert curves.summary(1)["test_mean"] == pytest.approx(0.6)
    assert set(curves.summary(2).values()) == {None}
    assert curves.against(curves, 2) is None


# What people get


def run_cli(*arguments):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_the_command_prints_writes_and_draws(line, tmp_path):
    output = run_cli(
        *("--table", line, "--dataset", "long,short", "--searcher", "evolution,mine=evolution"),
        *("--set", "mine.population_size=4", "--set", "searcher.tournament_size=2"),
        *("--evaluations", "30", "--seconds", "50,100", "--seeds", "3"),
        *("--json", tmp_path / "out.json", "--plot", tmp_path / "out.png"),
    )
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["settings"]["searcher_options"] == {
        "evolution": {"tournament_size": 2},
        "mine": {"tournament_size": 2, "population_size": 4},
    }
    assert list(document["results"]) == ["long", "short"]
    for name, compared in document["results"].items():
        results = compared["searchers"]
        assert list(results) == ["evolution", "mine", "random"]
        for one in results.values():
            assert list(one["at"]) == ["25", "30"]
            assert list(one["at_seconds"]) == ["50", "100"]
            assert set(one["at"]["25"]) >= {"valid_mean", "valid_std", "test_mean", "test_std"}
        assert f"{name}: 3 runs each; the best test score is 90.00 %" in output
        for column in ("valid", "test"):
            figures = results["mine"]["at_seconds"]["100"]
            mean, deviation = figures[f"{column}_mean"], figures[f"{column}_std"]
            assert f"{100 * mean:.2f} ± {100 * deviation:.2f}" in output
    height, width, _ = imread(tmp_path / "out.png").shape
    assert (height, width) == (1320, 2160)


def test_a_bench_without_any_score_is_a_failure_and_says_what_failed(line, tmp_path):
    none = TABLE.replace('"val_accuracy": ', '"val_accuracy": float("nan") * ')
    (tmp_path / "line.py").write_text(none)
    asked = ("--table", line, "--seeds", 1, "--evaluations", 3, "--json", tmp_path / "out.json")
    status, _, said = called("bench", *asked)
    said = " ".join(said.split())
    assert status == 1
    assert "3; the first: the recorded val_accuracy is nan" in said
    assert f"raynas: no run on {line} has a score: what failed is said above" in said
    assert json.loads((tmp_path / "out.json").read_text())["results"][line]["searchers"]


def test_a_run_of_one_seed_can_be_drawn_too(line, tmp_path):
    output = run_cli(
        "--table", line, "--seeds", 1, "--evaluations", 6, "--plot", tmp_path / "a.svg"
    )
    assert "±" not in output
    assert "</svg>" in (tmp_path / "a.svg").read_text()


def test_the_longest_name_that_fits_has_the_option():
    """Parts may hold points, as references do, and options too, as decisions do."""
    given = ["my.x=1", "my.py:Mine.x=[1, a]", "my.x=2", "my.edge.*.op=b=c"]
    assert by_part(given, ("my", "my.py:Mine")) == {
        "my": {"x": 2, "edge.*.op": "b=c"},
        "my.py:Mine": {"x": [1, "a"]},
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "nasbench"], "no table 'nasbench': did you mean 'nasbench201'"),
        (["--table", "json:JSONDecoder"], "table 'json:JSONDecoder'|a table needs space, lengths"),
        (
            ["--evaluations", "many"],
            "--evaluations must be numbers, separated by commas, got 'many'",
        ),
        (["--evaluations", "0"], "each above 0"),
        (["--evaluations", "nan"], r"each above 0; got \[nan\]"),
        (["--evaluations", "0.5"], "evaluations must be at least 1, got 0.5"),
        (["--seconds", "inf"], r"each above 0; got \[inf\]"),
        (["--epochs", "0"], "epochs must be at least 1, got 0"),
        (["--table", BRANIN, "--dataset", "cifar10"], "takes no options, got 'dataset'"),
        (["--seeds", "0"], "seeds must be at least 1, got 0"),
        (["--jobs", "0"], "--jobs must be at least 1, got 0"),
        (["--plot", "curves.xyz"], "no kind of picture 'xyz'"),
        (["--plot", "nowhere/curves.png"], "no folder nowhere to write curves.png to"),
        (["--json", "nowhere/all.json"], "no folder nowhere to write all.json to"),
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--first-seed", "-1"], "first_seed must not be negative, got -1"),
        (["--set", "evo.x=1"], "PART one of table, scheduler, searcher, evolution, got 'evo.x=1'"),
        (["--set", "evolution=1"], "takes PART.OPTION=VALUE .* got 'evolution=1'"),
        (["--set", "evolution.size=1"], "no option of searcher 'evolution' 'size'"),
        (["--searcher", "evolutoin"], "did you mean 'evolution'"),
        (["--scheduler", "ash"], "no scheduler 'ash'"),
    ],
)
def test_what_does_not_fit_is_said(line, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run_cli("--table", line, "--searcher", "evolution", *arguments)


def test_a_scheduler_that_never_stops_anything_is_told_of(line, caplog):
    run_cli(
        "--table",
        line,
        "--searcher",
        "random",
        "--scheduler",
        "asha",
        "--set",
        "scheduler.grace_epochs=2",
        "--seeds",
        2,
    )
    assert "stopped no training; the table's trainings end after 2 epochs" in caplog.text


def test_a_scheduler_stops_trainings(line):
    comparison = bench(small(line, scheduler="asha", scheduler_options={"eta": 2}), "line")
    assert comparison.reached["random"].stopped > 0


def test_it_needs_neither_torch_nor_ray(line):
    code = (
        "import sys; from raynas.cli.main import app; "
        f"arguments = ['bench', '--table', {line!r}, '--seeds', '1', '--evaluations', '9']; "
        "app(arguments, standalone_mode=False); "
        "assert not {'torch', 'ray', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@given(st.lists(st.floats(0, 1), max_size=12).map(sorted))
def test_labels_keep_apart_and_in_order(heights):
    placed = apart(heights, 0.05)
    assert len(placed) == len(heights)
    assert all(b - a >= 0.05 - 1e-9 for a, b in pairwise(placed))
    if all(b - a >= 0.05 for a, b in pairwise(heights)):
        assert placed == pytest.approx(heights)


# Published replays


@dataclass(frozen=True)
class Anew:
    """Trains every proposal, as those who published do, even if the history holds it."""

    searcher: object

    def propose(self, history, rng):
        return replace(self.searcher.propose(history, rng), repeat=True)


def replayed(dataset, searcher, options, epochs, budget, runs):
    """Return the final test accuracies, in per cent, of a searcher that knows no equal cells."""
    table = TABLES["nasbench201"](Space(SPACE.tree), COMPACT, dataset)
    reached = []
    for seed in range(runs):
        anew = Anew(make(searcher, table.space, options))
        search = Simulation(
            Plan(table.space, anew, RunToEnd(), 10**6, epochs, seed), Cluster(table), budget
        )
        list(search)
        reached.append(100 * table.scores(search.conductor.recommended.architecture).test)
    return np.array(reached)


REA = {"population_size": 10, "tournament_size": 3}


@needs_compact
@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "seconds", "searcher", "options", "mean", "deviation"),
    [
        ("cifar10", 20_000, "random", {}, 93.88, 0.26),
        ("cifar10", 20_000, "evolution", REA, 94.09, 0.29),
        ("cifar100", 40_000, "random", {}, 71.65, 0.97),
        ("cifar100", 40_000, "evolution", REA, 72.31, 0.82),
        ("imagenet16-120", 120_000, "random", {}, 45.30, 0.98),
        ("imagenet16-120", 120_000, "evolution", REA, 45.82, 0.75),
    ],
)
def test_searches_end_where_a_replay_of_nats_bench_ended(
    dataset, seconds, searcher, options, mean, deviation
):
    """NATS-Bench's protocol (arXiv:2009.00437): search on 12 epochs' validation accuracy.

    The figures are of 500 runs of another program on the same data. Allowed are three standard
    errors of the difference of two means.
    """
    runs = 150
    reached = replayed(dataset, searcher, options, 12, Budget(seconds=seconds), runs)
    error = reached.std(ddof=1) / math.sqrt(runs)
    assert reached.mean() == pytest.approx(mean, abs=3 * math.hypot(error, deviation / 500**0.5))
    if searcher == "random":
        expected = drawn(dataset, seconds)
        assert reached.mean() == pytest.approx(expected, abs=3.2 * error)


def drawn(dataset, seconds, runs=5000):
    """Return where random search ends on average, from the table alone: draw, add up, choose."""
    table = TABLES["nasbench201"](Space(SPACE.tree), COMPACT, dataset)
    costs = table.seconds * 12 / 200 + table.look_s
    rng, ends = np.random.default_rng(0), []
    for _ in range(runs):
        cells = rng.integers(len(costs), size=int(2 * seconds / costs.mean()))
        cells = cells[np.cumsum(costs[cells]) <= seconds]
        ends.append(table.test[cells[table.short[cells].argmax()]])
    return 100 * np.mean(ends)


@needs_compact
@pytest.mark.slow
@pytest.mark.parametrize(
    ("searcher", "options", "mean"),
    [
        ("random", {}, 93.92),
        ("evolution", {"population_size": 30, "tournament_size": 10}, 94.25),
    ],
)
def test_searches_end_where_another_program_ended_after_150_trainings(searcher, options, mean):
    """One training seed seen per evaluation; the figures are of 50 runs."""
    runs = 100
    reached = replayed("cifar10", searcher, options, 200, Budget(trainings=150), runs)
    deviation = reached.std(ddof=1)
    allowed = 3 * math.hypot(deviation / math.sqrt(runs), deviation / math.sqrt(50))
    assert reached.mean() == pytest.approx(mean, abs=allowed)
