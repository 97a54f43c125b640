"""The schedule ``one-cycle``: raise the rate to its peak and lower it to almost zero (Smith and Topin 2019)."""

import torch
from torch.optim.lr_scheduler import OneCycleLR

from baler_energy.codecs.baler.schedules.base import Schedule
from baler_energy.codecs.baler.settings import TrainingSettings

__all__ = ["schedule"]


class _OneCycle(Schedule):
    def after_step(self) -> None:
        self.scheduler.step()


def schedule(optimizer: torch.optim.Optimizer, settings: TrainingSettings, batches: int) -> Schedule:
    """Cycle once in all epochs of `batches` steps, with PyTorch's defaults: 3/10 up from 1/25 of the rate, then down.

    The momentum stays constant: not every optimizer has one.
    """
    steps = settings.epochs * batches
    return _OneCycle(OneCycleLR(optimizer, settings.learning_rate, total_steps=steps, cycle_momentum=False))
