"""What is done with each event of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raynas.execution.interruption import Interruption
from raynas.experiment.run.checkpoints import Checkpoints
from raynas.experiment.run.watchers import Watchers
from raynas.insight.board.tensorboard import TensorBoard
from raynas.journal import Journal
from raynas.storage.disk import writing
from raynas.trial import Event, History, Started, Winner


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records each event, and tells it to all that want to know.

    Attributes:
        history: The history, which gets the event first.
        journal: The journal.
        files: The checkpoints; a trial that begins gets the weights that it inherits.
        sweep: Deletes checkpoints that are not needed, now and then.
        board: TensorBoard.
        others: The watchers.
        interruption: Knows whether a signal asks the run to end.
    """

    history: History
    journal: Journal
    files: Checkpoints
    sweep: Callable[[], None]
    board: TensorBoard
    others: Watchers
    interruption: Interruption

    def __call__(self, event: Event) -> None:
        """Record an event.

        Raises:
            StorageError: It cannot be written.
            Interrupted: A signal ends the run.
        """
        self.history.apply(event)
        self.journal.append(event)
        if isinstance(event, Started):
            self.files.endow(self.history.trials[event.number], self.history)
            self.sweep()
        if isinstance(event, Winner):  # its checkpoint is deleted next
            self.journal.settle()
        with writing(str(self.files.folder)):
            self.board.write(event, self.history)
        self.others.write(event, self.history)
        self.interruption.check()
