"""The start ``pca``: principal components inside Baler's unchanged network.

Two units with pre-activations y and -y behind a leaky ReLU h of slope s give h(y) - h(-y) = (1 + s) y, which is linear.
So 2k units of each hidden layer carry k principal components through the network: the first layer computes the
components and their negatives, each further hidden layer maps pairs to pairs with weights of +-1 / (1 + s), and the
last layer takes the differences. In the last layer the weights of all other units start at 0, so that they contribute
nothing at first; everywhere else they keep their random start.

A network with a skip needs no pairs: its skip is the projection on the components, and all other weights of the last
layer start at 0.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import Autoencoder
from baler_energy.codecs.components import principal_components

__all__ = ["carried", "notice", "start"]

Floats = NDArray[np.float64]

#: Rows of a block, which bounds the memory for the covariance.
_BLOCK_ROWS = 32_768


def carried(architecture: Architecture) -> int:
    """Return the number of components that the network carries; without a skip, each needs two units per layer."""
    if architecture.skip:
        return architecture.latent
    return min(architecture.latent, min(architecture.hidden) // 2)


def notice(architecture: Architecture) -> str | None:
    """Report that not every latent column starts as a component; None: all do."""
    components, latent = carried(architecture), architecture.latent
    if components == latent:
        return None
    return (
        f"start pca: {components} of {latent} latent columns start as principal components, since each needs two units "
        f"of the narrowest hidden layer ({min(architecture.hidden)} units). The others start at random."
    )


def start(model: Autoencoder, scaled: Floats) -> None:
    """Make a randomly started network the projection on the principal components of its table.

    Parameters
    ----------
    model
        The network, on the CPU.
    scaled
        (rows, columns): the scaled table.
    """
    architecture = model.architecture
    blocks = (scaled[first : first + _BLOCK_ROWS] for first in range(0, len(scaled), _BLOCK_ROWS))
    found = principal_components(blocks, architecture.columns, carried(architecture))
    vectors, mean = torch.from_numpy(found.vectors), torch.from_numpy(found.mean)
    latents = torch.eye(len(vectors), dtype=torch.float64)
    zeros = latents.new_zeros(len(vectors))
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for half, enter, leave in (
            (architecture.encoder, _Map(vectors, -vectors @ mean), _Map(latents, zeros)),
            (architecture.decoder, _Map(latents, zeros), _Map(vectors.t(), mean)),
        ):
            layers = [(parameters[f"{name}.weight"], parameters[f"{name}.bias"]) for name in half]
            if architecture.skip:
                _set_skip(*layers[-1], enter, leave)
                continue
            maps = _carrying(len(half), architecture.negative_slope, enter, leave)
            for (weight, bias), known in zip(layers, maps, strict=True):
                _set(weight, bias, known)


class _Map(NamedTuple):
    """An affine map: weight (outputs, inputs) and bias (outputs,)."""

    weight: Tensor
    bias: Tensor


def _carrying(layers: int, slope: float, enter: _Map, leave: _Map) -> list[_Map]:
    """Return the map of each layer's first units, so that the layers together compute `leave` of `enter`."""
    identity = torch.eye(len(enter.bias), dtype=torch.float64)
    pairs = torch.cat([identity, -identity])
    differences = pairs.t() / (1 + slope)
    further = _Map(pairs @ differences, torch.zeros(len(pairs), dtype=torch.float64))
    first = _Map(pairs @ enter.weight, pairs @ enter.bias)
    return [first, *[further] * (layers - 2), _Map(leave.weight @ differences, leave.bias)]


def _set(weight: Tensor, bias: Tensor, known: _Map) -> None:
    """Set a layer's first units, which then ignore all inputs but the first ones."""
    outputs, inputs = known.weight.shape
    weight[:outputs] = 0
    weight[:outputs, :inputs] = known.weight
    bias[:outputs] = known.bias


def _set_skip(weight: Tensor, bias: Tensor, enter: _Map, leave: _Map) -> None:
    """Set the last layer, whose last inputs skip the hidden layers, to `leave` of `enter`."""
    skipping = enter.weight.shape[1]
    weight[:, :-skipping] = 0
    weight[:, -skipping:] = leave.weight @ enter.weight
    bias[:] = leave.weight @ enter.bias + leave.bias
