"""Layers as an ONNX model."""

from typing import Any

import numpy as np

from baler_energy.codecs.baler.runtimes.base import Layers

__all__ = ["onnx_model"]

#: Versions that present runtimes read.
_OPSET, _IR = 17, 10


def onnx_model(layers: Layers) -> Any:
    """Make the ONNX model of layers for whole batches: input ``rows``, one output.

    In float64 the leaky ReLU is max(x, slope x): ONNX has its slope in float32, which would change the results by
    4e-11, and the decomposition is faster in ONNX Runtime.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from torch import nn

    kind = TensorProto.DOUBLE if layers.precision == "float64" else TensorProto.FLOAT
    nodes: list[Any] = []
    constants: list[Any] = []
    value = "rows"

    def constant(array: Any) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(array, layers.precision), f"c{len(constants)}"))
        return f"c{len(constants) - 1}"

    def node(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"v{len(nodes)}"], **attributes))
        return f"v{len(nodes) - 1}"

    def linear(value: str, layer: Any) -> str:
        weight, bias = (part.detach().cpu().numpy() for part in (layer.weight, layer.bias))
        return node("Add", node("MatMul", value, constant(weight.T)), constant(bias))

    network: Any = layers.network
    for layer in network.hidden:
        if isinstance(layer, nn.Linear):
            value = linear(value, layer)
        elif layers.precision == "float64":
            value = node("Max", value, node("Mul", value, constant(layer.negative_slope)))
        else:
            value = node("LeakyRelu", value, alpha=layer.negative_slope)
    value = linear(node("Concat", value, "rows", axis=1) if network.skip else value, network.last)
    ends = [
        helper.make_tensor_value_info(name, kind, [layers.batch_rows, width])
        for name, width in (("rows", layers.example.shape[1]), (value, network.last.out_features))
    ]
    graph = helper.make_graph(nodes, "layers", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model
