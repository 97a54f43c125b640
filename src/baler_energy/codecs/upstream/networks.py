"""Baler's networks, and which of ours it reads."""

from dataclasses import replace

from baler_energy.codecs.baler.architecture import Network, network
from baler_energy.codecs.baler.pruning.base import Pruning

__all__ = ["MODELS", "class_of", "read_as"]

#: Baler's fully connected float64 networks, by class name.
MODELS: dict[str, Network] = {"AE": network("baler"), "FPGA_prototype_model": network("baler-small")}


def class_of(found: Network) -> str | None:
    """Give the name of Baler's class that holds a network, padded with zeros if it is narrower; None: there is none."""
    return next((name for name, known in MODELS.items() if found.fits_into(known)), None)


def read_as(model: str, pruning: str) -> str:
    """Say whether Baler reads a trained network, given by its values of the axes ``model`` and ``pruning``.

    Returns
    -------
    str
        ``yes``; ``no``; ``padded``: it reads the network filled up with zeros to the widths of its own, in which it is
        no faster; or ``unknown``: the network was wider before neurons were removed.
    """
    found, kind = network(model), Pruning.parse(pruning)
    loses_neurons = kind is not None and kind.kind.structured
    if name := class_of(found):
        return "padded" if loses_neurons or found != MODELS[name] else "yes"
    narrowest = replace(found, hidden=(1,) * len(found.hidden))
    return "unknown" if loses_neurons and class_of(narrowest) else "no"
