"""Principal components, in closed form."""

from baler_energy.codecs.engines.base import Engine

__all__ = ["ENGINE"]

ENGINE = Engine(
    name="pca",
    runs_as_baler=False,
    devices=("cpu",),
    reads_files=True,
    profilers=("cprofile", "torch"),
)
