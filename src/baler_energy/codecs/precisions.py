"""Values of the axis ``precision``, and the number types of a trained codec."""

from collections.abc import Mapping

__all__ = ["NUMBER_TYPES", "PRECISIONS"]

#: Number type of parameters and arithmetic, by precision. The matrix products of the training have the type of the
#: precision's own name.
PRECISIONS: Mapping[str, str] = {
    "float64": "float64",
    "float32": "float32",
    "bfloat16": "float32",
    "float16": "float32",
}
#: Number types of parameters.
NUMBER_TYPES = tuple(dict.fromkeys(PRECISIONS.values()))
