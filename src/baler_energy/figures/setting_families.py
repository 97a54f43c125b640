"""How figures mark the settings of a training: by the family of what they change in Baler's default.

A family is the one axis that a setting changes besides those of the recommended setting, which may be combined with
anything. If it changes only these, the engine and the precision say how the same training is computed, and a learning
rate belongs to its schedule, so these only make a family of their own if nothing else changes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from baler_energy.config.recommended import RECOMMENDED

__all__ = ["FAMILIES", "SEVERAL", "family_of", "setting_looks"]

#: Family of settings that change several things, or one that has no family of its own.
SEVERAL = "several changes"
_COMPUTED = ("engine", "precision")
#: Mark and colour of each family, in order. The marks alone distinguish them, also in greyscale.
FAMILIES: Mapping[str, tuple[str, str]] = {
    "engine": ("s", "#3d9bd9"),
    "precision": ("D", "#117733"),
    "start": ("^", "#cc6677"),
    "schedule": ("v", "#882255"),
    "learning_rate": ("<", "#999933"),
    "optimizer": ("P", "#2a9d8f"),
    "model": ("h", "#332288"),
    "pruning": ("X", "#d0a900"),
    "batch_size": ("p", "#aa4499"),
    "threads": ("d", "#5fb8e0"),
    "runtime": ("8", "0.3"),
    SEVERAL: (">", "0.5"),
}
#: How the marks of a family's settings are filled.
_FILLS = ("full", "none", "left", "top", "right", "bottom")


def family_of(changed: Sequence[str]) -> str:
    """Return the family of a setting from the axes that it changes (column ``changed`` of `savings.with_setting`)."""
    main = [axis for axis in changed if axis not in RECOMMENDED]
    if not main:
        others = [axis for axis in changed if axis not in _COMPUTED] or list(changed)
        main = [axis for axis in others if axis != "learning_rate"] or others
    return main[0] if len(main) == 1 and main[0] in FAMILIES else SEVERAL


def setting_looks(settings: Mapping[str, Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Return the style of each setting's line, in the order of families.

    Parameters
    ----------
    settings
        Changed axes by the name of the setting.

    Returns
    -------
    dict
        The family gives mark and colour. How the mark is filled distinguishes the settings of a family.
    """
    order, seen = list(FAMILIES), dict.fromkeys(FAMILIES, 0)
    looks = {}
    for name in sorted(settings, key=lambda name: (order.index(family_of(settings[name])), len(settings[name]), name)):
        family = family_of(settings[name])
        (marker, colour), number = FAMILIES[family], seen[family]
        seen[family] += 1
        again, fill = divmod(number, len(_FILLS))
        look: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "fillstyle": _FILLS[fill],
            "markerfacecoloralt": "white",
        }
        looks[name] = look | {"markersize": 7 - 1.5 * again, "linestyle": (":", "--", "-.")[again % 3]}
    return looks
