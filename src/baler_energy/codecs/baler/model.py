"""The network of Baler's autoencoder in PyTorch."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.precisions import PRECISIONS
from baler_energy.errors import InputError

__all__ = ["DTYPES", "Autoencoder", "check_parameters"]

#: torch's number type of the parameters for each value of the axis ``precision``; only products use 16 bits.
DTYPES: Mapping[str, torch.dtype] = {name: getattr(torch, kind) for name, kind in PRECISIONS.items()}


class Autoencoder(nn.Module):
    """Fully connected autoencoder with leaky ReLU, except after the latent and output layers, and perhaps a skip.

    The parameters are named en1, en2, ... and de1, de2, ..., as Baler's are. They are drawn in float64 and then
    rounded, so that one seed starts every precision from the same network.

    Parameters
    ----------
    architecture
        Widths, slope and skip.
    precision
        A key of `DTYPES`.
    """

    def __init__(self, architecture: Architecture, precision: str = "float64") -> None:
        super().__init__()
        self.architecture = architecture
        for name, (inputs, outputs) in (architecture.encoder | architecture.decoder).items():
            self.add_module(name, nn.Linear(inputs, outputs, dtype=torch.float64))
        self.to(DTYPES[precision])

    def encode(self, rows: Tensor) -> Tensor:
        """Encode normalised rows (rows, columns) to latents (rows, latent)."""
        return self._through("en", rows)

    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents (rows, latent) to normalised rows (rows, columns)."""
        return self._through("de", latents)

    def forward(self, rows: Tensor) -> Tensor:
        """Reconstruct normalised rows (rows, columns)."""
        return self.decode(self.encode(rows))

    def _through(self, prefix: str, values: Tensor) -> Tensor:
        hidden, slope, start = len(self.architecture.hidden), self.architecture.negative_slope, values
        for number in range(1, hidden + 1):
            values = leaky_relu(self.get_submodule(f"{prefix}{number}")(values), slope)
        if self.architecture.skip:
            values = torch.cat([values, start], dim=1)
        result: Tensor = self.get_submodule(f"{prefix}{hidden + 1}")(values)
        return result

    def load_parameters(self, parameters: Mapping[str, Tensor], origin: str) -> None:
        """Copy parameters into the network, for example Baler's own.

        Parameters
        ----------
        parameters
            ``en1.weight`` (outputs, inputs), ``en1.bias`` (outputs,), ... up to the last layer of the decoder.
        origin
            Where they come from, for messages.

        Raises
        ------
        InputError
            A name is missing or unknown, a shape or number type differs, or a value is not finite.
        """
        check_parameters(self.architecture, parameters, origin)
        self.load_state_dict(dict(parameters))


def check_parameters(architecture: Architecture, parameters: Mapping[str, Tensor], origin: str) -> None:
    """Check parameters before a network is made for them, which may be as large as a damaged file states.

    Parameters and errors are those of `Autoencoder.load_parameters`.
    """
    layers = architecture.encoder | architecture.decoder
    own: dict[str, tuple[int, ...]] = {
        f"{name}.weight": (outputs, inputs) for name, (inputs, outputs) in layers.items()
    }
    own |= {f"{name}.bias": (outputs,) for name, (_, outputs) in layers.items()}
    missing = [name for name in own if name not in parameters]
    unknown = [name for name in parameters if name not in own]
    if missing or unknown:
        last = list(architecture.decoder)[-1]
        raise InputError(
            f"{origin}: does not match this autoencoder: missing parameters {', '.join(missing) or 'none'}; "
            f"unknown parameters {', '.join(map(str, unknown)) or 'none'}. Expected en1 to "
            f"{last.replace('de', 'en')} and de1 to {last}."
        )
    for name, shape in own.items():
        given = parameters[name]
        if not isinstance(given, Tensor) or not given.is_floating_point() or tuple(given.shape) != shape:
            found = f"{given.dtype} {tuple(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
            raise InputError(
                f"{origin}: parameter {name} is {found}, but floating-point numbers of shape {shape} are required. "
                "Was it trained on other columns or with another compression ratio?"
            )
        if given.numel() * given.element_size() > given.untyped_storage().nbytes():
            raise InputError(f"{origin}: is damaged: parameter {name} has more numbers than are stored.")
        if not bool(torch.isfinite(given).all()):
            raise InputError(
                f"{origin}: parameter {name} contains NaN or infinity; train again, perhaps with a lower learning rate."
            )
