"""Where the files of a run lie: taken up from elsewhere, moved, and folders that are refused."""

import shutil
import sys
from pathlib import Path

import pytest
from in_process import opened

import raynas
from raynas.errors import ConfigError, JournalError
from raynas.experiment.experiment import Experiment, experiment_from, read_config
from raynas.experiment.resolve.resolved import resolve
from raynas.experiment.run.places import check_output
from raynas.experiment.run.search import recorded

SPACE = "from .helper import WIDTHS\nfrom search_spaces.mlp import SPACE, build\n"
TASK = """
from raynas.tasks.digits import Digits


class Near(Digits):
    def load(self, source, seed):
        assert (source.data_dir / "here").exists(), source.data_dir
        return super().load(source, seed)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Give a folder with a user's files, of which a run was begun, and work in another one."""
    project = tmp_path / "project"
    (project / "mine").mkdir(parents=True)
    (project / "data").mkdir()
    (project / "data" / "here").touch()
    (project / "helper.py").write_text("WIDTHS = 8\n")
    (project / "mine" / "space.py").write_text("from search_spaces.mlp import SPACE, build\n")
    (project / "space.py").write_text(SPACE)
    (project / "tasks.py").write_text(TASK)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(project)
    opened(Experiment(space="space.py", task="tasks.py:Near", output="runs/a"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return project


def descriptions(run):
    return (run / "journal.jsonl").read_text().count('"event":"run"')


def test_a_run_is_taken_up_from_another_folder(project, monkeypatch, caplog):
    caplog.set_level("INFO", "raynas")
    again = recorded(Path("../project/runs/a"), {})
    assert again.space == str(project / "space.py")
    assert again.task == f"{project / 'tasks.py'}:Near"
    assert again.data_dir == project / "data"
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"the run was begun in {project} and uses the files there: space ")
    opened(again)
    for _ in range(2):  # and from there again, and as it was begun
        opened(recorded(Path("../project/runs/a"), {}))
        monkeypatch.chdir(project)
        opened(recorded(Path("runs/a"), {}))
        opened(Experiment(space="space.py", task="tasks.py:Near", output="runs/a"))
        monkeypatch.chdir(project.parent / "elsewhere")


def test_nothing_is_said_or_written_where_it_was_begun(project, monkeypatch, caplog):
    caplog.set_level("INFO", "raynas")
    monkeypatch.chdir(project)
    again = recorded(Path("runs/a"), {})
    assert (again.space, again.data_dir) == ("space.py", Path("data"))
    opened(again)
    assert (descriptions(project / "runs/a"), caplog.records) == (1, [])


def test_other_files_of_the_same_name_in_the_working_folder_are_not_taken(project):
    Path("space.py").write_text("raise ValueError('another one')\n")
    opened(recorded(project / "runs/a", {}))


def test_a_run_that_is_moved_with_its_files_uses_them_where_they_are(project, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)
    assert recorded(copy / "runs/a", {}).space == str(copy / "space.py")
    shutil.rmtree(project)
    opened(recorded(copy / "runs/a", {}))


def test_a_run_that_is_moved_alone_uses_the_files_where_they_were(project, tmp_path):
    (project / "runs/a").rename(tmp_path / "kept")
    assert recorded(tmp_path / "kept", {}).space == str(project / "space.py")
    opened(recorded(tmp_path / "kept", {}))


def test_a_search_of_the_same_file_by_another_path_is_the_same_run(project):
    usual = {"task": "../project/tasks.py:Near", "output": project / "runs/a"}
    opened(Experiment(space=str(project / "space.py"), data_dir=project / "data", **usual))
    other = Experiment(space=str(project / "mine/space.py"), data_dir=project / "data", **usual)
    with pytest.raises(JournalError, match=r"space is .*project/space.py' there and .*mine/space"):
        opened(other)


def test_a_module_of_the_folder_it_was_begun_in_is_found(project, monkeypatch):
    (project / "modules_of_one").mkdir()
    (project / "modules_of_one" / "nets.py").write_text(
        "from search_spaces.mlp import SPACE, build\n"
    )
    monkeypatch.chdir(project)
    opened(Experiment(space="modules_of_one.nets", output="runs/b"))
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(project)])
    for name in [name for name in sys.modules if name.startswith("modules_of_one")]:
        monkeypatch.delitem(sys.modules, name)
    opened(recorded(project / "runs/b", {}))


@pytest.mark.parametrize("given", ["s3://bucket/run", Path("s3://bucket/run"), "gs://bucket"])
@pytest.mark.parametrize(
    "act",
    [
        lambda given: Experiment(data_dir=given),
        lambda given: experiment_from({"data_dir": given}),
        lambda given: resolve(Experiment(space=f"{given}/space.py")),
        lambda given: resolve(Experiment(space="mlp", task=f"{given}/tasks.py:Mine")),
        read_config,
    ],
)
def test_addresses_are_refused_in_one_sentence(tmp_path, monkeypatch, given, act):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError, match=r"must be a path on this machine, or .* only a run folder"
    ):
        act(given)
    assert not list(tmp_path.iterdir())


def test_no_path_at_all_is_refused_and_home_is_known():
    with pytest.raises(ConfigError, match="output must name a folder, got ''"):
        experiment_from({"output": ""})
    assert Experiment(output="~/runs").output == Path.home() / "runs"


@pytest.mark.parametrize("holds", [["space.py"], ["trial-0000", "photos"], ["notes.md", "a.txt"]])
def test_a_folder_that_holds_other_things_is_refused_and_left_alone(tmp_path, holds):
    for name in holds:
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match=f"new folder, .*{tmp_path} holds .*{tmp_path / 'run'}"):
        raynas.search(space="mlp", output=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(holds)


BESIDE = [
    [],
    [".gitkeep", "lost+found"],
    ["log.txt", "search.yaml"],
    ["journal.lock", "journal.partial", "trial-0003", "winner"],
]


@pytest.mark.parametrize("holds", BESIDE)
def test_a_folder_with_what_stands_beside_a_run_is_taken(tmp_path, holds):
    for name in holds:
        (tmp_path / name).mkdir()
    check_output(tmp_path)
    check_output(tmp_path / "new")


def test_the_root_is_refused():
    with pytest.raises(ConfigError, match=r"/ holds .*give a new folder inside it, such as /run"):
        check_output(Path("/"))
