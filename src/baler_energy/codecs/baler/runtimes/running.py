"""Encoder and decoder of a checkpoint, run eagerly or by a runtime, with its deviation from eager."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baler_energy.codecs.baler.model import DTYPES, Autoencoder
from baler_energy.codecs.baler.runtimes.base import TOLERANCES, Apply, Layers, Runtime
from baler_energy.errors import BalerEnergyError

__all__ = ["Half", "Network", "largest_deviation", "refuse_beyond"]


class Half:
    """An encoder (``en``) or a decoder (``de``).

    Parameters
    ----------
    model
        The network, on its device.
    prefix
        ``en`` or ``de``.
    precision
        Number type of the parameters.
    device
        The device.
    """

    def __init__(self, model: Autoencoder, prefix: str, precision: str, device: torch.device) -> None:
        self._model, self._prefix, self._precision, self._device = model, prefix, precision, device
        self._eager: Apply = _eagerly(model.encode if prefix == "en" else model.decode, precision, device)
        self.apply: Apply = self._eager
        """Computes a batch (rows, inputs), of any floating-point type, in the precision of the parameters."""
        self._runtime: tuple[str, Runtime] | None = None
        self._startup_s = 0.0

    def start(self, name: str, runtime: Runtime, batch_rows: int, threads: int) -> None:
        """Let a runtime compute; its start-up includes the first batch."""
        began_s = time.monotonic()
        layers = Layers(Network(self._model, self._prefix), self._device, self._precision, batch_rows, threads)
        computed = runtime.load(layers)

        def apply(values: NDArray[Any]) -> NDArray[Any]:
            return computed(np.ascontiguousarray(values, self._precision))

        apply(layers.example.cpu().numpy())
        self._startup_s = time.monotonic() - began_s
        self._runtime, self.apply = (name, runtime), apply

    def facts(self, batches: Iterable[NDArray[Any]]) -> dict[str, float]:
        """Return start-up (s) and largest deviation from eager over the range of its results; empty if eager.

        Parameters
        ----------
        batches
            Inputs of the layers, each of at most a batch.

        Raises
        ------
        BalerEnergyError
            The deviation is larger than the runtime's tolerance.
        """
        if self._runtime is None:
            return {}
        name, runtime = self._runtime
        deviation = largest_deviation((self.apply(batch), self._eager(batch)) for batch in batches)
        remedy = "Use another runtime, or another version of its package."
        refuse_beyond(deviation, runtime.tolerance or TOLERANCES[self._precision], f"Runtime {name!r}", remedy)
        return {"startup_s": self._startup_s, "runtime_deviation": deviation}


def largest_deviation(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Return the largest difference between results and eager's, given in pairs, over the range of the latter."""
    largest, low, high = 0.0, np.inf, -np.inf
    for found, expected in pairs:
        largest = np.maximum(largest, np.abs(found - expected).max(initial=0.0))
        low, high = min(low, expected.min(initial=np.inf)), max(high, expected.max(initial=-np.inf))
    return float(largest / (high - low)) if high > low else float(largest)


def refuse_beyond(deviation: float, allowed: float, what: str, remedy: str) -> None:
    """Refuse a deviation from eager, over the range of its results, that is larger than allowed or not a number.

    Raises
    ------
    BalerEnergyError
        It is; the message begins with `what` and ends with the `remedy`.
    """
    if not deviation <= allowed:
        raise BalerEnergyError(
            f"{what} differs from PyTorch by {deviation:.2g} of the results' range, more than the tolerance of "
            f"{allowed:.2g}. Its results are not recorded. {remedy}"
        )


class Network(nn.Module):
    """An encoder (``en``) or a decoder (``de``) as a module of its own, which shares the parameters.

    Parameters
    ----------
    model, prefix
        As for `Half`.
    """

    def __init__(self, model: Autoencoder, prefix: str) -> None:
        super().__init__()
        *hidden, last = [layer for name, layer in model.named_children() if name.startswith(prefix)]
        slope = model.architecture.negative_slope
        self.hidden = nn.Sequential(*(part for layer in hidden for part in (layer, nn.LeakyReLU(slope))))
        self.last = last
        self.skip = model.architecture.skip
        self.eval().requires_grad_(False)

    def forward(self, rows: Tensor) -> Tensor:
        """Compute a batch (rows, inputs)."""
        values = self.hidden(rows)
        result: Tensor = self.last(torch.cat([values, rows], dim=1) if self.skip else values)
        return result


def _eagerly(compute: Any, precision: str, device: torch.device) -> Apply:
    def apply(values: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            batch = torch.as_tensor(values, dtype=DTYPES[precision], device=device)
            result: NDArray[Any] = compute(batch).cpu().numpy()
        return result

    return apply
