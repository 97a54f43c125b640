"""``torch.compile``: PyTorch compiles the layers in this process, with its Inductor."""

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, on_tensors
from baler_energy.codecs.baler.runtimes.inductor import compilation

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Compile the layers for whole batches."""
    import torch

    compiled = torch.compile(layers.network, fullgraph=True, dynamic=False)
    apply = on_tensors(compiled, layers)
    with compilation():
        # The first call compiles.
        apply(layers.example.cpu().numpy())
    return apply


RUNTIME = Runtime(load=load, compiles=True, devices=("cpu", "cuda"))
