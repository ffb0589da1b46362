"""Settings for every test."""

import random  # noqa: TID251 - to begin each test with the same one
import sys
import warnings
from contextlib import ExitStack, contextmanager, suppress
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# The same examples every time: a failure belongs to the change that brought it. No deadline, and
# no check of how fast examples are drawn: the machine may be busy.
settings.register_profile(
    "raynas",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("raynas")
# Hypothesis also tries constants of the modules that are loaded: what is tried would depend on the
# tests that ran before, and on every number in the code. Old versions do not, nor have they this
# module.
with suppress(ImportError):
    from hypothesis.internal.conjecture import providers

    providers._get_local_constants = lambda: providers._local_constants


@contextmanager
def local_ray(**amounts):
    """Start a Ray in this process, and stop it in the end."""
    import ray  # noqa: PLC0415 - only the tests that need it

    import raynas.execution.ray_tune.session  # noqa: F401, PLC0415 - sets Ray's environment
    from raynas.execution.ray_tune.lean_start import lean  # noqa: PLC0415

    with TemporaryDirectory(prefix="raynas") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        with lean():  # as raynas starts it
            ray.init(
                "local", **amounts, _temp_dir=folder, include_dashboard=False, log_to_driver=False
            )
        try:
            yield ray
        finally:
            ray.shutdown()


class Clusters:
    """The Ray of this process, which files that need one use in turn: to start one takes seconds.

    Files that need none come when it has been stopped.
    """

    def __init__(self):
        self.amounts = None
        self.open = ExitStack()
        self.files = set()

    def of(self, **amounts):
        """Return a Ray that has so much, the same as before if that had."""
        if amounts != self.amounts:
            self.close()
            self.ray, self.amounts = self.open.enter_context(local_ray(**amounts)), amounts
        return self.ray

    def close(self):
        self.amounts = None
        self.open.close()


CLUSTERS = Clusters()


@pytest.fixture(scope="module")
def clusters():
    return CLUSTERS


@pytest.fixture(scope="module")
def cluster(clusters):
    """A Ray of two CPUs."""
    return clusters.of(num_cpus=2)


def pytest_collection_modifyitems(items):
    """Begin with the files that need Ray: they take longest, and must not be left to the end."""
    CLUSTERS.files = {item.path for item in items if "cluster" in item.fixturenames}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in CLUSTERS.files, item.path not in slow))


TORCHS_OWN_SEED = 67_280_421_310_721  # with which torch begins


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Let the generators that are nobody's begin anew: tests before this one have drawn from them.

    torch begins as in a process of its own, so that it does not matter who imports it.
    """
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - likewise
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(TORCHS_OWN_SEED)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    if nextitem is None or nextitem.path not in CLUSTERS.files:
        CLUSTERS.close()


@pytest.fixture
def raynas(monkeypatch, capsys, tmp_path):
    """Call the command in this process; return its status, output and errors."""
    from raynas.cli.main import main  # noqa: PLC0415 - only the tests that need it

    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["raynas", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code, said.out, said.err

    return call
