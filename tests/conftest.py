"""Settings for every test."""

import warnings
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

# The same examples every time: a failure belongs to the change that brought it. No deadline: the
# machine may be busy.
settings.register_profile(
    "raynas",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("raynas")


def pytest_collection_modifyitems(items):
    """Begin with the files that need Ray: they take longest, and must not be left to the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@contextmanager
def local_ray(**amounts):
    """Start a Ray in this process, and stop it in the end."""
    import ray  # noqa: PLC0415 - only the tests that need it

    import raynas.execution.ray_tune.session  # noqa: F401, PLC0415 - sets Ray's environment

    with TemporaryDirectory(prefix="raynas") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        ray.init(
            "local", **amounts, _temp_dir=folder, include_dashboard=False, log_to_driver=False
        )
        try:
            yield ray
        finally:
            ray.shutdown()


class Clusters:
    """The Ray of this process, which one file after another uses: starting one takes seconds."""

    def __init__(self):
        self.amounts = None
        self.open = ExitStack()

    def of(self, **amounts):
        """Return a Ray that has so much, the same as before if that had."""
        if amounts != self.amounts:
            self.open.close()
            self.amounts, self.ray = amounts, self.open.enter_context(local_ray(**amounts))
        return self.ray


@pytest.fixture(scope="session")
def clusters():
    clusters = Clusters()
    with clusters.open:
        yield clusters


@pytest.fixture(scope="module")
def cluster(clusters):
    """A Ray of two CPUs."""
    return clusters.of(num_cpus=2)
