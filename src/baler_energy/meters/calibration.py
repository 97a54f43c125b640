"""Calibration of a machine: idle power, ticks, the shortest window that resolves 1 %, and the cost of measuring."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median, stdev
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from baler_energy.errors import InputError
from baler_energy.files import read_json, write_json
from baler_energy.mistakes import mistakes
from baler_energy.progress import announce
from baler_energy.provenance import machine
from baler_energy.records import RecordPart
from baler_energy.variants import TIMED_ENGINE
from baler_energy.vocabulary import Evidence

__all__ = [
    "EFFECTS",
    "Calibrated",
    "Calibration",
    "calibrated_min_window_s",
    "calibrated_threads",
    "calibration_rows",
    "ingredients_of",
    "kind_of_machine",
    "shortest_window_s",
    "slice_powers_w",
    "spread_of",
    "thread_sentence",
]

#: Relative resolution of the shortest window.
RESOLUTION = 0.01
#: More threads pay off if a row costs at most this share of its cost on one thread.
_PAYS = 0.95
_UNITS = {
    "idle_power": "W",
    "tick": "s",
    "shortest_window": "s",
    "overhead_cpu": "1",
    "overhead_duration": "1",
    "energy_per_row": "J",
    "time_per_row": "s",
    "threads": "1",
}
#: Effects of measuring: differences, which may be negative.
EFFECTS = frozenset({"overhead_cpu", "overhead_duration"})
if TYPE_CHECKING:
    CalibratedQuantity = str
else:
    CalibratedQuantity = Literal[tuple(_UNITS)]


class Calibrated(RecordPart):
    """One quantity of one channel; null, with the reason in `detail`, if it could not be determined."""

    meter: str
    component: str
    quantity: CalibratedQuantity
    value: float | None
    spread: Annotated[float, Field(ge=0)] | None = None
    """Standard deviation over the `n` values."""
    n: Annotated[int, Field(ge=0, lt=2**63)] = 0
    evidence: Evidence = Evidence.MEASURED
    detail: str

    @property
    def unit(self) -> str:
        """SI unit of the value and the spread."""
        return _UNITS[self.quantity]


class _Kind(RecordPart):
    """What `kind_of_machine` returns."""

    hostname: str
    cpu_model: str | None
    gpus: tuple[str, ...]


class Calibration(RecordPart):
    """Resolution of one kind of machine."""

    machine: dict[str, Any]
    rows: tuple[Calibrated, ...]
    provenance: dict[str, Any]

    @model_validator(mode="after")
    def _says_which_machine(self) -> Self:
        try:
            _Kind.model_validate(self.machine)
        except ValidationError as error:
            wrong = "; ".join(mistakes(error, "machine"))
            raise ValueError(f"it does not name its machine: {wrong}") from error
        return self

    @property
    def shortest_window_s(self) -> float:
        """The longest of the channels' shortest windows (s); 0 if no channel has a known tick."""
        return max((r.value for r in self.rows if r.quantity == "shortest_window" and r.value is not None), default=0.0)

    @property
    def threads(self) -> int | None:
        """Number of threads with the lowest cost per row on the fast engine; None if not determined."""
        found = [r.value for r in self.rows if r.quantity == "threads" and r.value is not None]
        return int(found[0]) if found else None

    def write(self, path: Path) -> None:
        """Write the file atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a calibration.

        Raises
        ------
        InputError
            The file is missing or is not a calibration, or a value is impossible.
        """
        try:
            found = cls.model_validate(read_json(path))
        except ValidationError as error:
            listed = "; ".join(mistakes(error, "calibration"))
            raise InputError(f"{path}: is not a calibration; run `baler-energy calibrate` again: {listed}.") from error
        for number, row in enumerate(found.rows):
            if row.value is not None and row.value < 0 and row.quantity not in EFFECTS:
                raise InputError(
                    f"{path}: rows.{number}.value: is {row.value}; {row.quantity} cannot be negative. Run "
                    "`baler-energy calibrate` again."
                )
        return found


def kind_of_machine() -> dict[str, Any]:
    """Return the host name, and the hardware that determines the resolution (the same on all nodes of one kind)."""
    facts = machine()
    return {
        "hostname": facts["hostname"],
        "cpu_model": facts["cpu_model"],
        "gpus": [gpu["name"] for gpu in facts["gpus"]],
    }


def ingredients_of(path: Path) -> Mapping[str, str]:
    """Return the ingredients of a calibration (`fingerprint.ingredients`); {} if it is missing or unreadable."""
    try:
        made_with = Calibration.read(path).provenance.get("ingredients", {})
    except InputError:
        return {}
    return made_with if isinstance(made_with, Mapping) else {}


def calibrated_min_window_s(path: Path, min_window_s: float) -> float:
    """Return the minimum length of a window (s): the requested one, or longer if this machine's counters need it.

    Parameters
    ----------
    path
        The calibration.
    min_window_s
        Requested length (s).

    Raises
    ------
    InputError
        The file is missing or is not a calibration.
    """
    calibration = _of_this_kind(path, "the window keeps its length")
    if calibration is None:
        return min_window_s
    shortest_s = calibration.shortest_window_s
    if shortest_s > min_window_s:
        announce(
            f"The window is {shortest_s:.1f} s instead of {min_window_s:g} s, so that this machine's counters resolve "
            "1 %."
        )
    return max(min_window_s, shortest_s)


def calibrated_threads(path: Path) -> int | None:
    """Return the number of threads with the lowest cost per row on the fast engine; None if not known for this machine.

    Raises
    ------
    InputError
        The file is missing or is not a calibration.
    """
    calibration = _of_this_kind(path, "its number of threads is not used")
    return None if calibration is None else calibration.threads


def _of_this_kind(path: Path, otherwise: str) -> Calibration | None:
    """Read a calibration; None, with `otherwise` as a message, if it belongs to another kind of machine."""
    calibration, here = Calibration.read(path), kind_of_machine()
    if all(calibration.machine[key] == here[key] for key in ("cpu_model", "gpus")):
        return calibration
    announce(f"{path} is for another kind of machine ({calibration.machine['hostname']}): {otherwise}.")
    return None


def calibration_rows(calibration: Calibration) -> list[dict[str, Any]]:
    """Return the rows of the table ``calibration``."""
    named = {
        "hostname": calibration.machine["hostname"],
        "cpu_model": calibration.machine["cpu_model"],
        "gpu_model": ", ".join(calibration.machine["gpus"]),
    }
    return [named | row.model_dump(mode="json") | {"unit": row.unit} for row in calibration.rows]


def thread_sentence(costs: Mapping[str, float], quantity: str) -> str | None:
    """Describe what more threads gain; None without a cost for one thread and for at least one other number.

    Parameters
    ----------
    costs
        Cost of a row by component (``threads-1``, ``threads-2``), in one unit.
    quantity
        Kind of cost: ``time_per_row`` or ``energy_per_row``.
    """
    by_number = {int(component.removeprefix("threads-")): cost for component, cost in sorted(costs.items())}
    if 1 not in by_number or len(by_number) < 2:
        return None
    shares = {number: by_number[number] / by_number[1] for number in sorted(by_number) if number > 1}
    what = quantity.removesuffix("_per_row")
    words = ", ".join(f"{share:.2f} on {number} threads" for number, share in shares.items())
    verdict = "; more threads do not pay off here" if min(shares.values()) > _PAYS else ""
    return f"{what} per row of the {TIMED_ENGINE} engine's training, relative to one thread: {words}{verdict}"


def shortest_window_s(tick_s: float) -> float:
    """Return the shortest window (s) whose energy a counter resolves to 1 %, at any power.

    At each edge the counter may lag by one tick, so the energy may be off by two ticks of power. If the power at the
    edges is the mean power, ``2 tick x P / (P x t) <= 1 %`` gives ``t >= 200 ticks``.
    """
    return 2 * tick_s / RESOLUTION


def slice_powers_w(times_s: Sequence[float], energies_j: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Return each channel's mean power (W) per slice, from cumulative energies (J) read at the slices' edges (s).

    A channel that is missing at an edge has no power in the two slices next to it.
    """
    powers: dict[str, list[float]] = {}
    for n in range(1, len(times_s)):
        before, after = energies_j[n - 1], energies_j[n]
        for name in before.keys() & after.keys():
            powers.setdefault(name, []).append((after[name] - before[name]) / (times_s[n] - times_s[n - 1]))
    return powers


def spread_of(values: Sequence[float], *, middle: bool = False) -> dict[str, Any]:
    """Return the mean (or median), standard deviation and n as fields of `Calibrated`."""
    centre = median(values) if middle else sum(values) / len(values)
    return {"value": centre, "spread": stdev(values) if len(values) > 1 else None, "n": len(values)}
