"""Baler itself, in a separate process and environment."""

from collections.abc import Mapping

from baler_energy.codecs.baler.macs import macs_per_row
from baler_energy.codecs.engines.base import Engine
from baler_energy.codecs.upstream import install
from baler_energy.codecs.upstream.project import refuse_unsupported
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import UnavailableError

__all__ = ["ENGINE"]


def _refuse(point: Parameters, training: Training) -> None:
    refuse_unsupported(
        model=point.model,
        packing=point.packing,
        start=point.start,
        shuffle=training.shuffle,
        schedule=point.schedule,
        optimizer=point.optimizer,
        pruning=point.pruning,
        stop_at_loss=training.stop_at_loss,
        stop_at_gain=training.stop_at_gain,
    )


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
    refuse=_refuse,
    missing=_missing,
    versions=_versions,
)
