import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import cloudpickle
import pytest
from ray_runs import PATIENCE
from user_files import INNER_SPACE, NETS, PLAIN_SPACE, WINE_AND_MORE

from raynas.errors import ConfigError, DataError, SpaceError
from raynas.execution.ray_tune.packing_code import Packed
from raynas.experiment.resolve.references import (
    find_scheduler,
    find_searcher,
    find_space,
    find_task,
)
from raynas.experiment.resolve.user_code import home_of, load_module
from raynas.schedulers.asha import ASHA
from raynas.searchers.evolution import RegularizedEvolution
from raynas.searchers.random import RandomSearch
from raynas.space import Choice, Int, Space
from raynas.tasks import Source, Task
from raynas.tasks.digits import Digits
from search_spaces import mlp


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's, where raynas is called; what is imported from it is forgotten."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "my_space.py").write_text(PLAIN_SPACE)
    (tmp_path / "my_parts.py").write_text(WINE_AND_MORE)
    inner = tmp_path / "mine" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "mine" / "__init__.py").touch()
    (tmp_path / "mine" / "nets.py").write_text(NETS)
    (inner / "spaces.py").write_text(INNER_SPACE)
    (inner / "depth.py").write_text("D = 5\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"mine", "my_space", "my_parts"} or name.startswith(
            "raynas_user"
        ):
            del sys.modules[name]


def test_shipped_parts_have_names():
    assert find_space("mlp", {}).space is mlp.SPACE
    assert find_space("mlp", {}).home is None
    assert find_task("digits", {"valid": 0.1}) == Digits(valid=0.1)
    space = mlp.SPACE
    evolution = find_searcher("evolution", space, {"population_size": 3})
    assert evolution == RegularizedEvolution(space, population_size=3)
    assert find_scheduler("asha", {"eta": "4"}) == ASHA(eta=4)


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (lambda: find_space("mpl", {}), "no space 'mpl': did you mean 'mlp'"),
        (lambda: find_space("nasbench-201", {}), "did you mean 'nasbench201'"),
        (lambda: find_space("", {}), "no space ''.* the known names are "),
        (lambda: find_space("nasbench201", {"cels": 1}), "no option .* did you mean 'cells'"),
        (lambda: find_space("mlp", {"cells": 1}), "no option of the space 'cells'"),
        (lambda: find_task("digit", {}), "no task 'digit': did you mean 'digits'"),
        (
            lambda: find_task("digits", {"vald": 0.1}),
            "did you mean 'valid'.* the known names are noise, test, train, valid",
        ),
        (
            lambda: find_task("digits", {"valid": "much"}),
            "option 'valid' of task 'digits' must be a number, got 'much'",
        ),
        (lambda: find_task("image_folder", {"size": 0}), "size must be at least 1"),
        (lambda: find_searcher("evolutoin", mlp.SPACE, {}), "did you mean 'evolution'"),
        (lambda: find_searcher("random", mlp.SPACE, {"x": 1}), "takes no options, got 'x'"),
        (lambda: find_scheduler("ahsa", {}), "did you mean 'asha'"),
        (lambda: find_scheduler("asha", {"eta": 1}), "asha needs .*eta >= 2"),
    ],
)
def test_what_nobody_knows_is_refused_with_what_there_is(find, says):
    with pytest.raises(ConfigError, match=says):
        find()


def test_a_file_is_a_space_wherever_one_stands(folder, monkeypatch):
    monkeypatch.chdir("/")
    found = find_space(str(folder / "my_space.py"), {"depth": 3, "bias": False})
    assert found.space.size == 2
    assert found.build({"op": "a"}, (4,), 7, depth=3) == ["a", 16, 7, 3, True]
    assert found.draw is None


@pytest.mark.usefixtures("folder")
def test_a_file_of_tasks_searchers_and_schedulers():
    assert find_task("my_parts.py", {}).name == "wine"
    task = find_task("my_parts.py:Wine", {"valid": 0.25})
    assert isinstance(task, Task)
    assert len(task.load(Source(), 0).valid) == 44
    assert find_searcher("my_parts.py", mlp.SPACE, {}).space is mlp.SPACE
    assert find_searcher("my_parts.py:Plain", mlp.SPACE, {"greed": 9}).greed == 9
    assert find_scheduler("my_parts.py:Never", {}).check(3) is None
    assert find_scheduler("my_parts.py:READY", {}).check(3) is None


@pytest.mark.usefixtures("folder")
def test_modules_are_found_where_one_stands():
    assert find_space("mine.inner.spaces", {}).space.size == 3
    assert find_task("my_parts:Wine", {}).name == "wine"
    assert find_space("search_spaces.mlp", {}).space is mlp.SPACE


def test_objects_are_taken_as_they_are():
    own = SimpleNamespace(SPACE=mlp.SPACE, build=mlp.build)
    assert find_space(own, {}).build is mlp.build
    assert find_space(mlp, {}).space is mlp.SPACE
    task, searcher, scheduler = Digits(), RandomSearch(mlp.SPACE), ASHA()
    assert find_task(task, {}) is task
    assert find_task(Digits, {"valid": 0.3}) == Digits(valid=0.3)
    assert find_searcher(searcher, mlp.SPACE, {}) is searcher
    assert find_searcher(RandomSearch, mlp.SPACE, {}) == searcher
    factory = partial(RegularizedEvolution, population_size=3)
    assert find_searcher(factory, mlp.SPACE, {"tournament_size": 2}).population_size == 3
    assert find_scheduler(scheduler, {}) is scheduler
    with pytest.raises(ConfigError, match="so it takes no options"):
        find_task(task, {"valid": 0.3})


@dataclass(frozen=True)
class Nothing:
    name: str = "nothing"


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (lambda: find_space(SimpleNamespace(SPACE=mlp.SPACE), {}), "has no build"),
        (lambda: find_space(SimpleNamespace(SPACE=1, build=print), {}), "has as its SPACE int"),
        (lambda: find_space(3, {}), "3 has no SPACE"),
        (lambda: find_space(SimpleNamespace(SPACE=mlp.SPACE, build=lambda: 1), {}), "cannot be"),
        (lambda: find_task(Nothing(), {}), "needs a method 'load'"),
        (lambda: find_task(Nothing, {}), "needs a method 'load'"),
        (lambda: find_task(3, {}), "needs a method 'load'"),
        (lambda: find_task(SimpleNamespace(load=3), {}), "needs a method 'load'"),
        (lambda: find_searcher(Nothing(), mlp.SPACE, {}), "needs a method 'propose'"),
        (lambda: find_searcher(lambda space: 4, mlp.SPACE, {}), "4 has none"),  # noqa: ARG005
        (lambda: find_searcher(Nothing, mlp.SPACE, {}), "'Nothing'.* 'space'"),
        (lambda: find_scheduler(Nothing(), {}), "needs a method 'decide'"),
    ],
)
def test_what_is_no_such_part_is_refused(find, says):
    with pytest.raises(ConfigError, match=says):
        find()


def test_a_searcher_that_cannot_express_the_space_says_so():
    with pytest.raises(SpaceError, match="got a space of one"):
        find_searcher("evolution", Space({"n": Int(1, 1)}), {})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("not_there.py", r"there is no file not_there.py \(looked in .*\)"),
        ("not_there:SPACE", "no module 'not_there'.* a file is named with its .py"),
        ("mine.not_there", "no module 'mine.not_there'"),
        ("my_parts:Beer", "my_parts holds no 'Beer', asked for by 'my_parts:Beer'"),
        ("my_parts.py:Beer", "my_parts.py holds no 'Beer'"),
    ],
)
def test_a_reference_to_nothing_says_what_is_missing(reference, says):
    with pytest.raises(ConfigError, match=says):
        find_task(reference, {})


BROKEN = {
    "x = 1\n\ny = 1 / 0\n": r"broken.py: ZeroDivisionError: .*broken.py, line 3: y = 1 / 0\)",
    "import not_installed\n": r"No module named 'not_installed' .*line 1: import not_installed\)",
    "def f(:\n": r"SyntaxError: .*broken.py, line 1: def f\(:\)",
    "from raynas import Choice\nChoice([])\n": r"broken.py: .*line 2: Choice\(\[\]\)\)",
    "import json\njson.loads('{')\n": r"JSONDecodeError: .*line 2: json.loads\('{'\)\)",
    "raise SystemError\n": r"SystemError: +\(.*line 1: raise SystemError\)",
}


@pytest.mark.parametrize("as_module", [False, True], ids=["file", "module"])
@pytest.mark.parametrize(("text", "says"), BROKEN.items(), ids=range(len(BROKEN)))
def test_a_module_that_raises_is_named_with_its_line(folder, text, says, as_module):
    (folder / "broken.py").write_text(text)
    with pytest.raises(
        ConfigError, match=says if not as_module else says.replace("broken.py:", ":")
    ):
        find_space("broken:SPACE" if as_module else "broken.py", {})


def test_a_part_that_raises_when_it_is_made_is_named_with_its_line(folder):
    (folder / "broken.py").write_text(
        "class Task:\n    def __init__(self):\n        self.a = None.b\n"
    )
    with pytest.raises(
        ConfigError, match=r"task 'broken.py:Task': AttributeError: .*line 3: self"
    ):
        find_task("broken.py:Task", {})


def test_a_file_loaded_again_is_read_again(folder):
    before = find_space("my_space.py", {}).space
    (folder / "my_space.py").write_text(PLAIN_SPACE.replace('["a", "b"]', '["a", "b", "c"]'))
    assert (before.size, find_space("my_space.py", {}).space.size) == (2, 3)


def test_what_is_installed_has_no_home_of_the_users():
    from torch import nn  # noqa: PLC0415 - only here

    for make in (mlp.build, nn.Linear, partial(nn.Linear, bias=False), len, sum, partial):
        assert home_of(make) is None


UNPACK = """
import pickle, sys
for line in sys.stdin:
    build = pickle.loads(bytes.fromhex(line)).unpacked()
    print(build({"op": "b"}, (4,), 7))
"""


def sent(found):
    """Return the ``build`` of a space as it is sent to a worker."""
    homes = () if found.home is None else (found.home,)
    return cloudpickle.dumps(Packed.of(found.build, *homes)).hex()


def test_a_worker_that_cannot_import_the_users_module_can_build(folder, tmp_path):
    sole = "\nclass SOLE: SPACE, build = SPACE, staticmethod(build)\n"
    (folder / "my_space.py").write_text(PLAIN_SPACE + sole)
    packed = []
    for reference in ("my_space.py", "my_space:SOLE", "mine.inner.spaces"):
        found = find_space(reference, {})
        packed.append(sent(found))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    worker = subprocess.run(
        [sys.executable, "-c", UNPACK],
        check=False,
        input="\n".join(packed),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=elsewhere,
    )
    file_space = "['b', 16, 7, 1, True]\n"
    assert worker.stdout == f"{file_space}{file_space}5\n", worker.stderr


LEFT = """
import helper as h, random, nets.deep
from .beside import NINE
from raynas import Int, Space

SPACE = Space({"n": Int(1, 3)})


def build(architecture, input_shape, classes):
    from late import eight  # only when it is called
    return [h.NAME, random.MINE, nets.deep.seven(), eight(), NINE, h.same(random)]
"""


def project(root, name):
    """Write files that import each other in every way; some are called like others elsewhere."""
    (root / "nets").mkdir(parents=True)
    (root / "space.py").write_text(LEFT)
    (root / "helper.py").write_text(
        f"import random as r\nNAME = {name!r}\ndef same(m): return m is r\n"
    )
    (root / "random.py").write_text("MINE = 'mine'\n")
    (root / "nets" / "__init__.py").write_text("from .parts import SEVEN\n")
    (root / "nets" / "parts.py").write_text("import types\nSEVEN = 7\n")
    (root / "nets" / "types.py").write_text("raise ImportError('the standard library is meant')")
    (root / "nets" / "deep.py").write_text("from nets import SEVEN\ndef seven(): return SEVEN\n")
    (root / "late.py").write_text("def eight(): return 8\n")
    (root / "beside.py").write_text("NINE = 9\n")
    return str(root / "space.py")


def test_a_file_imports_what_lies_beside_it_here_and_where_nobody_sees_it(tmp_path):
    standard = sys.modules["random"]
    path, before = [*sys.path], {*sys.modules}
    built = {}
    for name in ("left", "right"):
        found = find_space(project(tmp_path / name, name), {})
        built[name] = found.build
        packed = sent(found)
    for name, build in built.items():
        assert build({}, (4,), 7) == [name, "mine", 7, 8, 9, True]
    assert sys.path == path
    added = {*sys.modules} - before
    assert not [name for name in added if name.partition(".")[0] in ("helper", "nets", "late")]
    assert sys.modules["random"] is standard

    (tmp_path / "right").rename(tmp_path / "away")
    elsewhere = tmp_path / "empty"
    elsewhere.mkdir()
    worker = subprocess.run(
        [sys.executable, "-c", UNPACK],
        check=False,
        input=packed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=elsewhere,
    )
    assert worker.stdout == "['right', 'mine', 7, 8, 9, True]\n", worker.stderr


def test_a_file_in_a_package_may_look_around_it(tmp_path):
    package = tmp_path / "pkg" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package.parent / "sizes.py").write_text("WIDTH = 5\n")
    (package / "layers.py").write_text("from ..sizes import WIDTH\nDEPTH = 2\n")
    (package / "space.py").write_text(
        "from pkg.sizes import WIDTH\nfrom . import layers\nfrom layers import DEPTH\n"
        "from raynas import Int, Space\nSPACE = Space({'n': Int(1, WIDTH)})\n"
        "def build(architecture, input_shape, classes): return [layers.WIDTH, DEPTH]\n"
    )
    found = find_space(str(package / "space.py"), {})
    assert (found.space.size, found.build({}, (4,), 7)) == (5, [5, 2])


RELATIVE = {
    "from . import helper\nX = helper.X": 1,
    "from .helper import *": 1,
    "from .sub import deep\nX = deep.X": 2,
    "from .sub.deep import X": 2,
    "def f():\n    from .helper import X\n    return X\nX = f()": 1,
    "from . import missing": r"cannot import name 'missing' from '\.' .*line 1: from \. import",
    "from .missing import X": r"No module named 'missing' .*line 1: from \.missing import X",
    "from .. import lib": "relative import beyond top-level package .*line 1: from",
}


@pytest.mark.parametrize("text", RELATIVE)
def test_relative_imports_work_as_in_a_package(tmp_path, text):
    (tmp_path / "sub").mkdir()
    (tmp_path / "helper.py").write_text("X = 1\n")
    (tmp_path / "sub" / "deep.py").write_text("X = 2\n")
    (tmp_path / "space.py").write_text(f"{text}\n")
    expected = RELATIVE[text]
    if isinstance(expected, int):
        found = load_module(str(tmp_path / "space.py")).X
        assert found == expected
        return
    with pytest.raises(ConfigError, match=expected) as caught:
        load_module(str(tmp_path / "space.py"))
    assert "raynas_user" not in str(caught.value)


def test_a_fault_in_a_helper_is_named_with_its_line(tmp_path):
    (tmp_path / "space.py").write_text("import helper\n")
    (tmp_path / "helper.py").write_text("x = 1\nraise KeyError('no')\n")
    with pytest.raises(ConfigError, match=r"KeyError: 'no' \(.*helper.py, line 2: raise Key"):
        find_space(str(tmp_path / "space.py"), {})
    (tmp_path / "helper.py").write_text("x = = 1\n")
    with pytest.raises(ConfigError, match=r"SyntaxError.*helper.py, line 1"):
        find_space(str(tmp_path / "space.py"), {})


def test_a_task_that_raises_or_loads_something_else_is_named(folder):
    from raynas.experiment.experiment import Experiment  # noqa: PLC0415 - only here
    from raynas.experiment.resolve.resolved import resolve  # noqa: PLC0415

    def loading(line):
        (folder / "tasks.py").write_text(
            "from raynas.errors import DataError\n"
            "class Mine:\n    name = 'mine'\n    recipe = {}\n"
            f"    def load(self, source, seed):\n        {line}\n"
        )
        resolve(Experiment(space="mlp", task="tasks.py:Mine"))

    with pytest.raises(ConfigError, match=r"task 'mine': KeyError: .*line 6: return \{\}\['x'\]"):
        loading("return {}['x']")
    with pytest.raises(ConfigError, match=r"must load raynas.data.Data, and 'mine' loads int: "):
        loading("return 7")
    with pytest.raises(DataError, match=r"^bring your own$"):
        loading("raise DataError('bring your own')")


def test_a_space_in_a_package_without_init_has_its_home(folder):
    (folder / "loose").mkdir()
    (folder / "loose" / "space.py").write_text(PLAIN_SPACE)
    module = load_module("loose.space")
    assert home_of(module.build).__name__ == "loose"
    assert isinstance(module.SPACE.decisions["op"].domain, Choice)


def test_modules_of_one_name_are_those_of_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    for width in (8, 16):
        folder = tmp_path / str(width)
        folder.mkdir()
        sole = f"\nclass SOLE: SPACE, build, WIDTH = SPACE, staticmethod(build), {width}\n"
        (folder / "my_space_of_two.py").write_text(PLAIN_SPACE + sole)
        monkeypatch.chdir(folder)
        found = find_space("my_space_of_two:SOLE", {})
        assert width == found.home.SOLE.WIDTH
