"""OpenVINO on the CPU."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, in_full_batches
from baler_energy.codecs.baler.runtimes.onnx_graph import onnx_model

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Compile the layers for whole batches.

    Its default on CPUs with instructions for bfloat16 is bfloat16, so float32 is asked for.
    """
    import openvino

    model = openvino.Core().read_model(model=onnx_model(layers).SerializeToString())
    settings = {"INFERENCE_NUM_THREADS": layers.threads, "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.compile_model(model, "CPU", settings).create_infer_request()

    def apply(values: NDArray[Any]) -> NDArray[Any]:
        # The result is the request's own memory, which the caller copies before the next call.
        result = request.infer([np.ascontiguousarray(values)], share_inputs=True, share_outputs=True)[0]
        return np.asarray(result)

    return in_full_batches(apply, layers.batch_rows)


RUNTIME = Runtime(load=load, packages=("openvino", "onnx"))
