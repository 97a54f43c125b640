"""Runtimes, the axis ``runtime``: what computes a trained encoder or decoder; ``eager``, PyTorch itself, has no module.

- `base`: what a runtime supports, and what it is asked to run
- `running`: encoder and decoder of a checkpoint, run eagerly or by a runtime, with its deviation from eager
- `torch_compile`, `aot_inductor`, `torchscript`: programs that PyTorch makes; `inductor`: compilation without a cache
- `onnx_runtime`, `onnx_runtime_int8`, `openvino`, `tensorrt`: other packages; `onnx_graph`: the layers in their format
"""

from baler_energy.codecs.baler.runtimes.base import Runtime
from baler_energy.variants import RUNTIMES, load

__all__ = ["runtime_of"]


def runtime_of(name: str | None) -> Runtime | None:
    """Describe a runtime, a value of the axis; None: PyTorch itself computes, eagerly."""
    module = None if name is None else RUNTIMES[name].module
    runtime: Runtime | None = load(module).RUNTIME if module else None
    return runtime
