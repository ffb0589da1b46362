"""Settings for every test."""

import warnings
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


@pytest.fixture(scope="module")
def cluster():
    """A Ray of two CPUs, for the tests of one file."""
    import ray  # noqa: PLC0415 - only the tests that need it

    import raynas.execution.ray_tune.session  # noqa: F401, PLC0415 - sets Ray's environment

    with TemporaryDirectory(prefix="raynas") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own
        ray.init(
            "local", num_cpus=2, _temp_dir=folder, include_dashboard=False, log_to_driver=False
        )
        try:
            yield ray
        finally:
            ray.shutdown()
