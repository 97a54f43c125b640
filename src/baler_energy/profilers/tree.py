"""The call tree: the cost of a function for each place from which it is called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from baler_energy.profilers.hotspots import Hotspot

__all__ = ["Frame", "from_pairs", "from_stacks"]

#: Places with a smaller share are left out, so the listed children of a place may add up to less than its callees.
_SMALLEST = 0.005
_OURS = "baler_energy/"

#: A function: file (None: built-in), line, name.
Frame = tuple[str | None, int | None, str]


@dataclass
class _Node:
    frame: Frame
    calls: int = 0
    total_s: float = 0.0
    children: "dict[Frame, _Node]" = field(default_factory=dict)


def from_stacks(stacks: Iterable[tuple[Sequence[Frame], float]]) -> list[Hotspot]:
    """Build the tree from sampled stacks.

    Parameters
    ----------
    stacks
        Frames, outermost first, and the time (s) that the sample represents.

    Returns
    -------
    list of Hotspot
        A row of kind ``call`` for each place with a share of at least 0.5 %, parents before children.
    """
    root = _Node((None, None, ""))
    for frames, weight_s in stacks:
        node = root
        node.total_s += weight_s
        for frame in frames:
            node = node.children.setdefault(frame, _Node(frame))
            node.total_s += weight_s
    rows: list[Hotspot] = []
    for child in _by_time(root.children.values()):
        _walk(child, root.total_s, "", rows)
    return rows


def _by_time(nodes: Iterable[_Node]) -> list[_Node]:
    return sorted(nodes, key=lambda node: node.total_s, reverse=True)


def _walk(node: _Node, whole_s: float, path: str, rows: list[Hotspot]) -> None:
    if node.total_s < _SMALLEST * whole_s:
        return
    file, line, name = node.frame
    stack = f"{path};{name}" if path else name
    own_s = max(0.0, node.total_s - sum(child.total_s for child in node.children.values()))
    rows.append(
        Hotspot(
            kind="call",
            name=name,
            file=file,
            line=line,
            stack=stack,
            calls=node.calls or None,
            self_share=own_s / whole_s,
            total_share=node.total_s / whole_s,
            self_time_s=own_s,
            total_time_s=node.total_s,
        )
    )
    for child in _by_time(node.children.values()):
        _walk(child, whole_s, stack, rows)


@dataclass(frozen=True)
class _Cycle:
    """Functions that call one another, with their times as a group; usually a single function."""

    frame: Frame
    self_s: float
    total_s: float
    calls: int


def from_pairs(functions: Mapping[Frame, tuple[int, float, float, Mapping[Frame, tuple[int, float]]]]) -> list[Hotspot]:
    """Build the tree from a profile with pairs of caller and callee only, as gprof does.

    The profile contains the time of each caller's calls to a function. If the caller itself is called from several
    places, this time is divided in proportion to the caller's time at each place. Functions that call one another
    (torch's nested modules) form one place. It is named after the member with the most time, preferably from this
    package (Graham, Kessler, McKusick 1982, "gprof: a call graph execution profiler").

    Parameters
    ----------
    functions
        By function: calls, self time (s), time including callees (s), and by caller the calls and their time (s).

    Returns
    -------
    list of Hotspot
        As for `from_stacks`.
    """
    frames = list(functions)
    number = {frame: place for place, frame in enumerate(frames)}
    edges = [
        (number[caller], number[callee], calls, total_s)
        for callee, (_, _, _, callers) in functions.items()
        for caller, (calls, total_s) in callers.items()
        if caller in number
    ]
    owner = _cycles(len(frames), [edge[:2] for edge in edges])
    outside = [edge for edge in edges if owner[edge[0]] != owner[edge[1]]]
    entered: dict[int, list[Any]] = {}
    for edge in outside:
        entered.setdefault(owner[edge[1]], []).append(edge)
    members: dict[int, list[Frame]] = {}
    for frame in frames:
        members.setdefault(owner[number[frame]], []).append(frame)
    nodes = {key: _cycle(functions, group, entered.get(key, [])) for key, group in members.items()}
    calls: dict[int, dict[int, tuple[int, float]]] = {}
    for caller, callee, count, total_s in outside:
        known = calls.setdefault(owner[caller], {}).get(owner[callee], (0, 0.0))
        calls[owner[caller]][owner[callee]] = (known[0] + count, known[1] + total_s)
    root = _Node((None, None, ""))
    root.total_s = sum(node.self_s for node in nodes.values())
    for key, cycle in nodes.items():
        if key not in entered:
            _grow(root, key, cycle.total_s, cycle.calls, nodes, calls, root.total_s)
    rows: list[Hotspot] = []
    for child in _by_time(root.children.values()):
        _walk(child, root.total_s, "", rows)
    return rows


def _cycles(count: int, pairs: Sequence[Sequence[int]]) -> list[int]:
    """Return the index of each function's cycle (strongly connected component)."""
    callers, callees = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(callers)), (callers, callees)), shape=(count, count))
    labels: list[int] = connected_components(graph, connection="strong")[1].tolist()
    return labels


def _cycle(functions: Mapping[Frame, Any], group: Sequence[Frame], entered: Sequence[Any]) -> _Cycle:
    """Add up functions that call one another; their time including callees is that of calls from outside."""
    ours = [frame for frame in group if (frame[0] or "").startswith(_OURS)]
    name = max(ours or group, key=lambda frame: float(functions[frame][2]))
    whole_s = sum(edge[3] for edge in entered) if entered else max(functions[frame][2] for frame in group)
    calls = sum(edge[2] for edge in entered) if entered else max(functions[frame][0] for frame in group)
    return _Cycle(name, sum(functions[frame][1] for frame in group), whole_s, calls)


def _grow(
    parent: _Node,
    key: int,
    total_s: float,
    count: int,
    nodes: Mapping[int, _Cycle],
    calls: Mapping[int, Mapping[int, tuple[int, float]]],
    whole_s: float,
) -> None:
    """Add a function to the tree, with its share of its callees; a cycle is one node, so the recursion ends."""
    cycle = nodes[key]
    node = parent.children.setdefault(cycle.frame, _Node(cycle.frame))
    node.total_s += total_s
    node.calls += count
    if total_s < _SMALLEST * whole_s:
        return
    share = total_s / cycle.total_s if cycle.total_s else 0.0
    for callee, (edge_calls, edge_s) in calls.get(key, {}).items():
        _grow(node, callee, share * edge_s, round(share * edge_calls), nodes, calls, whole_s)
