"""Pruning ``costly-neurons``: as ``neurons``, but by magnitude over measured cost, so that costly layers lose more.

This follows energy-aware pruning (Yang, Chen and Sze 2017, arXiv 1611.05128), which prunes the layers that use the most
energy first. Here a layer's cost is the time of its matrix product, measured with the batch size, precision, device and
threads of the training. Each training measures it, so that this is part of its cost, but those of one process use what
the first one found, so that all iterations of a window do the same work. Repeats may remove different neurons.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median

import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.pruning.neurons import without_smallest
from baler_energy.codecs.baler.settings import TrainingSettings

__all__ = ["costs_of_neurons", "layer_times_s", "pruned"]

#: Timed passes of each layer, after some to warm up.
_PASSES, _WARM_UP = 15, 3
_Key = tuple[Architecture, int, torch.dtype, torch.device]
#: What this process measured first.
_FIRST_S: dict[_Key, Mapping[str, float]] = {}


@contextmanager
def pruned(model: Autoencoder, share: float, settings: TrainingSettings) -> Iterator[Autoencoder]:
    """Give the smaller network; arguments as for `PruningModule`."""
    parameter = next(model.parameters())
    times_s = layer_times_s(model.architecture, settings.batch_size, parameter.dtype, parameter.device)
    yield without_smallest(model, share, costs_of_neurons(model.architecture, times_s))


def costs_of_neurons(architecture: Architecture, times_s: Mapping[str, float]) -> list[float]:
    """Return the time (s) that removing a neuron from each hidden layer of the encoder and its mirror image saves.

    A product's time is proportional to its inputs and outputs, so a neuron's part is the time of the products before
    and after it over the layer's width.
    """
    encoder, decoder = list(architecture.encoder), list(reversed(architecture.decoder))
    costs = []
    for number, width in enumerate(architecture.hidden):
        layers = (*encoder[number : number + 2], *decoder[number : number + 2])
        costs.append(sum(times_s[layer] for layer in layers) / width)
    return costs


def layer_times_s(
    architecture: Architecture, batch_size: int, dtype: torch.dtype, device: torch.device
) -> Mapping[str, float]:
    """Measure the time (s) of each layer's matrix product for a batch; return what the process measured first."""
    key = (architecture, batch_size, dtype, device)
    return _FIRST_S.setdefault(key, _measured_s(*key))


def _measured_s(
    architecture: Architecture, batch_size: int, dtype: torch.dtype, device: torch.device
) -> Mapping[str, float]:
    """Measure the time (s) of each layer's matrix product for a batch: the median of some passes."""
    times_s = {}
    for name, (inputs, outputs) in (architecture.encoder | architecture.decoder).items():
        rows = torch.ones(batch_size, inputs, dtype=dtype, device=device)
        weight = torch.ones(outputs, inputs, dtype=dtype, device=device).t()
        passes_s = []
        for _ in range(_WARM_UP + _PASSES):
            _synchronise(device)
            start_s = time.perf_counter()
            torch.mm(rows, weight)
            _synchronise(device)
            passes_s.append(time.perf_counter() - start_s)
        times_s[name] = median(passes_s[_WARM_UP:])
    return times_s


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
