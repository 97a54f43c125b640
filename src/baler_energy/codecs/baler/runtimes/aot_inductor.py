"""AOTInductor: ``torch.export`` and a library that PyTorch compiles ahead of time."""

from pathlib import Path

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, on_tensors
from baler_energy.codecs.baler.runtimes.inductor import compilation

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Export, compile and load the layers for whole batches."""
    import torch
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    with compilation() as folder, torch.no_grad():
        exported = torch.export.export(layers.network, (layers.example,))
        package = aoti_compile_and_package(exported, package_path=str(Path(folder, "layers.pt2")))
        return on_tensors(aoti_load_package(package), layers)


RUNTIME = Runtime(load=load, compiles=True, devices=("cpu", "cuda"))
