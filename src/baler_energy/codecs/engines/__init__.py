"""Implementations of the transforms. Baler's autoencoder has several, called engines, which share file formats.

- `base`: what an implementation supports, what it is asked to do, and the work that it prepares
- `reference`, `fast`, `upstream`: engines of Baler's autoencoder; `pca`, `identity`: the other transforms; `variants`
  lists the modules that do the work
- `reference_figures`, `fast_figures`, `upstream_figures`: what figures say about an engine, and what its functions do
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.engines.base import Engine
from baler_energy.config.parameters import AXIS_DEFAULTS, Parameters, engines_with
from baler_energy.errors import InputError
from baler_energy.variants import ENGINES, RUNTIMES, TRANSFORMS, load
from baler_energy.vocabulary import OPERATIONS, Operation

__all__ = [
    "check_values",
    "device_of",
    "devices_of",
    "engine_of",
    "engines",
    "operation_of",
    "operations_of",
    "options_with",
    "profiles_itself",
    "refuse_runtime",
    "trains",
]


def engine_of(codec: Parameters) -> Engine:
    """Describe the implementation of a codec, without loading the modules that do the work."""
    return _about(_modules(codec))


def engines() -> list[Engine]:
    """All engines of Baler's autoencoder, in the order of the registry."""
    return [_about(modules) for modules in ENGINES.values()]


def options_with(able: Callable[[Engine], bool]) -> str:
    """Return the options that choose an engine with some ability, for messages."""
    return " or ".join(f"--engine {one.name}" for one in engines() if able(one))


def operations_of(codec: Parameters) -> tuple[str, ...]:
    """Operations that a codec has, in order; a codec that learns nothing has no ``train``."""
    return tuple(operation.value for operation in OPERATIONS if operation in _modules(codec))


def operation_of(codec: Parameters, operation: str) -> Any:
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


def trains(transform: str) -> bool:
    """Whether a transform is trained."""
    return any(Operation.TRAIN in modules for modules in TRANSFORMS[transform].values())


def profiles_itself(codec: Parameters) -> bool:
    """Whether a codec is profiled by a module of its own, because it runs in another process."""
    return "profile" in _modules(codec)


def check_values(point: Any) -> None:
    """Refuse values that the point's engine does not support, and a precision that its runtime does not support.

    Raises
    ------
    InputError
        A value is not supported; the message names the engines that support it.
    """
    if point.engine is None:
        return
    for name, default in AXIS_DEFAULTS.items():
        value, known = getattr(point, name), engines_with(name)
        if value != default and point.engine not in known:
            raise InputError(_refusal(point, name, known))
    if point.precision not in engine_of(point).precisions:
        known = tuple(engine.name for engine in engines() if point.precision in engine.precisions)
        raise InputError(_refusal(point, "precision", known))
    if reason := RUNTIMES[point.runtime].refused.get(point.precision):
        raise InputError(f"runtime {point.runtime!r} does not support precision {point.precision!r}: {reason}")


def _refusal(point: Any, name: str, known: Sequence[str]) -> str:
    """Say which engines support a value that the point's engine does not support, and why."""
    reason = engine_of(point).reasons.get(name)
    words = f"{name} {getattr(point, name)!r} is not supported by engine {point.engine!r}"
    return f"{words}, only by {' and '.join(map(repr, known))}{f': {reason}' if reason else ''}"


def refuse_runtime(point: Any, work: str) -> None:
    """Refuse a runtime for work that only PyTorch itself does.

    Raises
    ------
    InputError
        Another runtime was requested.
    """
    if runtime_of(point.runtime) is not None:
        raise InputError(f"--runtime {point.runtime}: {work} is only available without another runtime.")


def devices_of(codec: Parameters) -> tuple[str, ...]:
    """Devices that a codec's engine and runtime both support."""
    runtime = runtime_of(codec.runtime)
    return tuple(one for one in engine_of(codec).devices if runtime is None or one in runtime.devices)


def device_of(point: Any) -> str:
    """Give the device of a point; ``auto`` becomes the device of a codec that only runs on one.

    Raises
    ------
    InputError
        The codec does not run on the device.
    """
    devices = devices_of(point)
    if point.device == "auto":
        return "auto" if len(devices) > 1 else devices[0]
    if point.device not in devices:
        name = point.runtime if runtime_of(point.runtime) else point.engine or point.transform
        raise InputError(f"--device {point.device}: {name!r} only runs on {' and '.join(devices)}.")
    return str(point.device)


def _modules(codec: Parameters) -> Mapping[str, tuple[str, ...]]:
    return TRANSFORMS[codec.transform][codec.engine]


def _about(modules: Mapping[str, tuple[str, ...]]) -> Engine:
    engine: Engine = load(modules["about"][0]).ENGINE
    return engine
