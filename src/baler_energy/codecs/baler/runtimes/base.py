"""What a runtime supports, and what it is asked to run."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["TOLERANCES", "Apply", "Layers", "Runtime", "in_full_batches", "on_tensors"]

#: Turns a batch (rows, inputs) into (rows, outputs) in the precision of the layers.
Apply = Callable[[NDArray[Any]], NDArray[Any]]

#: Largest deviation from eager over the range of its results. Rounding in another order gives some 1e-15 and 1e-6;
#: float32 instead of float64 gives 1e-8, and TF32 or bfloat16 instead of float32 1e-3.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


@dataclass(frozen=True)
class Layers:
    """An encoder or a decoder.

    Parameters
    ----------
    network
        A `running.Network` on the device: ``hidden`` layers with activations, perhaps a ``skip``, the ``last`` layer.
    device
        The device.
    precision
        ``float64`` or ``float32``: number type of parameters, inputs and outputs.
    batch_rows
        Rows of a batch; a program may support this number only.
    threads
        Number of threads; torch's is already set.
    """

    network: "nn.Module"
    device: "torch.device"
    precision: str
    batch_rows: int
    threads: int

    @property
    def example(self) -> "torch.Tensor":
        """A batch of zeros on the device."""
        weight = next(self.network.parameters())
        return weight.new_zeros(self.batch_rows, weight.shape[1])


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime; `variants.RUNTIMES` says what it does not support.

    Parameters
    ----------
    load
        Prepares the layers: exports, compiles, makes a session.
    packages
        Packages that it requires, by the names under which they are installed.
    compiles
        Whether it requires a C++ compiler.
    devices
        Supported devices.
    tolerance
        Largest deviation from eager, over the range of eager's results; None: that of the precision (`TOLERANCES`).
    lacks
        Returns what else is missing on this machine; None: nothing.
    """

    load: Callable[[Layers], Apply]
    packages: tuple[str, ...] = ()
    compiles: bool = False
    devices: tuple[str, ...] = ("cpu",)
    tolerance: float | None = None
    lacks: Callable[[], str | None] = lambda: None

    def missing(self) -> str | None:
        """Report what is missing on this machine and how to install it; None if nothing is missing."""
        for package in self.packages:
            try:
                metadata.version(package)
            except metadata.PackageNotFoundError:
                return f"The package {package} is not installed: `pip install {' '.join(self.packages)}`."
        compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
        if self.compiles and shutil.which(compiler) is None:
            return f"The C++ compiler {compiler} is not installed; the environment variable CXX may name another one."
        return self.lacks()

    @property
    def in_image(self) -> bool:
        """Whether the container image has what it requires."""
        return not self.packages and not self.compiles


def in_full_batches(apply: Apply, rows: int) -> Apply:
    """Pad smaller batches with zeros to `rows` rows, for a program that supports this number only."""

    def padded(values: NDArray[Any]) -> NDArray[Any]:
        if len(values) == rows:
            return apply(values)
        whole = np.zeros((rows, values.shape[1]), values.dtype)
        whole[: len(values)] = values
        return apply(whole)[: len(values)]

    return padded


def on_tensors(function: Callable[["torch.Tensor"], "torch.Tensor"], layers: Layers) -> Apply:
    """Call a function of tensors on the device with arrays, padded to whole batches."""
    import torch

    def apply(values: NDArray[Any]) -> NDArray[Any]:
        with torch.inference_mode():
            result: NDArray[Any] = function(torch.as_tensor(values, device=layers.device)).cpu().numpy()
        return result

    return in_full_batches(apply, layers.batch_rows)
