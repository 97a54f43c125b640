"""ONNX Runtime on the CPU."""

from typing import Any

from numpy.typing import NDArray

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, in_full_batches
from baler_energy.codecs.baler.runtimes.onnx_graph import onnx_model

__all__ = ["RUNTIME", "in_session", "load"]


def load(layers: Layers) -> Apply:
    """Make a session of the layers for whole batches."""
    return in_session(onnx_model(layers).SerializeToString(), layers)


def in_session(model: bytes, layers: Layers) -> Apply:
    """Make a session of an ONNX model with the threads of `layers`, for whole batches."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = layers.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def apply(values: NDArray[Any]) -> NDArray[Any]:
        result: NDArray[Any] = session.run(None, {"rows": values})[0]
        return result

    return in_full_batches(apply, layers.batch_rows)


RUNTIME = Runtime(load=load, packages=("onnxruntime", "onnx"))
