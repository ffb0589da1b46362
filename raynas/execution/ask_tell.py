"""Ask a searcher for architectures and tell it their scores, in a loop of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from raynas.errors import ConfigError, RaynasError, SearcherError, unknown
from raynas.execution.open_history import OpenHistory, Told
from raynas.execution.proposals import answer, ask, begin, exhausted, unscored
from raynas.options import made
from raynas.searchers import Searcher, check, make
from raynas.searchers.requirements import Requirements
from raynas.space import Architecture, Space
from raynas.trial import Cause, Failed, Finished, History, Objective, Proposal, Report, Trial
from raynas.trial import codec as event_codec

AnySearcher = str | Searcher | Callable[..., Searcher]


class AskTell:
    """A search in which you train the networks.

    >>> search = AskTell(space, metric="accuracy")  # doctest: +SKIP
    >>> trial = search.ask()  # doctest: +SKIP
    >>> search.tell(trial.number, {"accuracy": train(trial.architecture)})  # doctest: +SKIP

    A network that was trained or has failed is not proposed again, unless the searcher asks for a
    repeated training. Several trials may be asked for before the first is told.
    """

    def __init__(
        self,
        space: Space,
        searcher: AnySearcher = "auto",
        *,
        metric: str | Sequence[str],
        mode: str | Sequence[str] = "max",
        epochs: int | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        """Make the searcher.

        Args:
            space: The search space.
            searcher: A name from ``raynas.searchers.SEARCHERS``, a searcher, a searcher class, or
                a function that returns a searcher for the space.
            metric: The metric to optimise; several for several objectives.
            mode: ``max`` or ``min``, for all metrics or for each.
            epochs: The epoch after which a trial is fully trained; none for the longest training
                so far.
            seed: The seed of the proposals.
            options: The options of the searcher.

        Raises:
            ConfigError: There is no such searcher, an option is invalid, or the searcher does not
                support the objectives.
            SpaceError: The searcher does not support the space.
        """
        if epochs is not None and epochs < 1:
            raise ConfigError(f"epochs must be at least 1, got {epochs}")
        self.objectives = objectives_of(metric, mode)
        self._space = space
        self._searcher = _made(searcher, space, options)
        check(self._searcher, Requirements(self.objectives, epochs or 1))
        self._epochs = epochs
        self._seed = seed
        self._open = OpenHistory(self.objectives, epochs)

    @property
    def history(self) -> History:
        """Everything that was asked and told."""
        return self._open.history

    @property
    def best(self) -> Trial | None:
        """The best of the trials that were trained the longest; none before the first."""
        return self.history.best

    def ask(self) -> Trial | None:
        """Return the next trial, with its ``number`` and ``architecture``.

        None if the searcher has nothing new to propose.

        Raises:
            SearcherError: The searcher raised, or proposed a training that is not a full one from
                new weights.
        """
        while not exhausted(history := self.history, self._space):
            proposal = ask(self._searcher, self._space, history, self._seed)
            if proposal is None:
                break
            self._require_plain(proposal, len(history.trials))
            trial = self._begin(proposal)
            known = answer(trial.started, self.history)
            if known is None:
                return trial
            self._open.apply(known)
        return None

    def report(self, number: int, metrics: Mapping[str, float], epoch: int | None = None) -> None:
        """Record the metrics of a running trial after an epoch; none for the next epoch.

        Raises:
            ConfigError: The trial is not running, the epoch was reported, a metric is no number,
                or an objective is missing or not finite.
        """
        trial = self._running(number)
        epoch = trial.epoch + 1 if epoch is None else epoch
        if epoch <= trial.epoch:
            raise ConfigError(f"trial {number} reported epoch {trial.epoch} already, got {epoch}")
        self._open.apply(Report(number, epoch, self._checked(metrics, epoch)))

    def tell(
        self, number: int, metrics: Mapping[str, float] | None = None, epoch: int | None = None
    ) -> Trial:
        """End a trial with its last metrics; none for those of its last report.

        Raises:
            ConfigError: As for ``report``, or there are no metrics.
        """
        if metrics is not None:
            self.report(number, metrics, epoch)
        if not self._running(number).reports:
            raise ConfigError(f"trial {number} has no metrics: tell({number}, metrics)")
        self._open.apply(Finished(number))
        return self.history.trials[number]

    def fail(
        self, number: int, reason: str = "the training failed", cause: Cause = "architecture"
    ) -> None:
        """End a trial without a score.

        Args:
            number: Its number.
            reason: Why, in a few words.
            cause: ``architecture`` if it would fail again, so that searchers avoid it; or
                ``circumstances``.

        Raises:
            ConfigError: The trial is not running.
        """
        self._open.apply(Failed(self._running(number).number, reason, cause=cause))

    def add(
        self, values: Mapping[str, Any], metrics: Mapping[str, float], epoch: int | None = None
    ) -> Trial:
        """Add a result that is known already; the searcher learns from it.

        Args:
            values: The decisions of an architecture, by path.
            metrics: As for ``tell``.
            epoch: After how many epochs; none for 1.

        Raises:
            SpaceError: The decisions are no architecture of the space.
            ConfigError: As for ``report``.
        """
        architecture: Architecture = self._space.architecture(values)
        self._checked(metrics, epoch or 1)  # before the trial begins
        return self.tell(self._begin(Proposal(architecture, repeat=True)).number, metrics, epoch)

    def to_data(self) -> list[dict[str, Any]]:
        """Return everything that was asked and told, as JSON-ready data."""
        return [dict(event_codec.to_data(event)) for event in self._open.told]

    def replay(self, data: Sequence[Mapping[str, Any]]) -> None:
        """Forget everything, and take what ``to_data`` returned instead.

        Raises:
            ConfigError: The data are something else; then everything stays as it is.
        """
        replayed = OpenHistory(self.objectives, self._epochs)
        try:
            for event in data:
                replayed.apply(cast("Told", event_codec.from_data(dict(event))))
        except (RaynasError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"data must be what to_data() has returned: {error}") from error
        self._open = replayed

    def _checked(self, metrics: Mapping[str, float], epoch: int) -> dict[str, float]:
        """Return metrics as numbers, with all objectives among them."""
        if epoch < 1:
            raise ConfigError(f"epoch must be at least 1, got {epoch}")
        for objective in self.objectives:
            if objective.metric not in metrics:
                raise ConfigError(unknown("metric", objective.metric, metrics))
        try:
            found = {name: float(value) for name, value in metrics.items()}
        except (TypeError, ValueError) as error:
            raise ConfigError(f"metrics must be numbers by name, got {dict(metrics)!r}") from error
        if fault := unscored(self.objectives, found, epoch):
            raise ConfigError(f"{fault}: call fail(number, reason) for a trial without a score")
        return found

    def _begin(self, proposal: Proposal) -> Trial:
        number, epochs = len(self._open.loose.trials), self._open.epochs
        started = begin(proposal, number, self._space, epochs=epochs, seed=self._seed)
        self._open.apply(started)
        return self._open.loose.trials[number]

    def running(self, number: int) -> Trial | None:
        """Return a trial of this number; none if it has ended, or was not asked for."""
        trial = self._open.loose.trials.get(number)
        return None if trial is None or trial.outcome is not None else trial

    def _running(self, number: int) -> Trial:
        trial = self.running(number)
        if trial is None:
            running = ", ".join(str(one.number) for one in self._open.loose.running) or "none"
            raise ConfigError(f"no trial {number} is running: the running ones are {running}")
        return trial

    def _require_plain(self, proposal: Proposal, number: int) -> None:
        """Check that a proposal is a full training from new weights.

        Raises:
            SearcherError: It is not.
        """
        epochs = proposal.epochs or self._open.epochs
        wish = f"train for {epochs} epochs only" if epochs < self._open.epochs else ""
        wish = "begin with another trial's weights" if proposal.inherits else wish
        if wish:
            raise SearcherError(
                f"the searcher wants trial {number} to {wish}, which a plain Tuner or loop does "
                "not support: remove that option, or use raynas.search"
            )


def objectives_of(metric: str | Sequence[str], mode: str | Sequence[str]) -> tuple[Objective, ...]:
    """Return objectives of metrics and their directions.

    Raises:
        ConfigError: There is none, or a direction is missing or unknown.
    """
    metrics = [metric] if isinstance(metric, str) else [*metric]
    modes = [mode] * len(metrics) if isinstance(mode, str) else [*mode]
    if not metrics or len(modes) != len(metrics) or not {"max", "min"}.issuperset(modes):
        raise ConfigError(
            "there must be at least one metric, and every metric needs a mode, max or min; got "
            f"the metrics {metrics} with the modes {modes}"
        )
    return tuple(map(Objective, metrics, cast("Sequence[Any]", modes)))


def _made(searcher: AnySearcher, space: Space, options: Mapping[str, Any]) -> Searcher:
    if isinstance(searcher, str):
        return make(searcher, space, options)
    name = getattr(searcher, "__name__", type(searcher).__name__)
    found: Searcher = made(f"searcher {name!r}", searcher, "propose", options, space=space)
    return found
