"""Spaces as people write them at first: what is refused, and whether one sentence says why."""

import pytest
from torch import nn

from raynas.errors import ConfigError, SpaceError, TrialError
from raynas.experiment.resolve.references import find_space
from raynas.space import Architecture, Choice, Space
from raynas.training.child import built

ONE = Architecture({"width": 8})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import sys\nsys.exit(3)", r"SystemExit: 3 \(.*line 2: sys.exit\(3\)\)"),
        ("SPACE = {'a': 1}", "has as its SPACE dict of 1"),
        ("SPACE = 3", "has as its SPACE int"),
        ("def build(a): ...", "has no SPACE"),
        ("from raynas import *\nSPACE = Space({'a': Choice([1, 2])})", "has no build"),
        ("from raynas import *\nSpace({'a': [1, 2]})", r"got \[1, 2\]; write Choice\(\[1, 2\]\)"),
        ("from raynas import *\nSpace({'a': Space({'b': Int(1, 2)})})", "tree of a Space"),
    ],
)
def test_a_file_that_is_no_space_is_one_sentence(tmp_path, text, said):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(ConfigError, match=said) as raised:
        find_space(str(tmp_path / "mine.py"), {})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wrong", [lambda net: (net, 3), lambda net: {"model": net}, lambda _: 3])
def test_what_is_no_module_is_named_in_one_line(wrong):
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(9)))
    with pytest.raises(TrialError, match=r"must return a torch\.nn\.Module") as raised:
        built(lambda _: wrong(net), ONE, lambda: None)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 120


def test_a_decision_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(KeyError, match="no decision in this architecture 'widht': did you mean"):
        ONE["widht"]
    assert ONE.get("widht", 3) == 3
    assert ONE.get("width") == 8


def test_what_canonical_returns_must_be_text():
    space = Space({"a": Choice([1, 2])}, canonical=lambda _: 3)
    with pytest.raises(SpaceError, match="canonical must return text, such as JSON: got 3"):
        space.identity(Architecture({"a": 1}))
