"""Implementations of the transforms: of Baler's autoencoder several, its engines, which share their files.

- `base`: what an implementation says of itself, what it is asked to do, and the work that comes of it
- `reference`, `fast`, `upstream`: engines of Baler's autoencoder; `pca`, `identity`: the other transforms; the modules
  that do the work are named in `variants`
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
    """Give what the implementation of a codec says of itself; loads nothing that computes."""
    return _about(_modules(codec))


def engines() -> list[Engine]:
    """All engines of Baler's autoencoder, in the order of the registry."""
    return [_about(modules) for modules in ENGINES.values()]


def operations_of(codec: Codec) -> tuple[str, ...]:
    """Operations that a codec has, in order; one that learns nothing has no training."""
    return tuple(operation for operation in OPERATIONS if operation in _modules(codec))


def operation_of(codec: Codec, operation: str) -> Any:
    """Load the module with which a codec performs an operation.

    Raises
    ------
    InputError
        It has no such operation.
    """
    modules = _modules(codec)
    if operation not in modules:
        raise InputError(f"transform {codec.transform!r} has no operation {operation!r}: it is not trained.")
    return load(modules[operation][0])


def check_precision(point: Any) -> None:
    """Refuse a precision in which the point's engine does not compute.

    Raises
    ------
    InputError
        The message names the engines that do.
    """
    if point.precision is not None and point.precision not in engine_of(point).precisions:
        known = [repr(engine.name) for engine in engines() if point.precision in engine.precisions]
        raise InputError(
            f"precision {point.precision!r} is not supported by engine {point.engine!r}, only by {' and '.join(known)}"
        )


def device_of(point: Any) -> str:
    """Give the device that a point asks for; ``cpu`` instead of ``auto`` where its codec computes on nothing else.

    Raises
    ------
    InputError
        The codec does not compute on the device.
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
