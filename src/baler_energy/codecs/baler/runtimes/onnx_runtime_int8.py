"""ONNX Runtime on the CPU, with matrix products of 8-bit integers."""

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime
from baler_energy.codecs.baler.runtimes.onnx_graph import onnx_model
from baler_energy.codecs.baler.runtimes.onnx_runtime import in_session
from baler_energy.quiet import without_logs
from baler_energy.temporaries import temporary_folder

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Quantise the layers and make a session of them for whole batches.

    Each column of a weight matrix has its own scale; the scale of a layer's inputs is that of each batch, so that no
    rows are needed beforehand.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with temporary_folder() as folder:
        plain, quantised = (folder / name for name in ("plain.onnx", "quantised.onnx"))
        onnx.save(onnx_model(layers), str(plain))
        with without_logs():  # it advises a step that is for convolutions and transformers
            # Weights have 7 bits: sums of two products saturate on CPUs without instructions for them (VNNI).
            quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        return in_session(quantised.read_bytes(), layers)


RUNTIME = Runtime(
    load=load,
    packages=("onnxruntime", "onnx"),
    # What 8 bits per value give after several layers.
    tolerance=0.05,
)
