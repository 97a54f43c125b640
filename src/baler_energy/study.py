"""The study: typed configuration, its grid of points, and where each point's files lie.

The models here are the one definition of the configuration: ``workflow/schemas/study.schema.json`` and the tables of
``config/README.md`` are generated from them.
"""

import itertools
import json
import random
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from baler_energy.analysis.carbon import carbon_intensity_g_per_kwh
from baler_energy.errors import InputError
from baler_energy.files import write_text
from baler_energy.vocabulary import MeterName

__all__ = ["FileData", "Point", "Pythia8Data", "Study", "ToyData", "load_study"]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
#: Seeds of shards from one dataset's seed to the next, so that no two datasets share a shard.
SHARDS_PER_SEED = 10_000
Seed = Annotated[int, Field(ge=1, le=80_000)]
Rows = Annotated[int, Field(ge=2)] | Literal["all"]
Engine = Literal["reference"]
Model = Literal["baler"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float64", "float32"]
Count = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=1)]


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Pythia8Data(_Config):
    """QCD dijets at 8 TeV from Pythia 8, clustered by FastJet (extra ``pythia``)."""

    source: Literal["pythia8"]
    seed: Seed = 1
    """Of the generator; datasets with different seeds share no event."""
    shard_rows: Annotated[int, Field(ge=100)] = 25_000
    """Rows per generated shard; each shard is a job."""


class ToyData(_Config):
    """A NumPy stand-in with the same columns, labelled as a toy wherever it appears."""

    source: Literal["toy"]
    seed: Seed = 1
    """Of the generator; datasets with different seeds share no event."""
    shard_rows: Annotated[int, Field(ge=100)] = 25_000
    """Rows per generated shard; each shard is a job."""


class FileData(_Config):
    """A file of the user's: ROOT, Parquet, HDF5 or npz."""

    source: Literal["file"]
    path: Annotated[str, Field(min_length=1)]
    """Local path (relative to the working directory) or URL (http, https, root)."""
    format: Literal["root", "parquet", "hdf5", "npz"] | None = None
    """Format of the file; by default from its suffix."""
    tree: str | None = None
    """ROOT: name of the tree. HDF5: name of the dataset or group. By default the only one there is."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Columns (branches) to take; by default all numeric ones."""
    layout: Literal["objects", "leading"] = "objects"
    """ROOT, jagged branches: a row per object, or a row per event with its leading objects."""
    leading: Count | None = None
    """With ``layout: leading``: how many objects of each event."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Checksum of the file; a file that differs is refused."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the selection of rows."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.layout == "leading") != (self.leading is not None):
            raise ValueError("'layout: leading' and 'leading: K' go together; give both or neither")
        if self.sha256 and self.path.startswith("root://"):
            raise ValueError("a checksum cannot be checked on a root:// URL, which is read in parts; leave sha256 out")
        return self


class Axes(_Config):
    """Values of each axis of the grid; an axis that is left out stands at its default."""

    dataset: tuple[Name, ...] | None = None
    """Names under ``data``; by default all of them."""
    rows: tuple[Rows, ...] | None = None
    """Rows of the table, nested subsets of one sample; ``all`` takes a whole file."""
    engine: tuple[Engine, ...] = ("reference",)
    """``reference``: the autoencoder in plain PyTorch, as a Baler user runs it."""
    model: tuple[Model, ...] = ("baler",)
    """``baler``: hidden layers of 200, 100 and 50."""
    device: tuple[Device, ...] = ("auto",)
    """``auto`` takes a GPU where the job finds one."""
    precision: tuple[Precision, ...] = ("float64",)
    """Of the parameters and the arithmetic."""
    batch_size: tuple[Count, ...] = (512,)
    """Rows per batch, in training and in inference."""
    compression_ratio: tuple[Ratio, ...] = (2.0,)
    """Columns over latent columns; the latter are rounded up."""
    epochs: tuple[Count, ...] | None = None
    """Passes over the table in training."""

    @field_validator("*")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        if values is not None and (not values or len(set(values)) < len(values)):
            raise ValueError("give at least one value, and each only once")
        return values


class Reference(_Config):
    """The point around which a one-at-a-time design varies one axis after the other."""

    dataset: Name
    rows: Rows
    epochs: Count
    engine: Engine = "reference"
    model: Model = "baler"
    device: Device = "auto"
    precision: Precision = "float64"
    batch_size: Count = 512
    compression_ratio: Ratio = 2.0


class Training(_Config):
    """How every point trains."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    """Of Adam."""
    shuffle: bool = False
    """Shuffle the rows each epoch (Baler does not)."""
    early_stopping_patience: Count | None = None
    """Stop after so many epochs without a lower loss."""
    plateau_patience: Count | None = None
    """Lower the learning rate after so many epochs without a lower loss."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor on the learning rate at a plateau."""


class Measurement(_Config):
    """The rules of the measured window."""

    meters: Annotated[tuple[MeterName, ...], Field(min_length=1)] = tuple(MeterName)
    """Meters to use; one that the machine lacks is recorded as absent."""
    min_window_s: Annotated[float, Field(gt=0)] = 5.0
    """The operation repeats until the window is this long (s); 20 s or more on GPUs."""
    idle_s: Annotated[float, Field(gt=0)] = 10.0
    """Length of the idle baseline (s)."""
    idle_lifetime_s: Annotated[float, Field(ge=0)] = 0.0
    """How long jobs of one boot share a baseline (s); 0: each job measures its own."""
    sample_interval_s: Annotated[float, Field(ge=0.02)] = 0.2
    """Interval of the time series (s)."""
    threads: Count | Literal["auto"] = "auto"
    """Threads of torch; auto: physical cores."""


class Profile(_Config):
    """Which points are profiled, in runs of their own."""

    points: tuple[dict[str, str | int | float], ...] = ()
    """Each entry names values of axes; it selects the grid points that match, in their first repeat."""
    profilers: tuple[Literal["cprofile", "torch"], ...] = ("cprofile", "torch")
    """Profilers to run, each in a process of its own."""
    max_batches: Count = 25
    """Batches to profile at most; the torch profiler takes half a second for each."""


AXES = tuple(Axes.model_fields)
#: Axes that a path leaves out at this value, so that a new axis changes no existing path.
AXIS_DEFAULTS: dict[str, Any] = {
    name: field.default[0] for name, field in Axes.model_fields.items() if field.default is not None
}


class Point(BaseModel):
    """One combination of the grid: a straight run from its own seed."""

    model_config = ConfigDict(frozen=True)

    dataset: str
    rows: int | str
    epochs: int
    engine: str
    model: str
    device: str
    precision: str
    batch_size: int
    compression_ratio: float
    repeat: int

    @cached_property
    def path(self) -> str:
        """Folder of the point under ``runs/``, spelling out what differs from the axes' defaults."""
        values = self.model_dump()
        named = [
            f"{axis}~{values[axis]:g}" if isinstance(values[axis], float) else f"{axis}~{values[axis]}"
            for axis in (*AXES[1:], "repeat")
            if axis not in AXIS_DEFAULTS or values[axis] != AXIS_DEFAULTS[axis]
        ]
        return "/".join([self.dataset, *named])


class Study(_Config):
    """A whole study, as a file under ``config/`` describes it."""

    name: Name
    """Results go to ``results/<name>``."""
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    """Where the electricity comes from: ISO 3166-1 alpha-3, such as CHE. There is no default."""
    pue: Annotated[float, Field(ge=1, le=5)] = 1.0
    """Power usage effectiveness of the site, applied once to CO2e; 1 on a laptop."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the study: of the first repeat's model and of the order of the runs."""
    repeats: Count = 3
    """Runs of each point, each with its own seed."""
    data: Annotated[
        dict[Name, Annotated[Pythia8Data | ToyData | FileData, Field(discriminator="source")]], Field(min_length=1)
    ]
    """The datasets, by name."""
    design: Literal["factorial", "one-at-a-time"]
    """Every combination of the axes, or one axis at a time around ``reference``."""
    reference: Reference | None = None
    """The point around which ``one-at-a-time`` varies."""
    axes: Axes
    """The grid."""
    training: Training = Training()
    """How every point trains."""
    measurement: Measurement = Measurement()
    """The rules of the measured window."""
    profile: Profile = Profile()
    """What is profiled."""

    @field_validator("country")
    @classmethod
    def _has_an_energy_mix(cls, country: str) -> str:
        try:
            carbon_intensity_g_per_kwh(country)
        except InputError as error:
            raise ValueError(str(error).removeprefix("country: ")) from error
        return country

    @model_validator(mode="after")
    def _design_is_complete(self) -> Self:
        if self.design == "one-at-a-time":
            if self.reference is None:
                raise ValueError("design 'one-at-a-time' needs the key 'reference' (dataset, rows, epochs, ...)")
        elif self.reference is not None:
            raise ValueError("the key 'reference' belongs to design 'one-at-a-time'; delete it or change the design")
        elif self.axes.rows is None or self.axes.epochs is None:
            raise ValueError("design 'factorial' needs the axes 'rows' and 'epochs'")
        return self

    @model_validator(mode="after")
    def _datasets_are_known(self) -> Self:
        for dataset, rows in {(point.dataset, point.rows) for point in self.points}:
            if dataset not in self.data:
                raise ValueError(f"dataset {dataset!r} is not under 'data' (there: {', '.join(self.data)})")
            if rows == "all" and not isinstance(self.data[dataset], FileData):
                raise ValueError(f"rows 'all' needs a file; dataset {dataset!r} is generated: give a number")
        return self

    @model_validator(mode="after")
    def _profile_points_exist(self) -> Self:
        for number, entry in enumerate(self.profile.points):
            unknown = sorted(set(entry) - set(AXES))
            if unknown:
                raise ValueError(f"profile.points[{number}]: unknown axis {unknown[0]!r}; axes: {', '.join(AXES)}")
            if not self._matching(entry):
                raise ValueError(f"profile.points[{number}]: no point of the grid has {dict(entry)}")
        return self

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The grid, each point once, in the order of the axes; repeats innermost."""
        combinations = dict.fromkeys(tuple(c.items()) for c in self._combinations())
        return tuple(
            Point(**dict(combination), repeat=repeat) for combination in combinations for repeat in range(self.repeats)
        )

    @cached_property
    def by_path(self) -> dict[str, Point]:
        """The points by the folder that their files lie in."""
        return {point.path: point for point in self.points}

    @cached_property
    def order(self) -> dict[str, int]:
        """A seeded shuffle of the points' paths: later ones run later, so that drift follows no axis."""
        paths = sorted(self.by_path)
        return {path: random.Random(f"{self.seed}/{path}").randrange(1_000_000) for path in paths}

    @cached_property
    def profiled(self) -> tuple[Point, ...]:
        """The points that are profiled: those that ``profile.points`` selects, in their first repeat."""
        return tuple(dict.fromkeys(p for entry in self.profile.points for p in self._matching(entry)))

    def seed_of(self, point: Point) -> int:
        """Seed of a point: the same for all points of a repeat, so that they differ by their axes only."""
        return self.seed + point.repeat

    def shard_seeds(self, dataset: str, rows: str) -> tuple[int, ...]:
        """Seeds of the generated shards that the first `rows` of a dataset come from; empty for a file."""
        data = self.data[dataset]
        if isinstance(data, FileData):
            return ()
        shards = -(-int(rows) // data.shard_rows)
        first = data.seed * SHARDS_PER_SEED
        return tuple(range(first, first + shards))

    def _matching(self, entry: Mapping[str, Any]) -> list[Point]:
        return [p for p in self.points if p.repeat == 0 and all(getattr(p, k) == v for k, v in entry.items())]

    def _combinations(self) -> Iterator[dict[str, Any]]:
        values = {axis: getattr(self.axes, axis) for axis in AXES}
        if self.reference is None:
            values["dataset"] = values["dataset"] or tuple(self.data)
            for combination in itertools.product(*(values[axis] for axis in AXES)):
                yield dict(zip(AXES, combination, strict=True))
            return
        reference = {axis: getattr(self.reference, axis) for axis in AXES}
        yield reference
        for axis in self.axes.model_fields_set:
            for value in values[axis]:
                yield reference | {axis: value}

    def write(self, path: Path) -> None:
        """Write the study as YAML that `load_study` reads back."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json", exclude_unset=True), sort_keys=False))


def load_study(config: Mapping[str, Any] | Path) -> Study:
    """Validate a configuration.

    Parameters
    ----------
    config
        The configuration, or the YAML file that holds it.

    Raises
    ------
    InputError
        With every mistake at once: the key, the value and what is allowed.
    """
    where = ""
    if isinstance(config, Path):
        where = f"{config}: "
        try:
            config = yaml.safe_load(config.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"{where}cannot be read as YAML: {error}") from error
    if not isinstance(config, Mapping):
        raise InputError(f"{where}a study is a mapping of keys to values, not {type(config).__name__}.")
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        lines = "\n".join(f"  {_explain(e)}" for e in error.errors(include_url=False))
        count = error.error_count()
        raise InputError(
            f"{where}the study has {count} mistake{'s' if count > 1 else ''}:\n{lines}\n"
            "Every key is described in config/README.md."
        ) from error


def _explain(error: Any) -> str:
    """One line for one mistake: key, value, what is allowed."""
    # Pydantic names the member of a union in the place; the key is what stands in the file.
    place = [part for part in error["loc"] if isinstance(part, int) or not re.search(r"\[|-(int|float|str)$", part)]
    key = ".".join(map(str, place)) or "study"
    if error["type"] == "extra_forbidden":
        return f"{key}: is not a key of the configuration (a typing error?)"
    if error["type"] == "missing":
        return f"{key}: is missing"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    value = error["input"]
    shown = "" if isinstance(value, dict) else f" is {json.dumps(value, default=str)};"
    return f"{key}:{shown} {message}"
