"""The clock of a run."""

import time

from raynas.execution.steady_clock import steady_clock

NEAR = 3600.0  # seconds; far less than the clock jumps, and the machine may be busy


def test_it_tells_the_time_of_day_and_follows_no_change_of_it(monkeypatch):
    true = time.time
    clock = steady_clock()
    assert abs(clock() - true()) < NEAR
    for jump in (-86_400.0, 86_400.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: true() + jump)
        before = clock()
        assert abs(before - true()) < NEAR
        assert clock() >= before
