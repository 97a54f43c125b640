"""Pruning ``weights``: set the smallest weights to zero (PyTorch's ``prune``).

The matrices keep their sizes, so their products cost what they did before.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.nn.utils import prune

from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.settings import TrainingSettings

__all__ = ["pruned"]


@contextmanager
def pruned(model: Autoencoder, share: float, settings: TrainingSettings) -> Iterator[Autoencoder]:
    """Mask the smallest weights of all layers while the network is fine-tuned; arguments as for `PruningModule`."""
    layers = list(model.children())
    prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=share)
    yield model
    for layer in layers:
        prune.remove(layer, "weight")  # type: ignore[no-untyped-call]
        # The weight is now the last parameter; files have it before the bias.
        layer.register_parameter("bias", layer._parameters.pop("bias"))
