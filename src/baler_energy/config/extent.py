"""How large a study may be: checked before its grid is made, which would take memory and time without bound."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from baler_energy.config.parameters import AXES
from baler_energy.config.sections import Repeats
from baler_energy.errors import InputError
from baler_energy.mistakes import shortened

if TYPE_CHECKING:
    from baler_energy.config.study import Study

__all__ = ["MOST_RUNS", "check_comparisons", "check_config", "check_grid", "check_peers"]

#: Most values of a configuration, with each alias written out, and its largest whole number.
_MOST_VALUES, _LARGEST = 100_000, 10**15
#: Most runs of a study. A dry run of 33,075 takes 5 minutes and 4 GB (docs/scaling.md), and both grow linearly.
MOST_RUNS = 100_000
#: Most comparisons of a section's points with those of the grid, which every command does.
_MOST_COMPARISONS = 10_000_000


def check_config(config: Any) -> None:
    """Refuse a configuration that is too large with each alias written out, or has values that no command can get.

    Parameters
    ----------
    config
        Nested mappings and lists, or the nodes that YAML makes them from.

    Raises
    ------
    InputError
        It is too large, contains itself, or has a number above 10^15, a null character or half a character.
    """
    if _count(config, {}) > _MOST_VALUES:
        raise InputError(
            f"the study has more than {_MOST_VALUES:,} values if its aliases (*name) are written out. Use fewer."
        )


def check_comparisons(key: str, entries: int, points: int) -> None:
    """Raise `ValueError` if a key has too many entries that each select among the points of the grid."""
    if entries * points > _MOST_COMPARISONS:
        raise ValueError(f"{key}: {entries:,} entries are too many for a grid of {points:,} runs. Use fewer.")


def _count(item: Any, known: dict[int, float]) -> float:
    """Count the values in an item; infinite if it contains itself."""
    text = item.value if isinstance(item, yaml.ScalarNode) else item
    if isinstance(text, str) and ("\0" in text or text != text.encode(errors="ignore").decode()):
        raise InputError(f"the text {text!r} has a character that cannot be written to a file or passed to a command.")
    if isinstance(item, int) and abs(item) > _LARGEST:
        raise InputError(f"the number {shortened(item)} is too large; no key can be above {_LARGEST:.0e}.")
    if id(item) not in known:
        known[id(item)] = math.inf  # until it is known
        known[id(item)] = 1 + sum(_count(part, known) for part in _parts(item))
    return known[id(item)]


def _parts(item: Any) -> Iterable[Any]:
    """Keys and values of a mapping, or items of a list; a node of a mapping has a list of pairs."""
    if isinstance(item, Mapping | yaml.MappingNode):
        return itertools.chain.from_iterable(item.items() if isinstance(item, Mapping) else item.value)
    return item.value if isinstance(item, yaml.SequenceNode) else item if isinstance(item, list | tuple | set) else ()


def check_grid(study: "Study") -> None:
    """Refuse a grid of too many runs, without making it.

    Raises
    ------
    ValueError
        There are too many.
    """
    lengths = {axis: len(getattr(study.axes, axis) or (None,)) for axis in AXES}
    if study.reference is None:
        lengths["dataset"] = len(getattr(study.axes, "dataset", None) or study.data)
        combinations = math.prod(lengths.values())
    else:
        varied = [axis for axis in AXES if axis in study.axes.model_fields_set]
        combinations = 1 + sum(lengths[axis] for axis in varied) + len(study.also)
    repeats = study.repeats.most if isinstance(study.repeats, Repeats) else study.repeats
    _refuse("runs", combinations * repeats)


def check_peers(study: "Study") -> None:
    """Refuse too many runs with other tools; raises `ValueError`."""
    _refuse("runs with other tools", len(study.peer_points) * len(study.peers.tools) * study.peers.repeats)


def _refuse(what: str, count: int) -> None:
    if count > MOST_RUNS:
        raise ValueError(
            f"the grid has {count:,} {what}, of which at most {MOST_RUNS:,} can be planned (docs/scaling.md). Use "
            "fewer values or repeats"
        )
