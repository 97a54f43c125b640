"""Encoder and decoder of a checkpoint, run eagerly or by a runtime, with its deviation from eager."""

import math
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baler_energy.codecs.baler.model import DTYPES, Autoencoder
from baler_energy.codecs.baler.runtimes.base import TOLERANCES, Apply, Layers, Runtime
from baler_energy.errors import BalerEnergyError
from baler_energy.progress import announce
from baler_energy.vocabulary import Flag

__all__ = ["Half", "Network", "deviation_facts", "largest_deviation"]

_REMEDY = "Use another runtime, or another version of its package."


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
        self._startup_s: float | None = None
        self._fault: str | None = None

    def start(self, name: str, runtime: Runtime, batch_rows: int, threads: int) -> None:
        """Let a runtime compute; its start-up includes the first batch. If it fails, PyTorch computes."""
        self._runtime = (name, runtime)
        began_s = time.monotonic()
        try:
            layers = Layers(Network(self._model, self._prefix), self._device, self._precision, batch_rows, threads)
            self.apply = _started(runtime, layers)
            self._startup_s = time.monotonic() - began_s
        except MemoryError:
            raise
        except Exception as error:  # each package raises its own
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._fault = f"could not compute, so that PyTorch did: {said}"

    def facts(self, batches: Iterable[NDArray[Any]]) -> Mapping[str, float | str | None]:
        """Return start-up (s), and `deviation_facts` of all batches; empty if eager.

        Parameters
        ----------
        batches
            Inputs of the layers, each of at most a batch.
        """
        if self._runtime is None:
            return {}
        name, runtime = self._runtime
        what = f"Runtime {name!r}"
        if self._fault is not None:
            return {"startup_s": None, **_fault_facts(self._fault, what, _REMEDY)}
        deviation = largest_deviation((self.apply(batch), self._eager(batch)) for batch in batches)
        tolerance = runtime.tolerance or TOLERANCES[self._precision]
        return {"startup_s": self._startup_s, **deviation_facts(deviation, tolerance, what, _REMEDY)}


def _started(runtime: Runtime, layers: Layers) -> Apply:
    """Prepare the layers, and compute a first batch."""
    computed = runtime.load(layers)

    def apply(values: NDArray[Any]) -> NDArray[Any]:
        return computed(np.ascontiguousarray(values, layers.precision))

    if not np.isfinite(apply(layers.example.cpu().numpy())).all():
        raise BalerEnergyError("its results are not finite")
    return apply


def largest_deviation(pairs: Iterable[tuple[NDArray[Any], NDArray[Any]]]) -> float:
    """Return the largest difference between results and eager's, given in pairs, over the range of the latter."""
    largest, low, high = 0.0, np.inf, -np.inf
    for found, expected in pairs:
        largest = np.maximum(largest, np.abs(found - expected).max(initial=0.0))
        low, high = min(low, expected.min(initial=np.inf)), max(high, expected.max(initial=-np.inf))
    return float(largest / (high - low)) if high > low else float(largest)


def deviation_facts(deviation: float, tolerance: float, what: str, remedy: str) -> Mapping[str, float | str | None]:
    """Return what a record has of a deviation from eager, over the range of its results.

    Beyond the tolerance, or if it is not a number, it includes the reason why the run does not count, and the user is
    warned in a message that begins with `what` and ends with the `remedy`.
    """
    if deviation <= tolerance:
        return {"runtime_deviation": deviation, "runtime_reason": None}
    reason = f"differs from PyTorch by {deviation:.2g} of the results' range: the tolerance is {tolerance:.2g}"
    known = deviation if math.isfinite(deviation) else None
    return {**_fault_facts(reason, what, remedy), "runtime_deviation": known}


def _fault_facts(reason: str, what: str, remedy: str) -> Mapping[str, float | str | None]:
    """Return what a record has of a run that does not count, and warn the user."""
    announce(
        f"Warning: {what} {reason}. The record is flagged {Flag.RUNTIME_FAULT.value!r}, so that no mean includes it. "
        f"{remedy}"
    )
    return {"runtime_deviation": None, "runtime_reason": reason}


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
