"""The clock of a run."""

import time

from raynas.execution.steady_clock import steady_clock


def test_it_tells_the_time_of_day_and_follows_no_change_of_it(monkeypatch):
    true = time.time
    clock = steady_clock()
    assert abs(clock() - true()) < 1.0
    for jump in (-86_400.0, 86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: true() + jump)
        before = clock()
        assert abs(before - true()) < 1.0
        assert clock() >= before
