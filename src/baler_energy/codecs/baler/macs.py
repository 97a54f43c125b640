"""Multiply-accumulates of compression and decompression with Baler's network, from the parameters of a record."""

from collections.abc import Mapping
from typing import Any

from baler_energy.codecs.baler.architecture import network
from baler_energy.codecs.baler.pruning.base import Pruning
from baler_energy.codecs.packing import Packing
from baler_energy.vocabulary import Operation

__all__ = ["macs_per_row"]


def macs_per_row(operation: str, parameters: Mapping[str, Any]) -> int | str:
    """Count per row of the table, or return why it cannot be counted; see `Engine.macs`."""
    if Pruning.parse(parameters["pruning"] or "none"):
        return "the network was pruned, and the dataset does not have its widths"
    architecture = network(parameters["model"]).sized(int(parameters["columns"]), int(parameters["latent_columns"]))
    if operation == Operation.DECOMPRESS:
        return architecture.decode_macs
    # To keep an error bound, compression also decodes.
    decoded = 0 if Packing.parse(parameters["packing"]).error_bound is None else architecture.decode_macs
    return architecture.encode_macs + decoded
