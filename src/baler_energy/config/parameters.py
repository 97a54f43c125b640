"""Every parameter of a point and every setting of its training, declared once.

Everything else follows from these declarations: the axes and the reference of a study (`sections`), JSON schema and
``config/README.md``, the points and their paths (`study`), command-line options and arguments of rules (`options`),
parameters of records, columns of the dataset (`analysis.schema`), and the text of figures (`shown`).
A new parameter takes one field of `Parameters`; if the training reads it, also one of
`codecs.baler.settings.TrainingSettings`.

A field's docstring describes what a user may set; its `Shown` has the text for the dataset and the figures. Docstrings
do not change fingerprints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from baler_energy.codecs.baler.architecture import network
from baler_energy.codecs.baler.pruning.base import Pruning
from baler_energy.codecs.packing import Packing
from baler_energy.codecs.precisions import PRECISIONS
from baler_energy.codecs.words import UNPACKED
from baler_energy.config.texts import one_of, several
from baler_energy.errors import InputError
from baler_energy.variants import (
    ENGINES,
    OPTIMIZERS,
    PATIENT_SCHEDULES,
    PRUNINGS,
    RUNTIMES,
    SCHEDULES,
    STARTS,
    TRANSFORMS,
    UPSTREAM,
)

__all__ = [
    "AXES",
    "AXIS_DEFAULTS",
    "AppliesTo",
    "Config",
    "Count",
    "HeldOut",
    "LearningRate",
    "Name",
    "Parameters",
    "Rows",
    "Shown",
    "Training",
    "applicable",
    "applies",
    "default_schedule",
    "engines_with",
    "matters",
]

if TYPE_CHECKING:
    Engine = str
    Optimizer = str
    Precision = str
    Runtime = str
    Schedule = str
    Start = str
    Transform = str
else:
    Engine = Literal[tuple(ENGINES)]
    Optimizer = Literal[tuple(OPTIMIZERS)]
    Precision = Literal[tuple(PRECISIONS)]
    Runtime = Literal[tuple(RUNTIMES)]
    Schedule = Literal[tuple(SCHEDULES)]
    Start = Literal[tuple(STARTS)]
    Transform = Literal[tuple(TRANSFORMS)]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


def _at_most(most: int) -> AfterValidator:
    """Refuse numbers that no machine could get through: of threads, of steps."""

    def check(number: int) -> int:
        if number > most:
            raise ValueError(f"should be at most {most}")
        return number

    return AfterValidator(check)


Count = Annotated[int, Field(ge=1), _at_most(10**12)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
Rows = Annotated[int, Field(ge=2)] | Literal["all"]
HeldOut = Annotated[float, Field(ge=0, le=1)]


def _checked(read: Callable[[str], object]) -> AfterValidator:
    """Validate a value with the function that parses it."""

    def check(text: str) -> str:
        try:
            read(text)
        except InputError as error:
            raise ValueError(str(error)) from error
        return text

    return AfterValidator(check)


@dataclass(frozen=True)
class Shown:
    """How results show a parameter.

    Parameters
    ----------
    column
        Meaning of its column in the dataset, which records the actual value.
    phrase
        Format of a value in sentences, where ``{s}`` is the s of a plural.
    label
        Label of an axis; by default the name.
    quiet
        Whether sentences leave out the default.
    codec
        Whether it is part of a codec, because what is stored depends on it. The comparison of codecs keeps codecs with
        different values apart; it holds all other parameters at the study's centre.
    """

    column: str
    phrase: str = "{}"
    label: str | None = None
    quiet: bool = False
    codec: bool = False


@dataclass(frozen=True)
class AppliesTo:
    """Marks a parameter that only some codecs have, or that only matters to some operations.

    Parameters
    ----------
    transforms
        Transforms that have it; it is null for the others. None: all.
    engines
        Engines that support other values than the default; None: all. The others keep the default, which is what they
        do, and not null: comparisons of engines and of settings hold all other parameters equal, and a null would have
        to equal the default in each of them.
    operations
        Operations on which it has an effect; None: all.
    """

    transforms: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    operations: tuple[str, ...] | None = None


class Config(BaseModel):
    """A section of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    def changed(self, **changes: Any) -> Self:
        """Return a copy with some values changed; all values are validated."""
        return type(self)(**({name: getattr(self, name) for name in type(self).model_fields} | changes))


_BALER = AppliesTo(("baler",))
_BALERS_TRAINING = AppliesTo(("baler",), operations=("train",))
_APPLIED = AppliesTo(operations=("compress", "decompress"))
#: Engines that are not Baler itself, which has no other values of these parameters.
_NOT_UPSTREAM = AppliesTo(engines=tuple(str(name) for name in ENGINES if name != UPSTREAM))


class Parameters(Config):
    """A point of the grid, without its repeat. Parameters that have their default are left out of paths."""

    dataset: Annotated[Name, Shown("name of the dataset in the study")]
    """Dataset, by its name under ``data``; by default all of them."""
    rows: Annotated[Rows, Shown("rows of the table", phrase="{:,} rows", label="Rows")]
    """Rows of the table, nested subsets of one sample; ``all``: every row that is not held out (``held_out``)."""
    transform: Annotated[
        Transform,
        Shown(f"transform from rows to stored values: {one_of(TRANSFORMS)}", quiet=True, codec=True),
    ] = "baler"
    """Transform from rows to stored values. |transforms| Axes that do not apply (engine, model, epochs, ...) are
    ignored."""
    engine: Annotated[
        Engine,
        _BALER,
        Shown(f"program that trains and applies the autoencoder: {one_of(ENGINES)}", phrase="engine {}"),
    ] = "reference"
    """Program that trains and applies the autoencoder. |engines|"""
    model: Annotated[
        str,
        _checked(network),
        _BALER,
        Shown(
            "network: baler has hidden layers of 200, 100 and 50; baler-x0.5, baler-small, widths, or skip-64",
            phrase="model {}",
            codec=True,
        ),
    ] = "baler"
    """``baler``: hidden layers of 200, 100 and 50; ``baler-x0.5``: those times a factor; ``baler-small``: 20 and 10;
    widths such as ``128-64-32``; or ``skip-64``: widths with a linear skip from the columns to the latent columns and
    back. Baler itself can only read ``baler`` and ``baler-small``."""
    device: Annotated[Literal["auto", "cpu", "cuda"], Shown("device that the run used: cpu or cuda")] = "auto"
    """``auto`` uses a GPU if the job finds one."""
    precision: Annotated[
        Precision,
        _BALER,
        Shown("number format of parameters and arithmetic; bfloat16, float16: of products in training, else float32"),
    ] = "float64"
    """Number format of parameters and arithmetic; ``bfloat16`` and, on a GPU, ``float16`` (engine ``fast`` only):
    only the matrix products in training use it; all else is float32."""
    batch_size: Annotated[
        Count,
        _BALER,
        Shown("rows per batch", phrase="batch size {:.0f}", label="Batch size (rows)", codec=True),
    ] = 512
    """Rows per batch, in training and in inference."""
    compression_ratio: Annotated[
        float,
        Field(ge=1),
        AppliesTo(("baler", "pca")),
        Shown("columns / latent columns, as configured", phrase="compression ratio {}", codec=True),
    ] = 2.0
    """Columns / latent columns; the number of latent columns is rounded up."""
    packing: Annotated[
        str,
        _checked(Packing.parse),
        _APPLIED,
        _NOT_UPSTREAM,
        Shown(
            "how latents are stored: words joined by plus signs; none: as computed",
            phrase="packing {}",
            codec=True,
        ),
    ] = UNPACKED
    """How latents are stored, such as ``quantise-0.01+zstd``; ``none``: as computed. Words that are joined by ``+``:
    |coders|."""
    threads: Annotated[
        Annotated[Count, _at_most(4096)] | Literal["auto"],
        Shown("threads of torch, the actual number", phrase="{} thread{s}"),
    ] = "auto"
    """Threads of torch; ``auto``: all physical cores of the job, within a container's CPU quota, except one."""
    epochs: Annotated[
        Count, _BALERS_TRAINING, Shown("passes over the table in training", phrase="{} epoch{s}", codec=True)
    ]
    """Passes over the table in training."""
    start: Annotated[
        Start,
        _BALERS_TRAINING,
        _NOT_UPSTREAM,
        Shown(
            f"parameters that training starts from: {one_of(STARTS)}",
            phrase="start {}",
            quiet=True,
            codec=True,
        ),
    ] = "random"
    """Parameters that training starts from: |starts|. Their computation is part of the measured training."""
    learning_rate: Annotated[
        LearningRate | None,
        _BALERS_TRAINING,
        Shown(
            "learning rate, the largest of a schedule; null: the default",
            phrase="learning rate {}",
            label="Learning rate",
            codec=True,
        ),
    ] = None
    """Learning rate, or the largest one of a schedule; by default that of the optimizer (docs/engines.md)."""
    schedule: Annotated[
        Schedule,
        _BALERS_TRAINING,
        _NOT_UPSTREAM,
        Shown(
            f"how the learning rate changes: {one_of(SCHEDULES)}",
            phrase="schedule {}",
            quiet=True,
            codec=True,
        ),
    ] = "constant"
    """How the learning rate changes: |schedules|."""
    optimizer: Annotated[
        Optimizer,
        _BALERS_TRAINING,
        _NOT_UPSTREAM,
        Shown(
            "optimizer of the training",
            phrase="optimizer {}",
            quiet=True,
            codec=True,
        ),
    ] = "adam"
    """Optimizer of the training; docs/engines.md compares them."""
    runtime: Annotated[
        Runtime,
        _BALER,
        _APPLIED,
        AppliesTo(engines=("reference",)),
        Shown("runtime that computes the trained network when it is applied", phrase="runtime {}", quiet=True),
    ] = "eager"
    """Runtime that computes the trained network in compression and decompression, not in training: |runtimes|.
    Those of other packages need the extra ``runtimes``."""
    pruning: Annotated[
        str,
        _checked(Pruning.parse),
        _BALER,
        _NOT_UPSTREAM,
        Shown(
            f"kind and share of pruning: {one_of(PRUNINGS)}; none",
            phrase="pruning {}",
            quiet=True,
        ),
    ] = "none"
    """What is pruned before the last epochs (``training.fine_tuning``), and its share: |prunings|."""

    def changed(self, **changes: Any) -> Self:
        """Return a copy with some values changed, all validated; parameters that do not apply are null."""
        given = {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}
        checked = type(self)(**(given | changes))
        return checked.model_copy(update=applicable(checked.model_dump()))


def applicable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of parameters, with null for those that do not apply to their transform."""
    return {name: value if applies(name, values["transform"]) else None for name, value in values.items()}


@cache
def applies(name: str, transform: str) -> bool:
    """Whether a parameter applies to a transform."""
    return all(mark.transforms is None or transform in mark.transforms for mark in _marks(name))


@cache
def matters(name: str, operation: str) -> bool:
    """Whether a parameter has an effect on an operation."""
    return all(mark.operations is None or operation in mark.operations for mark in _marks(name))


@cache
def engines_with(name: str) -> tuple[str, ...]:
    """Engines that support other values of a parameter than its default."""
    marks = [mark.engines for mark in _marks(name) if mark.engines is not None]
    return tuple(str(one) for one in ENGINES if all(one in engines for engines in marks))


@cache
def _marks(name: str) -> tuple[AppliesTo, ...]:
    field = Parameters.model_fields.get(name)
    return () if field is None else tuple(mark for mark in field.metadata if isinstance(mark, AppliesTo))


def _name_engines() -> None:
    """Name the engines in the descriptions of parameters that not every engine has."""
    for name, field in Parameters.model_fields.items():
        if len(known := engines_with(name)) < len(ENGINES):
            field.description = f"{field.description} Engines other than {several(known)} only support the default."


_name_engines()


#: Names of the parameters, in their order in paths.
AXES = tuple(Parameters.model_fields)
#: Defaults, which paths leave out, so that a new parameter does not change existing paths.
AXIS_DEFAULTS: dict[str, Any] = {
    name: field.default for name, field in Parameters.model_fields.items() if not field.is_required()
}


class Training(Config):
    """How every point trains."""

    shuffle: bool = False
    """Shuffle the rows each epoch (Baler does not)."""
    early_stopping_patience: Count | None = None
    """Stop after this many epochs without a lower loss."""
    stop_at_loss: Annotated[float, Field(gt=0)] | None = None
    """Stop after the first epoch whose loss is at most this."""
    stop_at_gain: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Stop when the last tenth of the energy spent so far lowered the loss by less than this fraction of it, such as
    0.01. Energy is what the study's meters measured, or time if it is only modelled."""
    fine_tuning: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Fraction of the epochs that follow the pruning, if the axis ``pruning`` is not ``none``. A training that stops
    early leaves more: fine-tuning may use all remaining epochs, and stops by the same rules."""
    plateau_patience: Count | None = None
    """Lower the learning rate after this many epochs without a lower loss. If it is set, the axis ``schedule`` is
    ``plateau`` by default."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor by which the learning rate is multiplied at a plateau."""
    save_every_s: Annotated[float, Field(gt=0)] = 600.0
    """Interval at which a long training saves its state (s); after an interruption it resumes from there."""


def default_schedule(plateau_patience: Any) -> str:
    """Return the schedule of trainings that do not name one: a patient one if its patience is set."""
    return AXIS_DEFAULTS["schedule"] if plateau_patience is None else PATIENT_SCHEDULES[0]
