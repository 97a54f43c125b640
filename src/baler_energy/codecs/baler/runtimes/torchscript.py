"""TorchScript, deprecated by PyTorch in favour of ``torch.compile`` and ``torch.export``."""

import warnings

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, on_tensors

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Trace and freeze the layers; the first two calls optimise them."""
    import torch

    with warnings.catch_warnings(action="ignore", category=DeprecationWarning), torch.no_grad():
        script = torch.jit.freeze(torch.jit.trace(layers.network, layers.example))  # type: ignore[no-untyped-call]
    apply = on_tensors(script, layers)
    for _ in range(2):
        apply(layers.example.cpu().numpy())
    return apply


RUNTIME = Runtime(load=load, devices=("cpu", "cuda"))
