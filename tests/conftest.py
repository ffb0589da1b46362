"""Settings for every test."""

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
