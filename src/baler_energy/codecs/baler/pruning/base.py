"""Values of the axis ``pruning``, and what a training asks of a kind of pruning."""

import math
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from baler_energy.codecs.baler.architecture import Network
from baler_energy.codecs.words import split_pruning
from baler_energy.errors import InputError
from baler_energy.variant_kinds import PruningKind
from baler_energy.variants import PRUNINGS

if TYPE_CHECKING:
    from baler_energy.codecs.baler.model import Autoencoder
    from baler_energy.codecs.baler.settings import TrainingSettings
    from baler_energy.config.parameters import Parameters, Training

__all__ = ["Pruning", "PruningModule", "fewest_neurons", "fine_tuning_epochs", "neurons_left", "refuse_both"]


class PruningModule(Protocol):
    """A module of this package."""

    def pruned(
        self, model: "Autoencoder", share: float, settings: "TrainingSettings"
    ) -> "AbstractContextManager[Autoencoder]":
        """Prune a trained network; what is pruned stays pruned while the network is fine-tuned in this context.

        Parameters
        ----------
        model
            The network, which may be changed.
        share
            Share of its hidden neurons or weights to prune, between 0 and 1.
        settings
            Settings of the training.
        """
        ...


@dataclass(frozen=True)
class Pruning:
    """A value of the axis other than ``none``: the kind, and the share of neurons or weights that are pruned."""

    kind: PruningKind
    share: float

    @classmethod
    def parse(cls, text: str) -> "Pruning | None":
        """Read a value of the axis, such as ``neurons-0.5``.

        Raises
        ------
        InputError
            The value is not supported.
        """
        if text == "none":
            return None
        name, share = split_pruning(text)
        if name not in PRUNINGS or not re.fullmatch(r"0\.\d{1,4}", share) or not float(share):
            raise InputError(
                f"pruning {text!r} is not supported: use none, or one of {', '.join(PRUNINGS)} with the share that is "
                "pruned, above 0 and below 1, such as neurons-0.5."
            )
        return cls(PRUNINGS[name], float(share))

    def allows(self, found: Network, trained: Network, latent: int) -> bool:
        """Whether the trained network with these latent columns, pruned, may have become the one that was found."""
        left = neurons_left(trained.hidden, latent, self.share) if self.kind.structured else sum(trained.hidden)
        return found.fits_into(trained) and sum(found.hidden) == left


def refuse_both(point: "Parameters", training: "Training") -> None:
    """Refuse pruning a training that stops at a gain: pruning raises the loss, which would stop the fine-tuning.

    Raises
    ------
    InputError
        Both are asked for.
    """
    if point.pruning != "none" and training.stop_at_gain is not None:
        raise InputError(
            f"pruning {point.pruning!r} and stop_at_gain cannot be combined, as pruning raises the loss. Remove one of "
            "them; stop_at_loss can be used with both."
        )


def fewest_neurons(hidden: tuple[int, ...], latent: int) -> tuple[int, ...]:
    """Return how many neurons each hidden layer keeps at least: fewer than latent columns would waste some of these."""
    return tuple(min(width, latent) for width in hidden)


def neurons_left(hidden: tuple[int, ...], latent: int, share: float) -> int:
    """Return the number of hidden neurons of the encoder that remain."""
    return max(sum(fewest_neurons(hidden, latent)), sum(hidden) - round(share * sum(hidden)))


def fine_tuning_epochs(settings: "TrainingSettings") -> int:
    """Return the number of the last epochs, which follow the pruning; at least one epoch precedes it."""
    return min(settings.epochs - 1, math.ceil(settings.fine_tuning * settings.epochs - 1e-9))
