"""The record of one measured operation: the contents of ``measurement.json``."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from baler_energy.errors import InputError
from baler_energy.files import read_json, write_json
from baler_energy.mistakes import mistakes, shortened
from baler_energy.vocabulary import (
    CONTAMINATION_LIMIT,
    MACHINE_LIMIT_W,
    Evidence,
    Flag,
    MeterName,
    Operation,
    Quantity,
    check_component,
)

__all__ = ["Contamination", "Idle", "IterationTimes", "Measurement", "Reading", "RecordPart", "Window"]

Component = Annotated[str, AfterValidator(check_component)]
Scalar = str | int | float | bool | None
#: A count that a column of the dataset can hold.
Count64 = Annotated[int, Field(ge=0, lt=2**63)]


class RecordPart(BaseModel):
    """Base of all parts of a record or a calibration: no unknown fields, immutable, no NaN."""

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

    def impossible(self) -> Iterator[tuple[str, object, str]]:
        """Yield what no meter of a study can have read: name, value and reason."""
        least, unit = self.quantity.least, self.unit
        if self.value is not None and least is not None and self.value < least:
            yield "value", self.value, f"{self.quantity} cannot be below {least:g} {unit}"
        if self.bound is not None and self.bound < 0:
            yield "bound", self.bound, "a limit of an error cannot be below 0"
        if self.evidence is Evidence.UNKNOWN:
            yield "evidence", self.evidence, "a study's meters are measured or modelled"
        if self.quantity is Quantity.DYNAMIC_ENERGY and self.value is not None and self.evidence != Evidence.MEASURED:
            yield "evidence", self.evidence, "a modelled energy has no dynamic part"

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

    start: AwareDatetime
    duration_s: Annotated[float, Field(gt=0, lt=1e9)]


class IterationTimes(RecordPart):
    """Quartiles and maximum of the iterations' durations in the window (s); the time series has each duration."""

    lower_quartile_s: Annotated[float, Field(ge=0)]
    median_s: Annotated[float, Field(ge=0)]
    upper_quartile_s: Annotated[float, Field(ge=0)]
    longest_s: Annotated[float, Field(ge=0)]


class Idle(RecordPart):
    """The idle baseline for the record's dynamic energies."""

    start: AwareDatetime
    duration_s: Annotated[float, Field(gt=0, lt=1e9)]
    shared: bool
    """Whether an earlier job of the same boot measured it."""
    readings: tuple[Reading, ...]


class Contamination(RecordPart):
    """CPU time of other processes in the window (s), and its share of the machine's (null: not readable)."""

    fraction: Annotated[float, Field(ge=0)] | None
    other_cpu_s: Annotated[float, Field(ge=0)] | None
    logical_cpus: Annotated[int, Field(ge=1)]
    limit: Annotated[float, Field(gt=0, le=1)] = CONTAMINATION_LIMIT
    """Share above which the window is contaminated; older records have the default without stating it."""

    @property
    def exceeded(self) -> bool:
        """Whether the share is above the limit; False if it is not known."""
        return (self.fraction or 0.0) > self.limit


class _Described(BaseModel):
    """What the analysis reads of a description in the provenance, which has more."""


class _Gpu(_Described):
    name: str


class _Machine(_Described):
    hostname: str | None = None
    cpu_model: str | None = None
    virtualised: bool | None = None
    memory_bytes: Count64 | None = None
    gpus: tuple[_Gpu, ...] = ()


class _Job(_Described):
    job_id: str | None = None
    node: str | None = None
    partition: str | None = None
    cpus: Count64 | None = None
    gpus: Count64 | None = None
    memory_bytes: Count64 | None = None
    exclusive: bool | None = None


class _Provenance(_Described):
    machine: _Machine = _Machine()
    slurm: _Job | None = None
    source: str | None = None


class Measurement(RecordPart):
    """One operation of one point, as written to ``measurement.json``."""

    run_id: str
    operation: Operation
    parameters: dict[str, Scalar]
    iterations: Annotated[int, Field(ge=1, lt=2**63)]
    window: Window
    iteration_times: IterationTimes | None = None
    """None if the window consists of several parts (a resumed training)."""
    readings: tuple[Reading, ...]
    idle: Idle | None
    contamination: Contamination
    flags: tuple[Flag, ...]
    results: dict[str, Scalar] = {}
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
            The file is missing or not a record, or a value is impossible; the message names its key.
        """
        try:
            record = cls.model_validate(read_json(path))
        except ValidationError as error:
            listed = "; ".join(mistakes(error, "record"))
            raise InputError(f"{path}: is not a measurement record. Delete it and run again. {listed}.") from error
        record.check(path)
        return record

    def judged(self, contamination_limit: float) -> Self:
        """Return the record as if its window had been measured with this limit of contamination."""
        if contamination_limit == self.contamination.limit:
            return self
        other = self.contamination.model_copy(update={"limit": contamination_limit})
        flags: set[Flag] = {flag for flag in self.flags if flag != Flag.CONTAMINATED}
        flags |= {Flag.CONTAMINATED} if other.exceeded else set()
        return self.model_copy(update={"contamination": other, "flags": tuple(sorted(flags))})

    def check(self, path: Path, *, tool: str | None = None) -> None:
        """Refuse values that cannot be, or that contradict each other.

        Parameters
        ----------
        path
            The record's file, for the message.
        tool
            Another tool in the same window, whose readings are kept as they are: a wrong one is a result.

        Raises
        ------
        InputError
            A value is impossible.
        """
        wrong = [f"{key}: is {shortened(value)}; {why}" for key, value, why in self._impossible(tool)]
        try:
            _Provenance.model_validate(self.provenance)
        except ValidationError as error:
            wrong += [f"provenance.{line}" for line in mistakes(error, "record")]
        if wrong:
            raise InputError(f"{path}: {wrong[0]}. Delete the file and run again.")

    def _impossible(self, tool: str | None) -> Iterator[tuple[str, object, str]]:
        yield from _of_readings("readings", self.readings, tool)
        yield from _of_readings("idle.readings", self.idle.readings if self.idle else (), tool)
        # A meter's window is a little longer, which matters if this one is very short.
        most_j = MACHINE_LIMIT_W * max(1.0, self.window.duration_s)
        for number, reading in enumerate(self.readings):
            if reading.meter != tool and reading.quantity is Quantity.ENERGY and (reading.value or 0.0) > most_j:
                yield (
                    f"readings.{number}.value",
                    reading.value,
                    f"no machine uses more than {most_j:.3g} J in the window",
                )
        for key, value in self.results.items():
            if isinstance(value, int | float) and not 0 <= value <= sys.float_info.max:
                yield f"results.{key}", value, "should be at least 0 and finite"
            if isinstance(value, str) and key.endswith("_bytes"):
                yield f"results.{key}", value, "should be a number"
        evidences = {r.evidence for r in self.readings if r.quantity is Quantity.ENERGY and r.value is not None}
        if evidences and (Flag.MODELLED_ONLY in self.flags) == (Evidence.MEASURED in evidences):
            yield "flags", self.flags, f"its energies are {' and '.join(sorted(evidences))}"


def _of_readings(place: str, readings: Iterable[Reading], tool: str | None) -> Iterator[tuple[str, object, str]]:
    seen = set()
    for number, reading in enumerate(readings):
        if reading.meter == tool:
            continue
        yield from ((f"{place}.{number}.{name}", value, why) for name, value, why in reading.impossible())
        source = (reading.meter, reading.component, reading.quantity)
        if source in seen:
            yield f"{place}.{number}", source, "was read before in this window"
        seen.add(source)
