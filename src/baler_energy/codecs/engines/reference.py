"""Baler's autoencoder in plain PyTorch, as a Baler user runs it."""

from baler_energy.codecs.baler.macs import layers, macs_per_row
from baler_energy.codecs.baler.pruning.base import refuse_both
from baler_energy.codecs.engines.base import Engine

__all__ = ["ENGINE"]

ENGINE = Engine(
    name="reference",
    runs_as_baler=True,
    profilers=None,
    has_layers=True,
    macs=macs_per_row,
    layers=layers,
    refuse=refuse_both,
)
