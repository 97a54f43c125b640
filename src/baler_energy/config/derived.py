"""Quantities that are computed from columns, such as the invariant mass of two muons, and the peaks to measure."""

import math
from typing import Annotated, Self

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from baler_energy.config.parameters import Config, Name
from baler_energy.errors import InputError
from baler_energy.files import from_json

__all__ = ["Derived", "DerivedQuantities", "read_derived"]

Column = Annotated[str, StringConstraints(min_length=1)]
#: ``[pt, eta, phi, mass]``.
Particle = Annotated[tuple[Column | float, ...], Field(min_length=4, max_length=4)]
WindowName = Annotated[str, StringConstraints(min_length=1, max_length=32)]
Window = Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]


class Derived(Config):
    """A quantity that is computed from columns before and after compression; set exactly one of the first three."""

    invariant_mass: Annotated[tuple[Particle, ...], Field(min_length=2)] | None = None
    """Invariant mass of two or more particles, each ``[pt, eta, phi, mass]``: names of columns. A mass can also be a
    number, in the unit of pt, if the file has no column for it."""
    ratio: Annotated[tuple[Column, ...], Field(min_length=2, max_length=2)] | None = None
    """First column over the second."""
    sum: Annotated[tuple[Column, ...], Field(min_length=2)] | None = None
    """Sum of the columns."""
    windows: dict[WindowName, Window] | None = None
    """Peaks to measure, such as ``Z: [80, 100]``: name, lower and upper edge. A window should contain one peak and some
    background on both sides."""
    unit: Annotated[str, StringConstraints(pattern=r"^\S{1,12}$")] | None = None
    """Unit of the quantity; by default GeV for an invariant mass."""

    @model_validator(mode="after")
    def _one_definition(self) -> Self:
        kinds = ("invariant_mass", "ratio", "sum")
        given = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"set exactly one of {', '.join(kinds)}, not {' and '.join(given) or 'none of them'}")
        return self

    @model_validator(mode="after")
    def _particles_are_complete(self) -> Self:
        for number, (*momentum, mass) in enumerate(self.invariant_mass or ()):
            if not all(isinstance(column, str) for column in momentum):
                raise ValueError(f"invariant_mass[{number}]: pt, eta and phi must be columns, not numbers")
            if not isinstance(mass, str) and mass < 0:
                raise ValueError(f"invariant_mass[{number}]: the mass {mass:g} is negative")
        return self

    @model_validator(mode="after")
    def _windows_are_intervals(self) -> Self:
        for name, (low, high) in (self.windows or {}).items():
            if not low < high:
                raise ValueError(f"windows.{name}: the lower edge {low:g} is not below the upper edge {high:g}")
            if math.isinf(high - low):
                raise ValueError(f"windows.{name}: from {low:g} to {high:g} is too wide")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that it is computed from, without duplicates."""
        named = self.ratio or self.sum or [part for particle in self.invariant_mass or () for part in particle]
        return tuple(dict.fromkeys(part for part in named if isinstance(part, str)))

    @property
    def definition(self) -> str:
        """The definition as text."""
        if self.invariant_mass:
            return "invariant mass of " + " and ".join(f"({', '.join(map(str, one))})" for one in self.invariant_mass)
        return " / ".join(self.ratio) if self.ratio else " + ".join(self.sum or ())

    @property
    def unit_name(self) -> str | None:
        """The configured unit, or else GeV for an invariant mass; None if unknown."""
        return self.unit or ("GeV" if self.invariant_mass else None)


#: Quantities of a dataset by name.
DerivedQuantities = Annotated[dict[Name, Derived], Field(min_length=1)]


def read_derived(text: str) -> DerivedQuantities:
    """Read quantities from JSON, in the form of a study's key ``derived``.

    Raises
    ------
    InputError
        The text is not valid, or a key occurs twice in it.
    """
    try:
        found: dict[str, Derived] = TypeAdapter(DerivedQuantities).validate_python(from_json(text))
    except ValidationError as error:
        mistake = error.errors(include_url=False)[0]
        place = "".join(f"{part}: " for part in mistake["loc"])
        raise InputError(f"derived: {place}{mistake['msg'].removeprefix('Value error, ')}.") from error
    except ValueError as error:
        raise InputError(f"derived: is not valid JSON ({error}).") from error
    return found
