"""What the documents show is what works: every block is executed, small where it would be long."""

import io
import os
import re
import runpy
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import fields, replace
from functools import partial
from importlib import import_module
from inspect import signature
from itertools import islice
from pathlib import Path

import in_process
import numpy as np
import pytest
import torch
from documents import BLOCKS, PAGES, ROOT, MadeUp, anchors, done, links, openings
from local_run import play
from PIL import Image
from ray import tune
from rich.console import Console
from s3_server import environment, s3_port

import raynas
from raynas.experiment.bench import Bench, bench
from raynas.experiment.experiment import Experiment, experiment_from, read_config
from raynas.experiment.resolve.references import find_space, find_task
from raynas.experiment.run import search as search_module
from raynas.insight.text.summary import print_summary
from raynas.oneshot.methods import METHODS
from raynas.proxies import NAMES as PROXIES
from raynas.schedulers import SCHEDULERS
from raynas.searchers import SEARCHERS
from raynas.storage import location, store_of
from raynas.tables import TABLES
from raynas.tasks import TASKS, Source
from raynas.yaml12 import parse

TUTORIAL = "docs/tutorial.md"
TINY = {"channels": 4, "cells": 1}  # cells that take milliseconds
DOWNLOADED = {"mnist", "fashion_mnist", "cifar10", "cifar100", "svhn"}
ROWS = range(120)
FILES = {
    "houses.csv": "size,town,floors,price\n"
    + "".join(f"{60 + i},{('Rome', 'Oslo')[i % 2]},{i % 3},{9.5 * i}\n" for i in ROWS),
    "results.csv": "width,activation,val_error,test_error,seconds\n"
    + "".join(f"{w},{a},{1 / w},{1 / w},{w}\n" for w in (8, 16) for a in ("relu", "silu")),
    "reviews.csv": "review,stars\n"
    + "".join(f"{('good tea', 'bad tea')[i % 2]} {i % 7},{i % 2}\n" for i in ROWS),
    "book.txt": "Many owls fly at night. " * 60,
    "sales.csv": "day,sold\n" + "".join(f"{i},{i % 7 + i / 9:.2f}\n" for i in ROWS),
}
COMMANDS = {"search", "resume", "show", "list", "compare", "report", "check", "bench"}
COMMANDS |= {"retrain", "export", "predict"}
BASH, PYTHON, TEXT = (
    [block for block in BLOCKS if block.language == language]
    for language in ("bash", "python", "text")
)


class Site:
    """A folder with every file that the documents name, and the run of the tutorial."""

    def __init__(self, folder):
        self.folder = folder
        self.said = ""
        for block in BLOCKS:
            if block.name:
                (folder / block.name).write_text(block.text, encoding="utf-8")
        for name in ("benchmarks", "docs"):
            (folder / name).symlink_to(ROOT / name)
        for name, text in FILES.items():
            (folder / name).write_text(text, encoding="utf-8")
        pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
        for place in ("train/rose", "train/tulip", "test/rose", "test/tulip"):
            for number in range(10):
                path = folder / "flowers" / place / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)

    def search(self):
        """Do what the tutorial does, with two trials of its twenty."""
        (command,) = (
            words
            for block in BASH
            if block.page == TUTORIAL
            for words in block.commands
            if words[1] == "search"
        )
        options = {"file": "houses.csv", "target": "price"}
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(search_module, "_execute", in_process.execute)
            settings = {"trials": 1, "epochs": 2, "output": self.folder / "runs" / "houses"}
            raynas.search(space="mlp", task="tabular", task_options=options, **settings)
        tiny = [word for name, n in TINY.items() for word in ("--set", f"space.{name}={n}")]
        self.said += done(*command[1:], *("--trials", "2", "--epochs", "2"), *tiny)

    def several(self):
        """Make runs of two searchers with two seeds each, of the run of the tutorial."""
        first = Path("runs", "first", "journal.jsonl").read_text(encoding="utf-8")
        for name in ("evolution", "random"):
            for seed in range(2):
                other = first.replace('"searcher":"auto"', f'"searcher":"{name}"', 1)
                other = re.sub(r'"seed":\d+', f'"seed":{seed}', other, count=1)
                run = Path("runs", f"{name}-{seed}")
                run.mkdir(exist_ok=True)
                (run / "journal.jsonl").write_text(other, encoding="utf-8")

    def store(self, run):
        """Put the run of the tutorial into an object store, too."""
        first, store = self.folder / "runs" / "first", store_of(location("output", run))
        winner = {f"winner/{path.name}": path.read_bytes() for path in first.glob("winner/*.*")}
        journal = {"journal/0000000000.jsonl": (first / "journal.jsonl").read_bytes()}
        store.write({**winner, **journal})


@pytest.fixture(scope="module")
def site(cluster, tmp_path_factory):  # noqa: ARG001 - trials run on it
    """The folder, which is also the working folder."""
    made = Site(tmp_path_factory.mktemp("site"))
    before = Path.cwd()
    os.chdir(made.folder)
    with s3_port() as port, pytest.MonkeyPatch.context() as patched:
        for name, value in environment(port).items():
            patched.setenv(name, value)
        try:
            made.search()
            made.store("s3://bucket/first")
            yield made
        finally:
            os.chdir(before)


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in PYTHON if not block.name])
def test_programs_run(site, block, monkeypatch):  # noqa: ARG001 - where they run
    monkeypatch.setattr(raynas, "search", search)
    monkeypatch.setattr(search_module, "_execute", in_process.execute)
    monkeypatch.setattr("raynas.training.onnx_file.find_spec", lambda _: None)
    monkeypatch.setattr(raynas, "retrain", partial(_retrain, raynas.retrain))
    ran = {}
    exec(compile(block.text, block.page, "exec"), ran)
    if "result" in ran:
        assert ran["result"].winner.metrics["test_accuracy"] > 0
    if "prices" in ran:
        assert ran["prices"].shape == (2, 1)
    if "predicted" in ran:
        assert {*ran["predicted"]} <= {*map(str, range(10))}
    if "resources" in ran:
        assert ran["resources"]({"stem": 32}) == {"cpus": 2, "gpus": 1}


@pytest.mark.slow
def test_the_plain_tuner_finds_the_best_there_is(site, monkeypatch):
    monkeypatch.setenv("HOME", str(site.folder))  # where Tune writes
    # One after the other, or what is proposed would depend on which trial reports first.
    alone = partial(tune.TuneConfig, max_concurrent_trials=1)
    monkeypatch.setattr(tune, "TuneConfig", alone)
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        runpy.run_path("my_tuner.py", run_name="__main__")
    found = re.search(r"'width': (\d+)", said.getvalue().splitlines()[-1])
    assert int(found[1]) >= 48, said.getvalue()


@pytest.mark.slow
def test_the_own_space_builds_what_it_samples(site):  # noqa: ARG001 - where the file is
    found = find_space("my_space.py", {})
    for seed in range(20):
        architecture = found.space.sample(np.random.default_rng(seed))
        child = found.build(architecture, (1, 8, 8), 10)
        assert child(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.slow
def test_the_own_task_loads(site):  # noqa: ARG001 - where the file is
    data = find_task("my_tasks.py:Wine", {}).load(Source(), 0)
    assert (data.classes, data.input_shape) == (3, (13,))


def small(experiment):
    """Return the settings of an experiment, with small networks and no process for proxies."""
    assert {*experiment.proxies} <= {*PROXIES, "shared"}
    assert {*experiment.methods} <= {*METHODS}
    settings = {item.name: getattr(experiment, item.name) for item in fields(Experiment)}
    if experiment.space in {"nasbench201", "darts"}:
        settings["space_options"] = TINY
    del settings["output"]
    return {**settings, "proxies": ()}


def search(**settings):
    """Begin what a program begins, without Ray, and return the run of the tutorial."""
    experiment = experiment_from(settings)
    options = experiment.searcher_options
    if options:  # so many trainings that a model is asked; none of them takes time
        table = {"table": MadeUp(), "table_options": {}, "evaluations": (6,), "seeds": 1}
        bench(Bench(**table, searcher_options={experiment.searcher: options}), "made up")
    [*islice(play(**small(experiment)), 1)]
    return raynas.load("runs/first")


def _retrain(retrain, run, **settings):
    """Train less than a program says."""
    return retrain(run, **dict.fromkeys(settings, 1))


def _search(site, words, monkeypatch):
    """Let the command line read a search; then begin it, without Ray."""
    told = []
    monkeypatch.setattr("raynas.cli.session.follow", told.append)
    done(*words)
    (experiment,) = told
    missing = experiment.task in DOWNLOADED
    assert not missing or experiment.download
    if not missing and words[0] == "search":
        several = len(experiment.objectives) > 1
        *_, (_, history) = islice(play(**small(experiment)), 20 if several else 1)
        if several:
            said = io.StringIO()
            print_summary(Console(file=said), history)
            site.said += said.getvalue()


def _after(site, words, monkeypatch):
    """Do what comes after a search, small and without Ray; ONNX takes seconds."""
    monkeypatch.setattr(search_module, "_execute", in_process.execute)
    monkeypatch.setattr("raynas.training.onnx_file.find_spec", lambda _: None)
    less = ("--top", "1", "--seeds", "1", "--epochs", "1") if words[0] == "retrain" else ()
    site.said += done(*words, *less)


def _script(script, arguments):
    """See that a script is there and knows the options; benchmarks take too long."""
    code = (ROOT / script).read_text(encoding="utf-8")
    for option in (word for word in arguments if word.startswith("--")):
        assert f'add_argument("{option}"' in code


def _bench(words, monkeypatch):
    """Let the command line read a comparison; then compare, on four trainings each."""

    def compare(settings, datasets, jobs):  # noqa: ARG001 - as it is called
        if settings.table in TABLES:
            known = {*signature(TABLES[settings.table]).parameters, "dataset"}
            assert {*settings.table_options} <= known
            settings = replace(settings, table=MadeUp(), table_options={})
        return [bench(replace(settings, evaluations=(4,), seconds=(), seeds=1), "made up")]

    monkeypatch.setattr(import_module("raynas.cli.bench"), "_compare", compare)
    monkeypatch.setattr("raynas.insight.plots.regret.plot", lambda curves, file: None)  # noqa: ARG005
    done(*words)


def _raynas(site, words, monkeypatch):
    """Execute a raynas command."""
    match words:
        case ["search" | "resume", *_]:
            _search(site, words, monkeypatch)
        case ["show" | "list" | "report", *_]:
            site.said += done(*words)
        case ["retrain" | "export" | "predict", *_]:
            _after(site, words, monkeypatch)
        case ["compare", *_]:
            site.several()
            site.said += done(*words)
        case ["check", *_]:
            site.said += done(*words, "--sample", "2", "--time-limit", "600")
        case ["bench", *_]:
            _bench(words, monkeypatch)
        case _:
            pytest.fail(f"nobody knows how to execute raynas {words}")


def _of_cluster(site, words, monkeypatch):
    """Execute a command about a cluster, as far as that goes without one."""
    match words:
        case [".venv/bin/raynas", "submit", *command]:
            _raynas(site, command, monkeypatch)  # tests/test_jobs.py submits
        case [".venv/bin/raynas", "status" | "logs" | "fetch" as command, *_]:
            assert done(command, "--help")
        case ["bash", "launch/cluster.sh", "search", *_]:
            _raynas(site, words[2:], monkeypatch)
        case ["bash", "launch/cluster.sh", command]:
            assert f"    {command}) exec ray" in (ROOT / words[1]).read_text(encoding="utf-8")
        case ["sbatch", "--nodes=4", "--gpus-per-node=2", script, *options]:
            assert (ROOT / script).stat().st_mode & 0o100
            _raynas(site, ["search", *options], monkeypatch)
        case ["docker", "build", "--file", file, *_] | ["kubectl", "apply", "--filename", file]:
            assert (ROOT / file).exists()
        case ["pip", "install", "--editable", ".[cluster]"]:
            assert '"cluster": [' in (ROOT / "setup.py").read_text(encoding="utf-8")
        case ["source", ".venv/bin/activate"] | ["ray", "start", "--head"]:
            pass  # tests/ray_nodes.py starts such a head node
        case _:
            pytest.fail(f"nobody knows how to execute {words}")


def execute(site, words, monkeypatch):
    """Execute one command of a document."""
    match words:
        case [".venv/bin/raynas", command, *_] if command in COMMANDS:
            _raynas(site, words[1:], monkeypatch)
        case [".venv/bin/tensorboard", "--logdir", run]:
            assert [*Path(run).rglob("events.out.tfevents.*")]
        case [".venv/bin/python", program]:
            runpy.run_path(program)
        case ["bash", script]:
            assert (ROOT / script).stat().st_mode & 0o100
        case ["python", script, *arguments]:
            _script(script, arguments)
        case _:
            _of_cluster(site, words, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in BASH}))
def test_commands_work(site, page, monkeypatch):
    for block in BASH:
        for words in block.commands if block.page == page else ():
            execute(site, words, monkeypatch)


@pytest.mark.slow
def test_shown_output_looks_like_what_is_printed(site):
    printed = openings(site.said)
    for block in TEXT:
        if "─▶" not in block.text and "SPACE + build" not in block.text:
            assert openings(block.text) <= printed, (block.page, openings(block.text) - printed)


def test_settings_files_are_read():
    (example,) = (block for block in BLOCKS if block.language == "yaml")
    assert experiment_from(parse(example.text, example.page)).space_options == {
        **TINY,
        "channels": 16,
    }
    shipped = read_config(ROOT / "launch" / "digits.yaml")
    assert experiment_from(shipped).most_trials == Experiment().most_trials


def test_no_block_is_left_out():
    known = {"bash", "python", "text", "yaml", "{eval-rst}", "{toctree}"}
    others = {block.language for block in BLOCKS} - known
    shown = ("{include}", "{literalinclude}", "{entries}", "{described}")
    assert all(other.startswith(shown) for other in others), others


@pytest.mark.parametrize(
    ("page", "table"),
    [
        ("tasks", TASKS),
        ("searchers", SEARCHERS),
        ("schedulers", SCHEDULERS),
        ("proxies", PROXIES),
        ("spaces", [path.stem for path in (ROOT / "search_spaces").glob("[!_]*[!d]")]),
    ],
)
def test_every_entry_of_a_table_is_listed_and_no_other(page, table):
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(table)


def test_every_public_name_is_described():
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    for name in raynas.__all__:
        assert getattr(raynas, name) is not None
        assert re.search(rf":: raynas\.{name}\b", text), name


def test_the_readme_counts_right():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    counted = re.findall(r"\[(\d+) of them\]\(docs/reference/(\w+)\.md\)", text)
    assert dict(map(reversed, counted)) == {
        "searchers": str(len(SEARCHERS)),
        "schedulers": str(len(SCHEDULERS)),
    }
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there.resolve().relative_to(ROOT)), target
