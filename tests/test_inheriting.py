"""Who inherits from whom, and which checkpoints stay for it."""

import pytest
import strategies
from hypothesis import given, settings

import raynas
from raynas.errors import ConfigError
from raynas.execution.conductor import Conductor
from raynas.execution.plan import Plan
from raynas.experiment.resolve.suitability import check_parents
from raynas.experiment.run.checkpoints import Checkpoints
from raynas.experiment.run.folder import checkpoints, clear_partial
from raynas.experiment.run.sweep import Sweep
from raynas.schedulers import make as make_scheduler
from raynas.searchers import SEARCHERS, make
from raynas.searchers.inheriting import Inheriting
from raynas.space import Architecture, Choice, Space
from raynas.storage import store_of
from raynas.trial import Started

SPACE = Space({name: Choice(range(6)) for name in "abcd"})


def inheriting(name="evolution", **options):
    return Inheriting(make(name, SPACE, options))


@settings(max_examples=10)
@given(strategies.seeds())
def test_children_inherit_from_trained_parents_whose_weights_are_still_there(seed):
    searcher = inheriting(population_size=5, tournament_size=2)
    run = strategies.Search(searcher, seed=seed, trials=120, scheduler="asha", epochs=4)
    history = strategies.replay(())
    heirs = 0
    for event in run.run():
        if isinstance(event, Started) and event.inherits:
            heirs += 1
            donor = history.trials[event.parent].donor
            assert donor in searcher.keeps(history)
            assert history.trials[donor].trained
            assert history.trials[donor].reports
        history.apply(event)
    assert heirs > 60
    assert len(searcher.keeps(history)) <= 50


def test_a_searcher_without_parents_stays_as_it_is():
    alone = strategies.Search(make("random", SPACE), trials=20)
    wrapped = strategies.Search(inheriting("random"), trials=20)
    assert alone.run() == wrapped.run()


@pytest.mark.parametrize("name", SEARCHERS)
def test_searchers_say_whether_their_proposals_have_parents(name):
    run = strategies.Search(make(name, SPACE), trials=30, failing=0)
    run.run()
    parents = {trial.started.parent for trial in run.history.trials.values()} - {None}
    assert bool(parents) == getattr(SEARCHERS[name], "breeds", True)
    if parents:
        check_parents(make(name, SPACE))
        return
    with pytest.raises(ConfigError, match=f"the searcher '{name}' names none: .*evolution"):
        check_parents(make(name, SPACE))


def test_what_is_needed_is_what_runs_waits_or_has_heirs():
    run = strategies.Search(make("random", SPACE), scheduler="hyperband", epochs=9, trials=9)
    run.trials = 5  # not a whole bracket, so all that came to the first rung may go on
    run.run()
    plan = Plan(SPACE, make("random", SPACE), make_scheduler("hyperband"), 30, 9, 0)
    conductor = Conductor(plan, run.history, run.history.apply, lambda: 0.0)
    resumable = {t.number for t in run.history.trials.values() if t.resumable}
    assert conductor.needed == resumable


@pytest.fixture
def files(tmp_path):
    for number in range(3):
        Checkpoints(tmp_path).of(number).write_text(f"weights of {number}")
    return Checkpoints(tmp_path)


def test_what_is_set_aside_stays_when_the_donor_goes_on(files):
    heir = files.bequeath(0, 7)
    later = files.folder / "partial"
    later.write_text("later weights")
    later.replace(files.of(0))  # as a worker leaves a checkpoint
    assert heir.read_text() == "weights of 0"
    assert files.bequeath(0, 7).read_text() == "weights of 0"  # after a kill, asked again


def test_an_heir_with_a_checkpoint_of_its_own_needs_no_parent(files):
    files.of(7).write_text("own")
    assert not files.bequeath(0, 7).exists()


def test_only_what_is_needed_stays(files):
    files.bequeath(0, 7)
    files.sweep(lambda: {1, 7})
    assert {path.name for path in files.folder.iterdir()} == {
        "trial-0001.pt",
        "trial-0007.parent.pt",
    }


def test_what_a_process_is_writing_stays_until_the_run_is_taken_up_again(tmp_path):
    output, files = tmp_path / "run", checkpoints(tmp_path / "run")
    partial = [folder / "tmp1234.partial" for folder in (files.folder, output / "winner", output)]
    for path in (*partial, output / "notes.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("half a file")
    files.sweep(set)
    assert [*files.folder.iterdir()] == [partial[0]]
    clear_partial(output)
    assert not any(path.exists() for path in partial)
    assert (output / "notes.txt").exists()


def test_a_run_sets_weights_aside_when_an_heir_begins_and_when_it_is_taken_up_again(
    tmp_path, monkeypatch
):
    """Before the parent goes on, which nothing here does: only the events are made."""
    output, files = tmp_path / "run", checkpoints(tmp_path / "run")
    parent = Started(0, Architecture({}), "0", 3, 0)
    heir = Started(1, Architecture({}), "1", 3, 0, parent=0, inherits=True)

    def executed(experiment, resolved, conductor, ending):  # noqa: ARG001 - in place of the one with Ray
        if not conductor.history.trials:
            files.folder.mkdir()
            files.of(0).write_text("weights of 0")
            conductor.record(parent)
            conductor.record(heir)
        assert files.bequeathed(1).read_text() == "weights of 0"
        files.bequeathed(1).unlink()

    monkeypatch.setattr("raynas.experiment.run.search._execute", executed)
    raynas.search(space="mlp", trials=3, output=output)
    raynas.resume(output)


def test_where_there_are_no_links_a_copy_is_made(files, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refuse)
    assert files.bequeath(0, 7).read_text() == "weights of 0"
    assert sorted(path.suffix for path in files.folder.iterdir()) == [".pt"] * 4


def test_a_sweep_beside_the_search_deletes_what_was_there_when_it_began(tmp_path):
    files, settled = checkpoints(tmp_path), []
    store_of(files.folder).write({files.of(0).name: b"", files.of(1).name: b""})
    sweep = Sweep(files, lambda: {1}, lambda: settled.append(files.of_trials()))
    sweep()
    sweep._thread.submit(int).result()  # the files are listed
    store_of(files.folder).write({files.of(2).name: b""})  # a trial that has begun since
    sweep()
    sweep._thread.submit(int).result()
    sweep.close()
    assert files.of_trials() == [files.of(1).name, files.of(2).name]
    assert len(settled) == 1
    assert files.of(0).name in settled[0], "the journal is safe before a file is deleted"
