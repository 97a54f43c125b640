"""The sections of a study's configuration: data, axes, break-even; `measuring.py` has those of measuring.

With `Study` in `study.py`, these models are the only definition of the configuration.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_type_hints

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    create_model,
    field_validator,
    model_validator,
)

from baler_energy.analysis.carbon import embodied_co2e_kg
from baler_energy.config import parameters
from baler_energy.config.derived import DerivedQuantities
from baler_energy.config.measuring import Measurement, Peers, Profile, Selection
from baler_energy.config.own_file import OwnFile
from baler_energy.config.parameters import Config, Count, Name, Parameters
from baler_energy.variants import GENERATORS

__all__ = [
    "SHARDS_PER_SEED",
    "Axes",
    "BreakEven",
    "Constant",
    "CountOrRounds",
    "Dataset",
    "Datasets",
    "Embodied",
    "FileData",
    "GeneratedData",
    "Measurement",
    "Peers",
    "Profile",
    "Reference",
    "Repeats",
    "Selection",
    "Training",
    "Wattmeter",
]

#: Number of shard seeds for each seed of a dataset, so that datasets with different seeds share no shard.
SHARDS_PER_SEED = 10_000
#: Largest correction of a wattmeter's clock (s), in either direction. A clock that was never set starts after 1899.
_LARGEST_OFFSET_S = 4_000_000_000
Seed = Annotated[int, Field(ge=1, le=80_000)]
if TYPE_CHECKING:
    Generator = str
else:
    Generator = Literal[tuple(GENERATORS)]


class GeneratedData(Config):
    """Generated events: |generators|."""

    source: Generator
    seed: Seed = 1
    """Seed of the generator; datasets with different seeds share no events."""
    shard_rows: Annotated[int, Field(ge=100)] = 25_000
    """Rows per generated shard; each shard is a job. A seed has at most 10,000 shards."""
    derived: DerivedQuantities | None = None
    """Quantities that are computed from columns before and after compression, by name: docs/physics.md."""


class FileData(OwnFile):
    """Your own file: |files|."""

    derived: DerivedQuantities | None = None
    """Quantities that are computed from columns before and after compression, by name: docs/physics.md."""


#: The key ``source`` determines the kind of dataset.
Dataset = Annotated[GeneratedData | FileData, Field(discriminator="source")]


def _in_own_folders(data: dict[str, Dataset]) -> dict[str, Dataset]:
    """Refuse names that differ only in case, since some file systems ignore it."""
    folders: dict[str, str] = {}
    for name in data:
        if (other := folders.setdefault(name.lower(), name)) != name:
            raise ValueError(f"datasets {other!r} and {name!r} would share a folder on macOS; rename one")
    return data


Datasets = Annotated[dict[Name, Dataset], Field(min_length=1), AfterValidator(_in_own_folders)]


class _Axes(Config):
    @field_validator("*")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if values is not None and (not values or len(set(values)) < len(values)):
            raise ValueError("give at least one value, without duplicates")
        return values


def _axes() -> dict[str, Any]:
    """Fields of `Axes`: a list of values for each parameter, by default only its default."""
    fields: dict[str, Any] = {}
    several: Any = tuple
    for name, kind in get_type_hints(Parameters, include_extras=True).items():
        field = Parameters.model_fields[name]
        values, default = several[kind, ...], None if field.is_required() else (field.default,)
        fields[name] = (values if default else values | None, Field(default, description=field.description))
    return fields


def _reference() -> dict[str, Any]:
    """Fields of `Reference`: the parameters, required ones first."""
    fields = Parameters.model_fields
    hints = get_type_hints(Parameters, include_extras=True)
    order = sorted(fields, key=lambda name: not fields[name].is_required())
    return {name: (hints[name], Field(... if fields[name].is_required() else fields[name].default)) for name in order}


if TYPE_CHECKING:

    class Axes(Config):
        """Values of each axis of the grid; an axis that is not listed has its default value."""

        rows: tuple[int | str, ...] | None
        transform: tuple[str, ...]
        engine: tuple[str, ...]
        epochs: tuple[int, ...] | None

    Reference = Parameters
else:
    Axes = create_model(
        "Axes",
        __base__=_Axes,
        __doc__="Values of each axis of the grid; an axis that is not listed has its default value.",
        **_axes(),
    )
    Reference = create_model(
        "Reference",
        __base__=Config,
        __doc__="The study's centre: the point around which a one-at-a-time design varies one axis at a time.",
        **_reference(),
    )


class Repeats(Config):
    """Repeats where they are needed: each round adds one repeat to every point whose interval is still too wide."""

    least: Annotated[int, Field(ge=2)] = 3
    """Minimum number of runs of each point."""
    most: Annotated[int, Field(ge=2)] = 10
    """Maximum number of runs of each point."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """A point gets no more repeats once the half width of the 95 % t interval is at most this fraction of the mean, for
    the energy of each operation (or its duration, if there is no energy)."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.most < self.least:
            raise ValueError(f"'most' ({self.most}) is below 'least' ({self.least})")
        return self


#: The type is chosen by the value, so that an invalid value gives one message. `study` removes bracketed tags from it.
CountOrRounds = Annotated[
    Annotated[Count, Tag("[count]")] | Annotated[Repeats, Tag("[rounds]")],
    Discriminator(lambda given: "[rounds]" if isinstance(given, dict | Repeats) else "[count]"),
]


class Training(parameters.Training):
    """How every point is trained, and which rows are held out."""

    learning_rate: parameters.LearningRate | None = None
    """Default of the axis ``learning_rate``."""
    held_out: parameters.HeldOut = 0.2
    """Held-out rows, on which no codec is trained, as a fraction of the rows of the table; errors on both are reported.
    They are taken in addition to ``rows``, as far as the dataset has more; ``rows: all`` uses all others. 0: none."""


class Wattmeter(Config):
    """The log of an external wattmeter (CSV: time, W), merged by time when results are collected."""

    path: Annotated[str, Field(min_length=1)]
    """Path of the log, relative to the working directory."""
    clock_offset_s: Annotated[float, Field(ge=-_LARGEST_OFFSET_S, le=_LARGEST_OFFSET_S)] = 0.0
    """Added to the log's times to correct its clock (s)."""
    hosts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Host names of the machine that it measures; needed if the study ran on several machines."""


class Embodied(Config):
    """Emissions of making and disposing of the machine, for the Software Carbon Intensity (docs/co2e.md)."""

    machine_co2e_kg: Annotated[float, Field(ge=0, le=1e9)]
    """Emissions of the whole machine (kg CO2e), as its manufacturer or a life cycle assessment states them."""
    lifetime_years: Annotated[float, Field(ge=0.1, le=100)]
    """Years for which the machine is used."""
    reserved_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the machine that is reserved for an operation, such as its share of the cores; by default 1."""
    citation: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    """Source of these numbers."""

    def co2e_kg(self, duration_s: Any) -> Any:
        """Return the share (kg) of an operation that takes some time (s)."""
        return embodied_co2e_kg(self.machine_co2e_kg, duration_s, self.lifetime_years, self.reserved_share)

    def __str__(self) -> str:
        machine = f"{self.machine_co2e_kg:g} kg over {self.lifetime_years:g} years"
        return f"{machine}, reserved share {self.reserved_share:g} ({self.citation})"


class Constant(Config):
    """A constant of the break-even analysis: its likeliest value, and the range from which the bands are drawn."""

    value: Annotated[float, Field(ge=0)]
    """The likeliest value."""
    low: Annotated[float, Field(ge=0)] | None = None
    """Lower end of the range; by default the value."""
    high: Annotated[float, Field(ge=0)] | None = None
    """Upper end of the range; by default the value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        low, value, high = self.range
        if not low <= value <= high:
            raise ValueError(f"'value' ({value:g}) must be between 'low' ({low:g}) and 'high' ({high:g})")
        return self

    @property
    def range(self) -> tuple[float, float, float]:
        """Lower end, value and upper end."""
        low = self.value if self.low is None else self.low
        return low, self.value, self.value if self.high is None else self.high


def _ranging(low: float, value: float, high: float) -> Constant:
    return Constant(value=value, low=low, high=high)


def _of_a_site(pue: Constant) -> Constant:
    if pue.range[0] < 1:
        raise ValueError("a PUE cannot be below 1: a site uses at least as much as its computers")
    return pue


class BreakEven(Config):
    """Costs of keeping, moving and reading data, for the break-even of compression. Sources: docs/break-even.md."""

    years: Annotated[float, Field(gt=0)] = 10.0
    """Years for which the data are kept (assumption; a figure varies it)."""
    volume_per_model_tb: Annotated[float, Field(gt=0)] = 1.0
    """Volume that one model compresses before the next one is trained (TB; assumption; a figure varies it)."""
    pue: Annotated[Constant, AfterValidator(_of_a_site)] = _ranging(1.1, 1.42, 1.58)
    """Power usage effectiveness of the sites, for everything except the network (Equinix in 2023; low: target of CERN's
    data centre in Prevessin; high: mean of the industry in 2023, Uptime Institute). The study's own ``pue`` is that of
    the machine that measured, which may be a laptop."""
    replicas_disk: Constant = _ranging(1, 1, 2)
    """Copies on disk (assumption; high: mirrored servers, as in CERN's EOS)."""
    replicas_tape: Constant = _ranging(1, 1, 2)
    """Copies on tape (assumption)."""
    disk_power_w_per_tb: Constant = _ranging(0.25, 0.5, 1.0)
    """Power of disk storage with its enclosures, without PUE (W/TB; Toshiba: a system of 1 PB below 500 W; low: a 16 TB
    drive alone, active idle; high: a rack of 16 kW with 672 drives of 24 TB)."""
    tape_power_w_per_tb: Constant = _ranging(0, 0.065, 0.13)
    """Power of a tape library, without PUE (W/TB; 87 % less than disk, Brad Johns Consulting; low: a tape at rest;
    high: twice the value, assumption)."""
    disk_price_per_tb_year: Constant = _ranging(17.7, 60, 139)
    """Price of disk storage without its electricity (currency/TB/year; University of Liege and others)."""
    tape_price_per_tb_year: Constant = _ranging(2.3, 10, 48)
    """Price of tape storage without its electricity (currency/TB/year; University of Liege and others)."""
    transfers: Constant = _ranging(0, 2, 10)
    """Times that the stored data cross a wide-area network (assumption)."""
    transfer_kwh_per_gb: Constant = _ranging(0, 0.002, 0.0075)
    """Electricity of a network per volume (kWh/GB; Aslan et al. 2018: 0.06 in 2015, halved every 2 years, so this is
    2025; low: traffic does not change the power, Mytton et al. 2024; high: as in 2021)."""
    reads: Constant = _ranging(1, 10, 30)
    """Times that all data are decompressed (assumption)."""
    electricity_price_per_kwh: Constant = _ranging(0.094, 0.20, 0.256)
    """Price of electricity (currency/kWh; Eurostat, non-household consumers in the EU, 2023 and 2024)."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "EUR"
    """Currency of the three prices. It is only a label: nothing is converted."""

    @property
    def ranges(self) -> dict[str, tuple[float, float, float]]:
        """Lower end, value and upper end of each number; all three are equal for a number without a range."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "currency"}
        return {name: one.range if isinstance(one, Constant) else (one, one, one) for name, one in given.items()}
