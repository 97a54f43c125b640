"""What a training asks of a schedule of the learning rate."""

from typing import Any

from torch.optim.lr_scheduler import LRScheduler

__all__ = ["Schedule"]


class Schedule:
    """A schedule that changes nothing; others override a method.

    Parameters
    ----------
    scheduler
        PyTorch's scheduler, which has the state.
    """

    def __init__(self, scheduler: LRScheduler) -> None:
        self.scheduler = scheduler

    def after_step(self) -> None:
        """Change the rate after a batch."""

    def after_epoch(self, loss: float) -> None:
        """Change the rate after an epoch, whose mean loss is `loss`."""

    def state_dict(self) -> dict[str, Any]:
        """Give the state."""
        return self.scheduler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.scheduler.load_state_dict(state)
