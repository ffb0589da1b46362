"""What a search in which harm was done has lost, doubled or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from soak_torment import EPOCHS, SEED, Soak


def judge(soak: Soak, mine: ModuleType) -> list[str]:
    """Return what is wrong with the journal, a line each."""
    events = soak.events()
    wrong = []
    finished = Counter(one["number"] for one in events if one["event"] == "finished")
    wrong += [
        f"trial {at} finished {finished[at]} times"
        for at in range(soak.trials)
        if finished[at] != 1
    ]
    wrong += [
        f"trial {one['number']} failed: {one['reason']}"
        for one in events
        if one["event"] == "failed"
    ]
    started = {one["number"]: one for one in events if one["event"] == "started"}
    answered = {one["number"] for one in events if one.get("answered_by") is not None}
    trained = {
        tuple(map(int, line.split())) for line in (soak.folder / "log").read_text().splitlines()
    }
    for number, start in started.items():
        reports = [one for one in events if one["event"] == "report" and one["number"] == number]
        epochs = [one["epoch"] for one in reports]
        if number not in answered and epochs != [*range(1, EPOCHS + 1)]:
            wrong.append(f"trial {number} reported the epochs {epochs}")
        for one in reports:
            told, true = (
                one["metrics"]["val_score"],
                mine.worth(start["architecture"], one["epoch"]),
            )
            if told != true or (start["seed"], one["epoch"]) not in trained:
                wrong.append(
                    f"trial {number} reported {told} after epoch {one['epoch']}, "
                    f"and trained to {true}"
                )
    return wrong + unlike_proposals(soak, mine)


def unlike_proposals(soak: Soak, mine: ModuleType) -> list[str]:
    """Return the trials that the searcher does not propose after what stands before them."""
    from raynas.journal import read
    from raynas.rng import proposal_rng
    from raynas.searchers import SEARCHERS
    from raynas.trial import History, Started
    from raynas.trial.codec import from_data

    searcher = SEARCHERS["evolution"](mine.SPACE, population_size=20)
    history, wrong = History(read(soak.run).history.objectives), []
    for data in soak.events():
        if data["event"] == "run":
            continue
        event = from_data(data)
        if isinstance(event, Started):
            proposed = searcher.propose(history, proposal_rng(SEED, event.number))
            if dict(proposed.architecture) != dict(event.architecture):
                wrong.append(f"trial {event.number} is not what the searcher proposes there")
        history.apply(event)
    return wrong


def recoveries(events: Sequence[dict[str, Any]]) -> list[float]:
    """Return the seconds from each lost worker's event until its trial reported again."""
    found = []
    for at, event in enumerate(events):
        if event["event"] == "retried":
            again = (
                one["at"]
                for one in events[at:]
                if one["event"] == "report" and one["number"] == event["number"]
            )
            if (then := next(again, None)) is not None:
                found.append(then - event["at"])
    return found
