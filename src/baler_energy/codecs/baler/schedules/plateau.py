"""The schedule ``plateau``: lower the rate when the loss no longer falls."""

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from baler_energy.codecs.baler.schedules.base import Schedule
from baler_energy.codecs.baler.settings import TrainingSettings

__all__ = ["schedule"]

#: Epochs without a lower loss, if the study does not say: PyTorch's default.
_PATIENCE = 10


class _Plateau(Schedule):
    scheduler: ReduceLROnPlateau

    def after_epoch(self, loss: float) -> None:
        self.scheduler.step(loss)


def schedule(optimizer: torch.optim.Optimizer, settings: TrainingSettings, batches: int) -> Schedule:
    """Multiply the rate by ``plateau_factor`` after ``plateau_patience`` epochs without a lower loss."""
    patience = settings.plateau_patience or _PATIENCE
    return _Plateau(ReduceLROnPlateau(optimizer, factor=settings.plateau_factor, patience=patience))
