"""The data of a search, divided into training, validation and test data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

from raynas.data.dataset import check_dataset, describe, described, is_dataset
from raynas.data.moments import moments
from raynas.data.split import Split, merged
from raynas.errors import DataError, kind_of
from raynas.goals import Classification, Goal
from raynas.goals.inferred import inferred
from raynas.rng import split_rng
from raynas.trees import mapped, named_leaves


@dataclass(frozen=True)
class Data:
    """The data of a search (``train``, ``valid``) and of the winner's single test (``test``).

    Each part is a ``Split`` of arrays, or a data set of your own: an object with ``__len__`` and
    ``__getitem__`` (``torch.utils.data.Dataset``), or an iterable, that gives pairs of inputs and
    targets. All parts are of the same kind.

    Attributes:
        train: The examples that weights are fitted to.
        valid: The examples that architectures are chosen by.
        test: The examples that the winner is tested on.
        goal: What is learnt; none for classification if targets are whole numbers, regression if
            they are real numbers.
        brief: What ``build`` may ask for by name, in addition to ``input_shape`` and the brief of
            the goal, such as ``vocabulary``.
        norm: The normalisation of the inputs: ``Moments``, or none, in a tree like the inputs;
            none to compute it from the training inputs, ``False`` for no normalisation.
        collate: Makes a batch of a list of examples of a data set; none for torch's own.
        batched: Whether a data set gives whole batches, so that none are made of its examples.
        exchangeable: Whether training and validation examples may be divided anew, for folds and
            finalists; not if they have an order, such as time.
        encoding: How rows or texts of the user's become inputs, as JSON-ready data. It goes to the
            winner's card, so that new ones are encoded in the same way.
        workers: Processes that load the examples of a data set; none for as many as the trial has
            CPUs beside its own on a GPU, and for no other process on a CPU.
    """

    train: Any
    valid: Any
    test: Any
    goal: Goal = None  # type: ignore[assignment]  # never none after __post_init__
    brief: Mapping[str, Any] = field(default_factory=dict)
    norm: Any = None
    collate: Callable[[Sequence[Any]], Any] | None = None
    batched: bool = False
    exchangeable: bool = True
    encoding: Mapping[str, Any] = field(default_factory=dict)
    workers: int | None = None
    _given: tuple[Goal | None, Sequence[Any], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check that the parts fit each other; adapt the goal and the targets to each other."""
        if self.arrays:
            self._check_arrays()
            targets = [part.targets for part in self.parts]
            object.__setattr__(self, "_given", (self.goal, targets, self.norm))
            goal, fitted = (self.goal or inferred(self.train.targets)).fitted(targets)
            object.__setattr__(self, "goal", goal)
            for name, part, wanted in zip(
                ("train", "valid", "test"), self.parts, fitted, strict=True
            ):
                if wanted is not part.targets:
                    object.__setattr__(self, name, replace(part, targets=wanted))
            if self.norm is None:
                object.__setattr__(self, "norm", moments(self.train))
        else:
            check_dataset(self.parts, self.goal)
            object.__setattr__(self, "_given", (self.goal, (), self.norm))
        if self.norm is False:
            object.__setattr__(self, "norm", mapped(lambda _: None, self.example))

    def _check_arrays(self) -> None:
        """Check that the three splits have the same types and shapes."""
        mine = dict(named_leaves(self.train.inputs))
        for split in (self.valid, self.test):
            theirs = dict(named_leaves(split.inputs))
            if mine.keys() != theirs.keys():
                raise DataError(
                    f"all splits must hold the same inputs: got {[*mine]} and {[*theirs]}"
                )
            for name, array in mine.items():
                other = theirs[name]
                if array.dtype != other.dtype:
                    raise DataError(
                        "all splits must hold inputs of one number type: "
                        f"got {array.dtype} and {other.dtype}"
                    )
                if array.shape[1:] != other.shape[1:]:
                    raise DataError(
                        "all splits must hold examples of one shape: "
                        f"got {tuple(array.shape[1:])} and {tuple(other.shape[1:])}"
                    )

    @classmethod
    def split(
        cls,
        known: Split,
        *,
        seed: int,
        valid: float | Split = 0.2,
        test: float | Split = 0.2,
        names: Sequence[str] = (),
        **more: Any,
    ) -> Data:
        """Divide examples for a search, the same way for the same seed.

        Args:
            known: The examples; those that are not set aside are training examples.
            seed: The run's seed.
            valid: The validation examples, or the fraction of ``known`` to set aside for them.
            test: The test examples, or a fraction; give the official test set if there is one.
            names: The names of the classes, by label, as in ``Classification``.
            more: Other fields of ``Data``, such as ``goal``.

        Raises:
            DataError: A fraction would leave a part empty, or a class has no name.
        """
        for what, given in (("known", known), ("valid", valid), ("test", test)):
            if not isinstance(given, Split) and (what == "known" or not isinstance(given, Real)):
                wanted = "a Split" if what == "known" else "a fraction or a Split"
                raise DataError(f"{what} must be {wanted}: got {kind_of(given)}")
        rng = split_rng(seed)
        count = len(known)
        train = known
        if not isinstance(test, Split):
            train, test = train.divide(float(test), rng)
        if not isinstance(valid, Split):
            train, valid = train.divide(float(valid) * count / len(train), rng)
        if names:
            more["goal"] = Classification(names=tuple(map(str, names)))
        return cls(train, valid, test, **more)

    @property
    def parts(self) -> tuple[Any, Any, Any]:
        """The training, validation and test examples."""
        return self.train, self.valid, self.test

    @property
    def arrays(self) -> bool:
        """Whether the examples are arrays.

        Raises:
            DataError: A part is neither a ``Split`` nor a data set, or the parts are of both.
        """
        kinds = {isinstance(part, Split) for part in self.parts}
        strange = [p for p in self.parts if not isinstance(p, Split) and not is_dataset(p)]
        if len(kinds) > 1 or strange:
            raise DataError(
                "train, valid and test must be three Splits, or three data sets with __getitem__ "
                f"or __iter__: got {', '.join(map(described, self.parts))}"
            )
        return kinds == {True}

    @property
    def example(self) -> Any:
        """The inputs of the first training example, without an axis of examples."""
        if self.arrays:
            return mapped(lambda array: array[0], self.train.inputs)
        return None

    @property
    def input_shape(self) -> Any:
        """The shape of one example, such as (channels, height, width); by name if there are more.

        Raises:
            DataError: The examples are no arrays.
        """
        return self._known("input_shape")

    @property
    def classes(self) -> int:
        """How many classes there are.

        Raises:
            DataError: The goal is not classification.
        """
        return int(self._known("classes"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, by label; empty if they are unknown."""
        return getattr(self.goal, "names", ())

    def _known(self, name: str) -> Any:
        if name not in self.told:
            raise DataError(f"these data have no {name}: they offer {', '.join(self.told)}")
        return self.told[name]

    @property
    def told(self) -> Mapping[str, Any]:
        """All that ``build`` may ask for by name."""
        shapes = {}
        if self.arrays:
            named = {
                name: tuple(array.shape[1:]) for name, array in named_leaves(self.train.inputs)
            }
            shapes["input_shape"] = named[""] if [*named] == [""] else named
        return {**shapes, **self.goal.brief, **self.brief}

    def with_goal(self, goal: Goal) -> Data:
        """Return the same data with a goal, unless they were made with another one."""
        given, targets, norm = self._given
        if given is not None:
            return self
        named = zip(("train", "valid", "test"), self.parts, targets, strict=True)
        parts = {name: replace(part, targets=own) for name, part, own in named}
        return replace(self, goal=goal, norm=norm, **parts)

    def divided(self, train: Split, valid: Split) -> Data:
        """Return data with other training and validation examples.

        They get a normalisation of their own, unless these data were made with one.
        """
        *_, norm = self._given
        return replace(self, train=train, valid=valid, norm=norm)

    def merged(self) -> Any:
        """Return ``train`` and ``valid`` together; the winner may be trained on both."""
        if self.arrays:
            return merged(self.train, self.valid)
        from torch.utils.data import ChainDataset, ConcatDataset  # noqa: PLC0415 - loads torch

        mapped_sets = all(hasattr(part, "__getitem__") for part in (self.train, self.valid))
        return (ConcatDataset if mapped_sets else ChainDataset)([self.train, self.valid])

    def describe(self) -> dict[str, object]:
        """Return sizes and digests, by which a journal recognises the same data."""
        told = self.told
        known = {name: told[name] for name in ("input_shape", "classes") if name in told}
        if isinstance(known.get("input_shape"), tuple):
            known["input_shape"] = list(known["input_shape"])
        names = ("train", "valid", "test")
        return {
            **known,
            **{name: _digest(part) for name, part in zip(names, self.parts, strict=True)},
        }


def _digest(part: Any) -> dict[str, object]:
    if isinstance(part, Split):
        return {"examples": len(part), "digest": part.digest}
    return describe(part)
