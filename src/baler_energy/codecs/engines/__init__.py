"""Implementations of the transforms. Baler's autoencoder has several, called engines, which share file formats.

- `base`: what an implementation supports, what it is asked to do, and the work that it prepares
- `reference`, `fast`, `upstream`: engines of Baler's autoencoder; `pca`, `identity`: the other transforms; `variants`
  lists the modules that do the work
"""

from collections.abc import Mapping
from typing import Any

from baler_energy.codecs.engines.base import Engine
from baler_energy.errors import InputError
from baler_energy.sources import Codec
from baler_energy.variants import ENGINES, TRANSFORMS, load

__all__ = ["check_precision", "device_of", "engine_of", "engines", "operation_of", "operations_of"]

#: Operations that a codec may have, in order.
OPERATIONS = ("train", "compress", "decompress")


def engine_of(codec: Codec) -> Engine:
    """Describe the implementation of a codec, without loading the modules that do the work."""
    return _about(_modules(codec))


def engines() -> list[Engine]:
    """All engines of Baler's autoencoder, in the order of the registry."""
    return [_about(modules) for modules in ENGINES.values()]


def operations_of(codec: Codec) -> tuple[str, ...]:
    """Operations that a codec has, in order; a codec that learns nothing has no ``train``."""
    return tuple(operation for operation in OPERATIONS if operation in _modules(codec))


def operation_of(codec: Codec, operation: str) -> Any:
    """Load the module with which a codec performs an operation.

    Raises
    ------
    InputError
        The codec does not have this operation.
    """
    modules = _modules(codec)
    if operation not in modules:
        raise InputError(f"transform {codec.transform!r} has no operation {operation!r}: it is not trained.")
    return load(modules[operation][0])


def check_precision(point: Any) -> None:
    """Refuse a precision that the point's engine does not support.

    Raises
    ------
    InputError
        The precision is not supported; the message names the engines that support it.
    """
    if point.precision is not None and point.precision not in engine_of(point).precisions:
        known = [repr(engine.name) for engine in engines() if point.precision in engine.precisions]
        raise InputError(
            f"precision {point.precision!r} is not supported by engine {point.engine!r}, only by {' and '.join(known)}"
        )


def device_of(point: Any) -> str:
    """Give the device of a point; ``auto`` becomes ``cpu`` if the codec only runs on the CPU.

    Raises
    ------
    InputError
        The codec does not run on the device.
    """
    devices = engine_of(point).devices
    if point.device == "auto":
        return "auto" if "cuda" in devices else devices[0]
    if point.device not in devices:
        name = point.engine or point.transform
        raise InputError(f"--device {point.device}: {name!r} only runs on {' and '.join(devices)}.")
    return str(point.device)


def _modules(codec: Codec) -> Mapping[str, tuple[str, ...]]:
    return TRANSFORMS[codec.transform][codec.engine]


def _about(modules: Mapping[str, tuple[str, ...]]) -> Engine:
    engine: Engine = load(modules["about"][0]).ENGINE
    return engine
