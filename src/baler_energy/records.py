"""The record of one measured operation: the contents of ``measurement.json``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from baler_energy.errors import InputError
from baler_energy.files import write_json
from baler_energy.vocabulary import Evidence, Flag, MeterName, Operation, Quantity, check_component

__all__ = ["Contamination", "Idle", "IterationTimes", "Measurement", "Reading", "RecordPart", "Window"]

Component = Annotated[str, AfterValidator(check_component)]


class RecordPart(BaseModel):
    """Base of all parts of a record: no unknown fields, immutable, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Reading(RecordPart):
    """One value of one meter over the whole window; a missing value is null with a reason, never zero."""

    meter: MeterName
    component: Component
    quantity: Quantity
    value: float | None
    unit: str
    evidence: Evidence
    reason: str | None = None
    bound: float | None = None
    """Upper limit of the reading error (unit of `value`): ticks at the edges, gaps between samples."""
    detail: str | None = None
    """How the value was obtained, and its assumptions."""
    scope: tuple[Component, ...] | None = None
    """Kinds of components (cpu, dram, gpu, ram) that `value` sums, if `component` does not determine them."""
    failed: bool = False
    """Whether `value` is missing because its counter failed in this window, rather than never worked here."""

    @model_validator(mode="after")
    def _missing_has_reason(self) -> Self:
        if self.value is None and not self.reason:
            raise ValueError(f"{self.meter}/{self.component}/{self.quantity}: a missing value needs a reason")
        if self.unit != self.quantity.unit:
            raise ValueError(f"{self.quantity} is in {self.quantity.unit!r}, not in {self.unit!r}")
        return self

    @classmethod
    def of(
        cls,
        meter: MeterName,
        component: str,
        quantity: Quantity,
        value: float | None,
        evidence: Evidence = Evidence.MEASURED,
        reason: str | None = None,
        *,
        bound: float | None = None,
        detail: str | None = None,
        scope: tuple[str, ...] | None = None,
        failed: bool = False,
    ) -> Self:
        """Make a reading in the quantity's unit."""
        return cls(
            meter=meter,
            component=component,
            quantity=quantity,
            value=value,
            unit=quantity.unit,
            evidence=evidence,
            reason=reason,
            bound=bound,
            detail=detail,
            scope=scope,
            failed=failed,
        )


class Window(RecordPart):
    """The measured window of all iterations: start (UTC) and length (s) from a monotonic clock."""

    start: datetime
    duration_s: Annotated[float, Field(gt=0)]


class IterationTimes(RecordPart):
    """Quartiles and maximum of the iterations' durations in the window (s); the time series has each duration."""

    lower_quartile_s: Annotated[float, Field(ge=0)]
    median_s: Annotated[float, Field(ge=0)]
    upper_quartile_s: Annotated[float, Field(ge=0)]
    longest_s: Annotated[float, Field(ge=0)]


class Idle(RecordPart):
    """The idle baseline for the record's dynamic energies."""

    start: datetime
    duration_s: Annotated[float, Field(gt=0)]
    shared: bool
    """Whether an earlier job of the same boot measured it."""
    readings: tuple[Reading, ...]


class Contamination(RecordPart):
    """CPU time of other processes in the window (s), and its share of the machine's (null: not readable)."""

    fraction: float | None
    other_cpu_s: float | None
    logical_cpus: int


class Measurement(RecordPart):
    """One operation of one point, as written to ``measurement.json``."""

    run_id: str
    operation: Operation
    parameters: dict[str, str | int | float | bool | None]
    iterations: Annotated[int, Field(ge=1)]
    window: Window
    iteration_times: IterationTimes | None = None
    """None if the window consists of several parts (a resumed training)."""
    readings: tuple[Reading, ...]
    idle: Idle | None
    contamination: Contamination
    flags: tuple[Flag, ...]
    results: dict[str, str | int | float | bool | None] = {}
    """What the operation itself reports: final loss, bytes written, rows."""
    provenance: dict[str, Any]

    def write(self, path: Path) -> None:
        """Write the record atomically. It is the last file of a run: if it exists, the run is complete."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record.

        Raises
        ------
        InputError
            The file is missing or not a record.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            raise InputError(f"{path}: is not a measurement record. Delete it and run again. {error}") from error
