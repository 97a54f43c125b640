"""Layers and multiply-accumulates of Baler's network, from the parameters of a record."""

from collections.abc import Mapping
from typing import Any

from baler_energy.codecs.baler.architecture import Architecture, network
from baler_energy.codecs.baler.pruning.base import Pruning
from baler_energy.codecs.packing import Packing
from baler_energy.vocabulary import Operation

__all__ = ["layers", "macs_per_row"]


def layers(parameters: Mapping[str, Any]) -> Architecture | str:
    """Give the network, or return why it is unknown; see `Engine.layers`."""
    if Pruning.parse(parameters["pruning"] or "none"):
        return "the network was pruned, and the dataset does not have its widths"
    return network(parameters["model"]).sized(int(parameters["columns"]), int(parameters["latent_columns"]))


def macs_per_row(operation: str, parameters: Mapping[str, Any]) -> int | str:
    """Count per row of the table, or return why it cannot be counted; see `Engine.macs`."""
    found = layers(parameters)
    if isinstance(found, str):
        return found
    if operation == Operation.TRAIN:
        return found.training_macs
    if operation == Operation.DECOMPRESS:
        return found.decode_macs
    # To keep an error bound, compression also decodes.
    decoded = 0 if Packing.parse(parameters["packing"]).error_bound is None else found.decode_macs
    return found.encode_macs + decoded
