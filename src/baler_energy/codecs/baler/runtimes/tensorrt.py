"""TensorRT on a CUDA GPU. It has not been tried on a GPU yet."""

from baler_energy.codecs.baler.runtimes.base import Apply, Layers, Runtime, on_tensors
from baler_energy.codecs.baler.runtimes.onnx_graph import onnx_model
from baler_energy.errors import BalerEnergyError

__all__ = ["RUNTIME", "load"]


def load(layers: Layers) -> Apply:
    """Build an engine of the layers for whole batches, without TF32, and a context to run it."""
    import tensorrt
    import torch

    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    if not tensorrt.OnnxParser(network, logger).parse(onnx_model(layers).SerializeToString()):
        raise BalerEnergyError("TensorRT cannot read the network. Use another runtime.")
    settings = builder.create_builder_config()
    settings.clear_flag(tensorrt.BuilderFlag.TF32)
    built = builder.build_serialized_network(network, settings)
    engine = tensorrt.Runtime(logger).deserialize_cuda_engine(built)
    context = engine.create_execution_context()
    source, target = (engine.get_tensor_name(number) for number in range(2))
    output = torch.empty(tuple(engine.get_tensor_shape(target)), dtype=torch.float32, device=layers.device)
    context.set_tensor_address(target, output.data_ptr())

    def run(values: torch.Tensor) -> torch.Tensor:
        context.set_tensor_address(source, values.data_ptr())
        context.execute_async_v3(torch.cuda.current_stream().cuda_stream)
        return output

    return on_tensors(run, layers)


def _missing() -> str | None:
    from baler_energy.devices import count_gpus

    return None if count_gpus() else "There is no NVIDIA GPU on this machine."


RUNTIME = Runtime(
    load=load,
    packages=("tensorrt", "onnx"),
    devices=("cuda",),
    lacks=_missing,
)
