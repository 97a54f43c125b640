"""Parameters and operations of a network, counted by this package and by several tools.

What a tool calls FLOPs may be multiply-accumulates (MACs), and may include the additions of the biases. Each count
therefore comes with its definition, and with the MACs of the matrix products that follow from it: these must agree.
"""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.model import Autoencoder

__all__ = ["Count", "counts"]

#: Rows of the batch that the tools count; every count is proportional to it.
_ROWS = 8


@dataclass(frozen=True)
class Count:
    """One tool's count for the forward pass of one row.

    Parameters
    ----------
    tool, tool_version
        Name and version of the tool.
    counted
        The number that it reports, by its own definition; None if it failed.
    definition
        What it counts, in words.
    macs
        Multiply-accumulates of the matrix products that follow from the count.
    parameters
        Weights and biases counted by the same tool; None if it failed.
    reason
        Why there is no number.
    """

    tool: str
    tool_version: str | None
    counted: float | None
    definition: str
    macs: float | None
    parameters: int | None
    reason: str | None = None


def counts(architecture: Architecture) -> list[Count]:
    """Count a network's parameters and the operations of its forward pass (encode and decode), by every tool."""
    own = architecture.encode_macs + architecture.decode_macs
    ours = Count("baler-energy", None, own, "MACs: one per weight", own, architecture.parameters)
    return [ours, *(_tried(tool, package, count, architecture) for tool, (package, count) in _TOOLS.items())]


def _tried(tool: str, package: str, count: Callable[[Architecture], Count], architecture: Architecture) -> Count:
    try:
        known = version(package)
    except PackageNotFoundError:
        return Count(tool, None, None, "", None, None, f"the package {package} is not installed")
    try:
        with warnings.catch_warnings(action="ignore"):  # of the tools, about their use of torch
            found = count(architecture)
    except Exception as error:  # another tool may fail in any way; the rest still count
        return Count(tool, known, None, "", None, None, f"failed: {type(error).__name__}: {error}")
    return Count(tool, known, found.counted, found.definition, found.macs, found.parameters)


def _torch(architecture: Architecture) -> Count:
    from torch.utils.flop_counter import FlopCounterMode

    network, rows = _network(architecture)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(rows)
    flops = counter.get_total_flops() / _ROWS
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Count("", None, flops, "FLOPs: two per weight", flops / 2, parameters)


def _fvcore(architecture: Architecture) -> Count:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    network, rows = _network(architecture)
    analysis = FlopCountAnalysis(network, rows).unsupported_ops_warnings(False)
    macs = analysis.total() / _ROWS
    return Count("", None, macs, "MACs, which it calls flops: one per weight", macs, parameter_count(network)[""])


def _ptflops(architecture: Architecture) -> Count:
    from ptflops import get_model_complexity_info

    network, _ = _network(architecture)
    counted, parameters = get_model_complexity_info(
        network,
        (architecture.columns,),
        as_strings=False,
        print_per_layer_stat=False,
        backend="aten",
        ost=io.StringIO(),
    )
    biases = sum(outputs for _, outputs in (*architecture.encoder.values(), *architecture.decoder.values()))
    words = "MACs: one per weight, and one per bias"
    return Count("", None, counted, words, counted - biases, parameters)


#: Tools by name, with the package that contains them.
_TOOLS: dict[str, tuple[str, Callable[[Architecture], Count]]] = {
    "torch FlopCounterMode": ("torch", _torch),
    "fvcore": ("fvcore", _fvcore),
    "ptflops": ("ptflops", _ptflops),
}


def _network(architecture: Architecture) -> tuple[Autoencoder, torch.Tensor]:
    return Autoencoder(architecture, "float32").eval(), torch.zeros(_ROWS, architecture.columns)
