"""Baler's autoencoder: the same mathematics, at the speed of the hardware."""

from baler_energy.codecs.engines.base import Engine

__all__ = ["ENGINE"]

ENGINE = Engine(
    name="fast",
    runs_as_baler=False,
    precisions=("float64", "float32", "bfloat16"),
    reads_files=True,
    tunes_threads=True,
)
