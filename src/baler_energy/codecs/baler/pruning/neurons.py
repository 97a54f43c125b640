"""Pruning ``neurons``: remove the hidden neurons of smallest magnitude, so that the matrices become smaller.

The magnitude of a neuron is the norm of its incoming weights and bias times the norm of its outgoing weights, relative
to the mean of its layer. The decoder mirrors the encoder, so neurons are removed in pairs: the smallest ones left of a
hidden layer and of its mirror image.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.baler.pruning.base import fewest_neurons, neurons_left
from baler_energy.codecs.baler.settings import TrainingSettings

__all__ = ["magnitudes", "pruned", "widths_left", "without_smallest"]


@contextmanager
def pruned(model: Autoencoder, share: float, settings: TrainingSettings) -> Iterator[Autoencoder]:
    """Give the smaller network; arguments as for `PruningModule`."""
    yield without_smallest(model, share, [1.0] * len(model.architecture.hidden))


def without_smallest(model: Autoencoder, share: float, costs: Sequence[float]) -> Autoencoder:
    """Make a network without the neurons of smallest magnitude / cost.

    Parameters
    ----------
    model
        The network, which does not change.
    share
        Share of the hidden neurons to remove, over all layers.
    costs
        Cost of a pair of neurons in each hidden layer of the encoder and its mirror image, in any unit.
    """
    encoder, decoder = magnitudes(model)
    scores = [
        ((one.sort().values + other.sort().values) / 2 / cost).tolist()
        for one, other, cost in zip(encoder, reversed(decoder), costs, strict=True)
    ]
    hidden, latent = model.architecture.hidden, model.architecture.latent
    widths = widths_left(scores, neurons_left(hidden, latent, share), fewest_neurons(hidden, latent))
    return _smaller(model, _largest(encoder, widths), _largest(decoder, widths[::-1]))


def magnitudes(model: Autoencoder) -> tuple[list[Tensor], list[Tensor]]:
    """Compute the magnitude of each neuron (width,) in the hidden layers of encoder and decoder, in float64."""
    parameters = {name: tensor.detach().double() for name, tensor in model.named_parameters()}

    def of_half(layers: Iterable[str]) -> list[Tensor]:
        found = []
        for layer, following in pairwise(layers):
            enter = torch.cat([parameters[f"{layer}.weight"], parameters[f"{layer}.bias"].unsqueeze(1)], dim=1)
            product = enter.norm(dim=1) * parameters[f"{following}.weight"][:, : len(enter)].norm(dim=0)
            found.append(product / product.mean().clamp_min(torch.finfo(torch.float64).tiny))
        return found

    return of_half(model.architecture.encoder), of_half(model.architecture.decoder)


def widths_left(scores: Sequence[Sequence[float]], left: int, fewest: Sequence[int]) -> tuple[int, ...]:
    """Choose the width of each layer when the neurons of lowest score are removed.

    Parameters
    ----------
    scores
        For each layer the score of each neuron, in ascending order.
    left
        Number of neurons that remain.
    fewest
        Number of neurons that each layer keeps at least.
    """
    layers = list(zip(scores, fewest, strict=True))
    removable = sorted((score, n) for n, (own, least) in enumerate(layers) for score in own[: len(own) - least])
    removed = [n for _, n in removable[: sum(map(len, scores)) - left]]
    return tuple(len(own) - removed.count(n) for n, own in enumerate(scores))


def _largest(found: Sequence[Tensor], widths: Sequence[int]) -> list[Tensor]:
    """Return the indices of the largest magnitudes of each layer, in the network's order."""
    return [one.topk(width).indices.sort().values for one, width in zip(found, widths, strict=True)]


def _smaller(model: Autoencoder, encoder: Sequence[Tensor], decoder: Sequence[Tensor]) -> Autoencoder:
    """Copy the parameters of the neurons with these indices into a new network."""
    architecture = replace(model.architecture, hidden=tuple(map(len, encoder)))
    state: dict[str, Any] = dict(model.state_dict())
    for half, kept in ((architecture.encoder, encoder), (architecture.decoder, decoder)):
        for (layer, following), indices in zip(pairwise(half), kept, strict=True):
            weight, width = state[f"{following}.weight"], len(state[f"{layer}.bias"])
            # With a skip, other inputs of the last layer follow the neurons.
            state[f"{following}.weight"] = torch.cat([weight[:, :width][:, indices], weight[:, width:]], dim=1)
            state[f"{layer}.weight"] = state[f"{layer}.weight"][indices]
            state[f"{layer}.bias"] = state[f"{layer}.bias"][indices]
    parameter = next(model.parameters())
    with torch.random.fork_rng(devices=[]):  # the new parameters are drawn, then overwritten
        smaller = Autoencoder(architecture).to(parameter)
    smaller.load_state_dict(state)
    return smaller
