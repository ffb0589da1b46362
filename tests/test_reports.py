"""Reports in columns give back what was put in."""

import copy
import tracemalloc

import pytest
import strategies
from hypothesis import given
from hypothesis import strategies as st

from raynas.space import Architecture
from raynas.trial import Finished, History, Objective, Report, Reports, Started

names = st.text("abc", max_size=2)
numbers = st.floats(allow_nan=False) | st.integers(-(2**70), 2**70) | st.booleans()
metrics = st.dictionaries(names, numbers, max_size=3)


@st.composite
def told(draw):
    """Reports in ascending epochs, now and then with other metrics or from another worker."""
    often, rarely = draw(metrics), draw(metrics)
    reports = []
    for epoch in sorted(draw(st.sets(st.integers(1, 30), max_size=8))):
        measured = {name: draw(numbers) for name in draw(st.sampled_from((often, often, rarely)))}
        worker = draw(st.sampled_from(("a", "a", "b")))
        seconds, at = draw(st.floats(0, 9)), draw(st.floats(0, 9))
        errors = draw(st.sampled_from((often, {})))
        reports.append(Report(7, epoch, measured, seconds, at, worker, errors))
    return reports


def exactly(report):
    """Return a report with the type of each value: 1, 1.0 and True are equal."""
    return [(type(v), v) for v in (*report.metrics.values(), *report.errors.values())], report


@given(told(), st.integers(0, 31), names)
def test_what_is_given_back_is_what_was_put_in(reports, epoch, name):
    found = Reports(reports)
    assert [*map(exactly, found)] == [*map(exactly, reports)]
    assert [*map(exactly, found[1:-1])] == [*map(exactly, reports[1:-1])]
    assert [found[-at] for at in range(1, len(reports) + 1)] == reports[::-1]
    assert found == reports == copy.deepcopy(found)
    assert found != [*reports, Report(7, 99, {})]
    assert (len(found), found.epoch) == (len(reports), reports[-1].epoch if reports else 0)
    assert found.epochs == [report.epoch for report in reports]
    assert found.seconds == [report.seconds for report in reports]
    assert found.workers == [report.worker for report in reports]
    expected = next((report for report in reports if report.epoch == epoch), None)
    assert found.after(epoch) == expected
    if all(name in report.metrics for report in reports):
        assert found.values(name) == [report.metrics[name] for report in reports]
        assert found.value_after(epoch, name) == (expected and expected.metrics[name])


@given(told(), st.data())
def test_what_is_added_to_some_reports_changes_no_others(reports, data):
    kept = [Reports()]
    for report in reports:
        kept.append(kept[-1].plus(report))
    at = data.draw(st.integers(0, len(reports)))
    other = Report(7, 99, {"other": 0.5})
    assert kept[at].plus(other) == [*reports[:at], other]
    assert kept[at].plus(other) == [*reports[:at], other], "the second time"
    assert [*map(list, kept)] == [reports[:end] for end in range(len(reports) + 1)]
    for some in kept:
        assert [*some.epochs] == [report.epoch for report in some]
        assert [*some.workers] == [report.worker for report in some]


def test_a_number_out_of_range_is_no_report():
    with pytest.raises(IndexError):
        Reports([Report(0, 1, {})])[1]


def test_who_reached_an_epoch_is_said_in_order_with_all_losses():
    objectives = (Objective("a"), Objective("b", "min"))
    one, other = (Started(n, Architecture({}), str(n), 3, 0) for n in range(2))
    events = [
        *(one, other, Report(1, 1, {"a": 1, "b": 2}), Report(0, 1, {"a": 3, "b": 4})),
        *(Report(0, 3, {"a": 5, "b": 6}), Finished(0)),
        *(Started(2, Architecture({}), "0", 3, 0), Finished(2, answered_by=0)),
    ]
    history = strategies.replay(events, objectives)
    first, second, third = (history.at(epoch) for epoch in (1, 2, 3))
    assert [*first.items()] == [*first.since(0)] == [(1, (0, (-1, 2))), (0, (0, (-3, 4)))]
    assert [*first.since(1)] == [(0, (0, (-3, 4)))]
    assert [*first.since(-5)] == [*first.since(0)]
    assert (dict(second), dict(third)) == ({}, {0: (0, (-5, 6))})
    assert [number in third for number in (0, 1, 2, 3, "0")] == [True, False, False, False, False]
    for absent in (1, 2, 3):
        with pytest.raises(KeyError):
            third[absent]


def test_a_report_takes_less_than_200_bytes():
    def history(epochs):
        made = History()
        for number in range(20):
            made.apply(Started(number, Architecture({}), str(number), epochs, 0))
            for epoch in range(1, epochs + 1):
                values = dict.fromkeys(("val_accuracy", *"abcde"), number + 1 / epoch)
                made.apply(Report(number, epoch, values, 0.5, epoch, "w" * 9, {"a": 1 / epoch}))
        return made

    history(2)
    tracemalloc.start()
    kept = [history(10)]
    little = tracemalloc.get_traced_memory()[0]
    kept.append(history(210))
    much = tracemalloc.get_traced_memory()[0] - little
    tracemalloc.stop()
    assert (much - little) / (20 * 200) < 200
    assert len(kept[1].at(210)) == 20
