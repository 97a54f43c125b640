"""Principal components, in closed form."""

from collections.abc import Mapping
from typing import Any

from baler_energy.codecs.engines.base import Engine
from baler_energy.codecs.packing import Packing
from baler_energy.vocabulary import Operation

__all__ = ["ENGINE"]


def _macs(operation: str, parameters: Mapping[str, Any]) -> int:
    columns = int(parameters["columns"])
    if operation == Operation.TRAIN:  # the covariance
        return columns * columns
    once = columns * int(parameters["latent_columns"])
    # To keep an error bound, compression also decodes.
    decodes = operation == Operation.COMPRESS and Packing.parse(parameters["packing"]).error_bound is not None
    return 2 * once if decodes else once


ENGINE = Engine(
    name="pca",
    runs_as_baler=False,
    devices=("cpu",),
    reads_files=True,
    profilers=("cprofile", "torch"),
    macs=_macs,
)
