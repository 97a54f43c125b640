"""Baler itself, in a separate process and environment (`make upstream`)."""

from collections.abc import Mapping

from baler_energy.codecs.baler.macs import layers, macs_per_row
from baler_energy.codecs.engines.base import Engine
from baler_energy.codecs.upstream import install
from baler_energy.codecs.upstream.project import refuse_unsupported
from baler_energy.errors import UnavailableError

__all__ = ["ENGINE"]


def _missing() -> str | None:
    try:
        install.find()
    except UnavailableError as error:
        return str(error)
    return None


def _versions() -> Mapping[str, str | None]:
    return install.find().versions


ENGINE = Engine(
    name="upstream",
    runs_as_baler=True,
    precisions=("float64",),
    profilers=("cprofile",),
    macs=macs_per_row,
    layers=layers,
    reasons={
        "packing": "it stores latents unchanged",
        "start": "it draws its parameters at random",
        "schedule": "its schedule, which plateau_patience also sets, fails with current versions of torch",
        "optimizer": "it has no other",
        "pruning": "it does not prune",
    },
    refuse=refuse_unsupported,
    missing=_missing,
    versions=_versions,
)
