"""Engines: implementations of Baler's autoencoder, which share their files.

- `base`: what an engine says of itself, what it is asked to do, and the work that comes of it
- `reference`, `fast`, `upstream`: what each can do; the modules that do it are named in `variants`
"""

from typing import Any

from baler_energy.codecs.engines.base import Engine
from baler_energy.config.parameters import Parameters
from baler_energy.errors import InputError
from baler_energy.variants import ENGINES, load

__all__ = ["check_precision", "engine_named", "engines", "operation_of"]


def engine_named(name: str) -> Engine:
    """Give what an engine says of itself; loads nothing that computes."""
    engine: Engine = load(ENGINES[name]["about"][0]).ENGINE
    return engine


def engines() -> list[Engine]:
    """All engines, in the order of the registry."""
    return [engine_named(name) for name in ENGINES]


def operation_of(engine: str, operation: str) -> Any:
    """Load the module with which an engine performs an operation."""
    return load(ENGINES[engine][operation][0])


def check_precision(point: Parameters) -> None:
    """Refuse a precision in which the point's engine does not compute.

    Raises
    ------
    InputError
        The message names the engines that do.
    """
    if point.precision not in engine_named(point.engine).precisions:
        known = [repr(engine.name) for engine in engines() if point.precision in engine.precisions]
        raise InputError(
            f"precision {point.precision!r} is not supported by engine {point.engine!r}, only by {' and '.join(known)}"
        )
