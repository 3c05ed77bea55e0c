"""Continuations as a tree: what they share is read once. Plain Python; the model is in `scoring`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sensorium.engines.turn import Ids


@dataclass
class Node:
    """A prefix of some continuations.

    Attributes:
        token: its last id; -1 at the root, which stands for the prompt.
        parent: the node one id shorter; None at the root.
        depth: number of ids.
        children: the nodes one id longer, in the order of their ids.
        ends: positions in the list of continuations of those that are exactly this prefix.
    """

    token: int
    parent: Node | None
    depth: int
    children: list[Node] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def inner(self) -> Iterator[Node]:
        """The nodes below that have children, every parent before its children."""
        stack = [child for child in reversed(self.children) if child.children]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(child for child in reversed(node.children) if child.children)


def grow(continuations: Sequence[Ids], chosen: Sequence[int] | None = None) -> Node:
    """The tree of the continuations, or of those at the ``chosen`` positions, sorted."""
    root = Node(-1, None, 0)
    order = range(len(continuations)) if chosen is None else chosen
    path = [root]
    for index in sorted(order, key=lambda i: tuple(continuations[i])):
        ids = continuations[index]
        shared = _shared(path, ids)
        del path[shared + 1 :]
        for token in ids[shared:]:
            path.append(Node(token, path[-1], path[-1].depth + 1))
            path[-2].children.append(path[-1])
        path[-1].ends.append(index)
    return root


def _shared(path: list[Node], ids: Ids) -> int:
    """How many leading ids lie on the path from the root."""
    count = 0
    for node, token in zip(path[1:], ids, strict=False):
        if node.token != token:
            break
        count += 1
    return count


def blocks(continuations: Sequence[Ids], size: int) -> Iterator[list[int]]:
    """Positions of neighbouring continuations whose tree has about ``size`` inner nodes at most."""
    block: list[int] = []
    held, last = 0, ()
    for index in sorted(range(len(continuations)), key=lambda i: tuple(continuations[i])):
        inner = tuple(continuations[index][:-1])
        new = len(inner) - _common(last, inner)
        if block and held + new > size:
            yield block
            block, held, new = [], 0, len(inner)
        block.append(index)
        held, last = held + new, inner
    if block:
        yield block


def _common(a: Ids, b: Ids) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
