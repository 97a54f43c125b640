"""No transform: the packing is applied to the columns in their own number types; lossless if the packing is."""

from baler_energy.codecs.engines.base import Engine
from baler_energy.codecs.packing import Packing
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError

__all__ = ["ENGINE"]


def _refuse(point: Parameters, training: Training) -> None:
    if Packing.parse(point.packing).bound is not None:
        raise InputError(
            f"packing {point.packing!r}: a bound is relative to a column's range in training, but transform "
            "'identity' is not trained. Remove the bound, or use another transform."
        )


ENGINE = Engine(
    name="identity",
    runs_as_baler=False,
    devices=("cpu",),
    reads_files=True,
    profilers=("cprofile",),
    refuse=_refuse,
)
