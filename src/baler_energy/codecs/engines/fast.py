"""Baler's autoencoder: the same mathematics, at the speed of the hardware."""

from baler_energy.codecs.engines.base import Engine
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError
from baler_energy.variants import OPTIMIZERS

__all__ = ["ENGINE"]


def _refuse(point: Parameters, training: Training) -> None:
    able = [name for name, kind in OPTIMIZERS.items() if kind.elementwise]
    if point.optimizer not in able:
        raise InputError(
            f"engine 'fast' does not support optimizer {point.optimizer!r}, only {', '.join(able)}. Use one of "
            "them, or engine 'reference'."
        )


ENGINE = Engine(
    name="fast",
    runs_as_baler=False,
    precisions=("float64", "float32", "bfloat16"),
    reads_files=True,
    tunes_threads=True,
    refuse=_refuse,
)
