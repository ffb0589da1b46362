"""Draw a graph of layers as text: its chains, and what each chain reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from raynas.insight.wording import in_lines
from raynas.space.graph import Graph, Layer

_WIDTH: Final = 78
_CHAIN: Final = 54  # of a line that says what its chain reads
_ARROW: Final = " → "


def draw_graph(graph: Graph) -> str:
    """Return a graph in a few lines.

    Layers that only read each other are a chain, and share a line. A chain has a number, and says
    which chains it reads::

        0  input → conv 3
        1  conv 5 → relu    reads 0
        2  sum → output     reads 0, 1

    A graph that is one chain has no numbers.
    """
    chains = _chains(graph)
    names = [[_name(graph.layers[layer]) for layer in chain] for chain in chains]
    if len(names) == 1:
        return "\n".join(in_lines(names[0], _ARROW, _WIDTH))
    return "\n".join(_lines(names, _reads(graph, chains)))


def _lines(names: Sequence[Sequence[str]], reads: Sequence[Sequence[int]]) -> Iterator[str]:
    """Yield a line for each chain; one that is too long goes on below itself."""
    chains = [in_lines(chain, _ARROW, _CHAIN) for chain in names]
    digits, widest = len(str(len(names))), max(len(line) for chain in chains for line in chain)
    for number, ((*most, last), read) in enumerate(zip(chains, reads, strict=True)):
        for at, part in enumerate(most):
            yield f"{'' if at else number:>{digits}}  {part}"
        said = f"{'' if most else number:>{digits}}  {last:{widest}}"
        yield f"{said}  reads {', '.join(map(str, read))}" if read else said.rstrip()


def _chains(graph: Graph) -> list[list[int]]:
    """Return the layers in chains: each reads only the one before, which only it reads."""
    reads: list[list[int]] = [[] for _ in graph.layers]
    readers: list[list[int]] = [[] for _ in graph.layers]
    for source, target in graph.edges:
        reads[target].append(source)
        readers[source].append(target)
    chains: list[list[int]] = []
    chain_of: dict[int, list[int]] = {}
    for layer, sources in enumerate(reads):
        if len(sources) == 1 and len(readers[sources[0]]) == 1:
            chain_of[layer] = chain_of[sources[0]]
            chain_of[layer].append(layer)
        else:
            chains.append([layer])
            chain_of[layer] = chains[-1]
    return chains


def _reads(graph: Graph, chains: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return for each chain the chains that its first layer reads."""
    number = {layer: at for at, chain in enumerate(chains) for layer in chain}
    return [
        sorted({number[source] for source, target in graph.edges if target == chain[0]})
        for chain in chains
    ]


def _name(layer: Layer) -> str:
    variant = f"{layer.variant:g}" if isinstance(layer.variant, float) else layer.variant
    return layer.kind if variant is None else f"{layer.kind} {variant}"
