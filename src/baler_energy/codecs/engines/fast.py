"""Baler's autoencoder: the same mathematics, at the speed of the hardware."""

from baler_energy.codecs.baler.macs import layers, macs_per_row
from baler_energy.codecs.baler.pruning.base import Pruning, refuse_both
from baler_energy.codecs.engines.base import Engine
from baler_energy.codecs.precisions import PRECISIONS
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError

__all__ = ["ENGINE"]


def _refuse(point: Parameters, training: Training) -> None:
    pruning = Pruning.parse(point.pruning)
    if pruning and not pruning.kind.structured:
        raise InputError(
            f"engine 'fast' does not support pruning {point.pruning!r}, only kinds that remove neurons. Use one of "
            "them, or engine 'reference'."
        )
    if point.precision == "float16" and point.device == "cpu":
        raise InputError("precision 'float16' requires a GPU. Use device 'cuda', or precision 'float32' or 'bfloat16'.")
    refuse_both(point, training)


ENGINE = Engine(
    name="fast",
    runs_as_baler=False,
    precisions=tuple(PRECISIONS),
    reads_files=True,
    profilers=("cprofile",),
    macs=macs_per_row,
    layers=layers,
    refuse=_refuse,
)
