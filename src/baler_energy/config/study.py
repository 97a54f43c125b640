"""The study: typed configuration, its grid of points, and the folder of each point.

`Study` with its parameters and sections (`parameters.py`, `sections.py`) is the only definition of the configuration:
``workflow/schemas/study.schema.json`` and the tables of ``config/README.md`` are generated from it.
"""

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator

from baler_energy.analysis.carbon import carbon_intensity_g_per_kwh
from baler_energy.codecs.baler.runtimes import runtime_of
from baler_energy.codecs.engines import check_values, devices_of, engine_of, operations_of
from baler_energy.config.extent import check_comparisons, check_grid, check_peers
from baler_energy.config.parameters import (
    AXES,
    AXIS_DEFAULTS,
    Config,
    Name,
    Parameters,
    applicable,
    applies,
    default_schedule,
)
from baler_energy.config.reading import read_config
from baler_energy.config.sections import (
    SHARDS_PER_SEED,
    Axes,
    BreakEven,
    CountOrRounds,
    Datasets,
    Embodied,
    FileData,
    GeneratedData,
    Measurement,
    Peers,
    Profile,
    Reference,
    Repeats,
    Selection,
    Training,
    Wattmeter,
)
from baler_energy.config.shown import number_text
from baler_energy.errors import InputError
from baler_energy.files import write_text
from baler_energy.mistakes import mistakes

__all__ = ["Point", "Study", "load_study"]


class Point(Parameters):
    """One combination of the grid and a repeat: a run from the beginning with its own seed."""

    repeat: int

    @cached_property
    def path(self) -> str:
        """Folder of the point under ``runs/``, named for the values that differ from the axes' defaults."""
        values = self.model_dump()
        named = [
            f"{axis}~{number_text(values[axis]) if isinstance(values[axis], float) else values[axis]}"
            for axis in (*AXES[1:], "repeat")
            if values[axis] is not None and (axis not in AXIS_DEFAULTS or values[axis] != AXIS_DEFAULTS[axis])
        ]
        return "/".join([self.dataset, *named])

    def in_repeat(self, repeat: int) -> "Point":
        """Return the same point in another repeat; `model_copy` would keep the cached path."""
        return Point.model_construct(**(self.model_dump() | {"repeat": repeat}))


class Study(Config):
    """A whole study, as a file under ``config/`` describes it."""

    name: Name
    """Results go to ``results/<name>``."""
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    """Country of the electricity: ISO 3166-1 alpha-3 code, such as CHE; its mean carbon intensity is used for CO2e."""
    carbon_intensity_g_per_kwh: Annotated[float, Field(ge=0)] | None = None
    """Instead of ``country``: the carbon intensity (g/kWh). Without any of the three, only energy is reported."""
    carbon_intensity_csv: Annotated[str, Field(min_length=1)] | None = None
    """Instead of ``country``: a file of hours and g/kWh, see docs/co2e.md."""
    pue: Annotated[float, Field(ge=1, le=5)] = 1.0
    """Power usage effectiveness of the site, applied once to CO2e and to the cost of electricity; 1 on a laptop."""
    price_per_kwh: Annotated[float, Field(ge=0)] | None = None
    """Price of electricity in ``currency`` per kWh; without it, no money is reported."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = None
    """Currency of ``price_per_kwh``: ISO 4217 code, such as CHF."""
    embodied: Embodied | None = None
    """Emissions of making the machine, for the Software Carbon Intensity (SCI); without it, there is no SCI."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the first repeat's model and of the order of the runs."""
    repeats: CountOrRounds = 3
    """Runs of each point, each with its own seed; or ``{least: 3, most: 10, target: 0.05}``, which adds repeats to
    points whose interval is wider than the target."""
    data: Datasets
    """The datasets, by name."""
    design: Literal["factorial", "one-at-a-time"]
    """Every combination of the axes, or one axis at a time around ``reference``."""
    reference: Reference | None = None
    """The study's centre: the point around which ``one-at-a-time`` varies one axis at a time."""
    axes: Axes
    """The grid."""
    also: tuple[Selection, ...] = ()
    """Further points of ``one-at-a-time``: each entry gives the values that differ from ``reference``."""
    training: Training = Training()
    """How every point trains."""
    measurement: Measurement = Measurement()
    """The rules of the measured window."""
    profile: Profile = Profile()
    """Which points are profiled, and with what."""
    peers: Peers = Peers()
    """Other tools that measure extra repeats, which are not part of the results (extra ``peers``)."""
    imports: tuple[str, ...] = ()
    """Results of other studies to compare with: files that `baler-energy import` reads."""
    wattmeter: Wattmeter | None = None
    """The log of an external wattmeter, merged by time."""
    break_even: BreakEven = BreakEven()
    """What it costs to keep, move and read data: whether compression pays."""

    @model_validator(mode="before")
    @classmethod
    def _training_sets_axes(cls, config: Any) -> Any:
        """Take defaults of axes from the keys of ``training`` that describe them."""
        training = config.get("training") if isinstance(config, Mapping) else None
        if not isinstance(training, Mapping):
            return config
        found = {"learning_rate": training.get("learning_rate")}
        found |= {"schedule": default_schedule(training.get("plateau_patience"))}
        changed = {name: value for name, value in found.items() if value != AXIS_DEFAULTS[name]}
        centre = config.get("reference")
        if isinstance(centre, Mapping):
            return {**config, "reference": {**changed, **centre}}
        axes = config.get("axes")
        lists = {name: [value] for name, value in changed.items()}
        return {**config, "axes": {**lists, **axes}} if isinstance(axes, Mapping) else config

    @field_validator("country", mode="before")
    @classmethod
    def _has_an_energy_mix(cls, country: Any) -> Any:
        if not isinstance(country, str):
            return country
        try:
            carbon_intensity_g_per_kwh(country)
        except InputError as error:
            raise ValueError(str(error).removeprefix("country: ")) from error
        return country

    @model_validator(mode="after")
    def _one_carbon_intensity_and_price(self) -> Self:
        keys = ("country", "carbon_intensity_g_per_kwh", "carbon_intensity_csv")
        given = [key for key in keys if getattr(self, key) is not None]
        if len(given) > 1:
            raise ValueError(f"set only one of {', '.join(keys)}, not {' and '.join(given)}")
        if (self.price_per_kwh is None) != (self.currency is None):
            raise ValueError("'price_per_kwh' and 'currency' go together; set both or neither")
        return self

    @model_validator(mode="after")
    def _design_is_complete(self) -> Self:
        if self.design == "one-at-a-time":
            if self.reference is None:
                raise ValueError("design 'one-at-a-time' needs the key 'reference' (dataset, rows, epochs, ...)")
        elif self.reference is not None:
            raise ValueError("the key 'reference' belongs to design 'one-at-a-time'; delete it or change the design")
        elif self.also:
            raise ValueError("the key 'also' belongs to design 'one-at-a-time'; delete it or change the design")
        elif self.axes.rows is None:
            raise ValueError("design 'factorial' needs the axis 'rows'")
        elif self.axes.epochs is None and any(applies("epochs", one) for one in self.axes.transform):
            raise ValueError("design 'factorial' needs the axis 'epochs' for every transform that is trained in epochs")
        return self

    @model_validator(mode="after")
    def _further_points_are_valid(self) -> Self:
        for number, entry in enumerate(self.also if self.reference else ()):
            try:
                self._reference_with(entry)
            except ValidationError as error:
                raise ValueError(f"also[{number}]: {'; '.join(mistakes(error, 'also', Reference))}") from error
        return self

    @model_validator(mode="after")
    def _engines_know_the_values(self) -> Self:
        for point in self.points:
            try:
                check_values(point)
                engine_of(point).refuse(point, self.training)
            except InputError as error:
                raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _datasets_are_known(self) -> Self:
        for dataset, rows in {(point.dataset, point.rows) for point in self.points}:
            if dataset not in self.data:
                raise ValueError(f"dataset {dataset!r} is not defined under 'data' (defined: {', '.join(self.data)})")
            data = self.data[dataset]
            if isinstance(data, FileData):
                continue
            if rows == "all":
                raise ValueError(f"rows 'all' requires a file; dataset {dataset!r} is generated, so use a number")
            if (shards := self._shards(data, rows)) > SHARDS_PER_SEED:
                least = -(-shards * data.shard_rows // SHARDS_PER_SEED)
                raise ValueError(
                    f"{rows} rows of dataset {dataset!r} and those held out need {shards} shards, but a seed has only "
                    f"{SHARDS_PER_SEED}: set 'shard_rows' to at least {least}"
                )
        return self

    @model_validator(mode="after")
    def _selected_points_exist(self) -> Self:
        for section in ("profile", "peers"):
            check_comparisons(f"{section}.points", len(getattr(self, section).points), len(self.points))
            for number, entry in enumerate(getattr(self, section).points):
                key = f"{section}.points[{number}]"
                if unknown := sorted(set(entry) - set(AXES)):
                    raise ValueError(f"{key}: unknown axis {unknown[0]!r}; axes: {', '.join(AXES)}")
                if not self._matching(entry):
                    raise ValueError(f"{key}: no point of the grid has {dict(entry)}")
        check_peers(self)
        return self

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The grid, each point once, in the order of the axes; repeats innermost, without those of later rounds."""
        return self._repeated(self.repeats.least if isinstance(self.repeats, Repeats) else self.repeats)

    @property
    def rounds(self) -> int:
        """Number of rounds that may add repeats; 0 if the number of repeats is fixed."""
        return self.repeats.most - self.repeats.least if isinstance(self.repeats, Repeats) else 0

    @cached_property
    def by_path(self) -> dict[str, Point]:
        """All possible points by path, including the repeats of later rounds."""
        points = self._repeated(self.repeats.most) if isinstance(self.repeats, Repeats) else self.points
        return {point.path: point for point in points}

    @cached_property
    def order(self) -> dict[str, int]:
        """Seeded random priorities of the points by path, which shuffle the runs, so that drift follows no axis."""
        paths = sorted(self.by_path)
        return {path: random.Random(f"{self.seed}/{path}").randrange(1_000_000) for path in paths}

    @cached_property
    def profiled(self) -> tuple[Point, ...]:
        """The profiled points: those that ``profile.points`` selects, in their first repeat, without other runtimes."""
        found = dict.fromkeys(p for entry in self.profile.points for p in self._matching(entry))
        return tuple(point for point in found if runtime_of(point.runtime) is None)

    @cached_property
    def profiles(self) -> tuple[tuple[Point, str], ...]:
        """Each profiled point with each profiler that can profile the point's engine."""
        return tuple(
            (point, profiler)
            for point in self.profiled
            for profiler in self.profile.profilers
            if (able := engine_of(point).profilers) is None or profiler in able
        )

    @cached_property
    def sized(self) -> tuple[Point, ...]:
        """Points that differ from another one only in the model, if their layers can be measured separately."""
        models: dict[tuple[Any, ...], list[Point]] = {}
        for point in self.by_path.values():
            if engine_of(point).has_layers and runtime_of(point.runtime) is None:
                alike = tuple(getattr(point, axis) for axis in Point.model_fields if axis != "model")
                models.setdefault(alike, []).append(point)
        return tuple(point for points in models.values() if len(points) > 1 for point in points)

    @cached_property
    def trained(self) -> frozenset[str]:
        """Paths of the points whose codec is trained, including the repeats of later rounds."""
        return frozenset(path for path, point in self.by_path.items() if "train" in operations_of(point))

    @cached_property
    def peer_points(self) -> tuple[Point, ...]:
        """The points whose training other tools also measure: those that ``peers.points`` selects."""
        found = dict.fromkeys(p for entry in self.peers.points for p in self._matching(entry))
        return tuple(point for point in found if point.path in self.trained)

    @cached_property
    def logs(self) -> tuple[str, ...]:
        """The user's files that the collection reads: hourly carbon intensities, the wattmeter's log."""
        wattmeter = self.wattmeter.path if self.wattmeter else None
        return tuple(path for path in (self.carbon_intensity_csv, wattmeter) if path is not None)

    def seed_of(self, point: Point) -> int:
        """Seed of a point: the same for all points of a repeat, so that they only differ in their axes."""
        return self.seed + point.repeat

    def shard_seeds(self, dataset: str, rows: str) -> tuple[int, ...]:
        """Seeds of the generated shards for `rows` of a dataset and its held-out rows; empty for a file."""
        data = self.data[dataset]
        if isinstance(data, FileData):
            return ()
        first = data.seed * SHARDS_PER_SEED
        return tuple(range(first, first + self._shards(data, int(rows))))

    def _shards(self, data: GeneratedData, rows: int) -> int:
        """Count the shards with `rows` rows and those held out."""
        return -(-(rows + math.ceil(rows * self.training.held_out)) // data.shard_rows)

    def _repeated(self, repeats: int) -> tuple[Point, ...]:
        check_grid(self)
        combinations = dict.fromkeys(tuple(_resolved(c).items()) for c in self._combinations())
        # Without validation, since all values have been validated.
        return tuple(
            Point.model_construct(**dict(values), repeat=repeat) for values in combinations for repeat in range(repeats)
        )

    def _matching(self, entry: Mapping[str, Any]) -> list[Point]:
        return [p for p in self.points if p.repeat == 0 and all(getattr(p, k) == v for k, v in entry.items())]

    def _combinations(self) -> Iterator[dict[str, Any]]:
        values = {axis: getattr(self.axes, axis) for axis in AXES}
        if self.reference is None:
            values |= {"dataset": values["dataset"] or tuple(self.data), "epochs": values["epochs"] or (None,)}
            for combination in itertools.product(*(values[axis] for axis in AXES)):
                yield dict(zip(AXES, combination, strict=True))
            return
        reference = {axis: getattr(self.reference, axis) for axis in AXES}
        yield reference
        # In a fixed order: the order of a set differs between processes.
        for axis in (axis for axis in AXES if axis in self.axes.model_fields_set):
            for value in values[axis]:
                yield reference | {axis: value}
        for entry in self.also:
            yield reference | self._reference_with(entry).model_dump()

    def _reference_with(self, values: Mapping[str, Any]) -> Reference:
        """Return the study's centre with some values changed; all values are validated."""
        return Reference.model_validate(dict(self.reference or {}) | dict(values))

    def without(self, axis: str, value: Any) -> Self | None:
        """Return the study as if it were configured without a value of an axis; None: nothing is left.

        Nothing is left either if the study's centre, which the figures need, has this value.
        """
        config = self.model_dump(mode="json", exclude_unset=True)
        values = [other for other in getattr(self.axes, axis) if other != value]
        reference = getattr(self.reference, axis) if self.reference else None
        if reference == value or not (values or reference):
            return None
        if axis in config["axes"]:
            config["axes"] |= {axis: values}
            if not values:
                del config["axes"][axis]
        if self.also:
            config["also"] = [entry for entry in self.also if entry.get(axis, reference) != value]
        for name in ("profile", "peers"):
            if name in config:
                section = getattr(self, name)
                kept = [one for one in section.points if {getattr(p, axis) for p in self._matching(one)} - {value}]
                config[name] |= {"points": kept} | ({} if kept or name == "profile" else {"tools": []})
        return self.model_validate(config)

    def write(self, path: Path) -> None:
        """Write the study as YAML that `load_study` reads back."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json", exclude_unset=True), sort_keys=False))


def _resolved(values: Mapping[str, Any]) -> dict[str, Any]:
    """Set parameters that do not apply to null, and the device of a codec without a choice to its default."""
    known = applicable(values)
    devices = devices_of(Parameters.model_construct(**known))
    return known if len(devices) > 1 else known | {"device": AXIS_DEFAULTS["device"]}


def load_study(config: Mapping[str, Any] | Path | Sequence[Path]) -> Study:
    """Validate a configuration.

    Parameters
    ----------
    config
        The configuration, or its YAML file; of several files, each changes and adds keys of those before it.

    Raises
    ------
    InputError
        The configuration has mistakes; the message lists all of them with key, value and what is allowed.
    """
    config, where = read_config(config)
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        count, lines = error.error_count(), "\n".join(f"  {line}" for line in mistakes(error, "study", Study))
        raise InputError(
            f"{where}the study has {count} mistake{'s' if count > 1 else ''}:\n{lines}\n"
            "Every key is described in config/README.md."
        ) from error
