"""The sections of a study on measuring, profiling and other tools.

They are the only declaration of these settings: the options of the stages that measure, and the defaults of sessions
and meters, derive from them.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from baler_energy.config.parameters import Config, Count
from baler_energy.variants import METERS, PEERS, PROFILERS
from baler_energy.vocabulary import CONTAMINATION_LIMIT

__all__ = [
    "Measurement",
    "Peers",
    "Profile",
    "Selection",
    "default_of",
    "limits_of",
]

#: Shortest idle part of a calibration. Each of its ten slices still contains some counter ticks, but the results are
#: only meaningful from one second.
_SHORTEST_CALIBRATION_S = 0.05
#: Shortest sampling interval.
_SHORTEST_INTERVAL_S = 0.02
#: Longest wait, window or time limit, 23 days: the system waits for no more than 2^31 ms.
_LONGEST_S = 2_000_000

if TYPE_CHECKING:
    StudyMeter = str
    Peer = str
    Profiler = str
else:
    StudyMeter = Literal[tuple(METERS)]
    Peer = Literal[tuple(PEERS)]
    Profiler = Literal[tuple(PROFILERS)]
#: Values of axes that select points.
Selection = dict[str, str | int | float]


class Measurement(Config):
    """The rules of the measured window."""

    meters: Annotated[tuple[StudyMeter, ...], Field(min_length=1)] = tuple(METERS)
    """Meters to use. By default all; missing ones are recorded as absent. Meters that you list must work."""
    min_window_s: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 5.0
    """The operation is repeated until the window is this long (s); use at least 20 s on GPUs."""
    idle_s: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 10.0
    """Length of the idle baseline (s)."""
    idle_lifetime_s: Annotated[float, Field(ge=0, le=1e9)] = 0.0
    """How long jobs of the same boot share an idle baseline (s); 0: each job measures its own."""
    sample_interval_s: Annotated[float, Field(ge=_SHORTEST_INTERVAL_S, le=_LONGEST_S)] = 0.2
    """Sampling interval of the time series (s)."""
    calibrate_s: Annotated[float, Field(ge=_SHORTEST_CALIBRATION_S, le=_LONGEST_S)] = 30.0
    """Length of the calibration before the first run (s)."""
    contamination_limit: Annotated[float, Field(gt=0, le=1)] = CONTAMINATION_LIMIT
    """A run is flagged as contaminated if other processes used more than this share of the machine's CPU time."""


class Profile(Config):
    """Which points are profiled, in separate runs."""

    points: tuple[Selection, ...] = ()
    """Each entry names values of axes; it selects the grid points that match, in their first repeat."""
    profilers: tuple[Profiler, ...] = tuple(PROFILERS)
    """Profilers to run, each in its own process; ``parts`` is not a profiler but measures layers and data movements in
    loops. Some engines and transforms can only be profiled with some of them: |limited|."""
    max_batches: Count = 25
    """Maximum number of batches to profile; the torch profiler takes half a second per batch."""
    time_limit_s: Annotated[int, Field(ge=1, le=_LONGEST_S)] = 600
    """Time limit of a profiler for one operation (s); a profiler that exceeds it is stopped and listed as such."""


class Peers(Config):
    """Other tools that measure extra repeats, which are not part of the results (extra ``peers``)."""

    tools: tuple[Peer, ...] = ()
    """Tools to run, each in its own process."""
    points: tuple[Selection, ...] = ()
    """Each entry names values of axes; it selects the grid points that match. Their training is measured by a tool and
    by the study's own meters."""
    repeats: Count = 3
    """Extra repeats of each point with each tool."""
    time_limit_s: Annotated[float, Field(gt=0, le=_LONGEST_S)] = 600.0
    """Time limit of a tool (s); a tool that exceeds it is stopped and listed as such."""
    cpu_tdp_w: Annotated[float, Field(gt=0)] | None = None
    """TDP of the CPU, for the formulas (W); by default from codecarbon's table, if the CPU is in it."""
    gpu_tdp_w: Annotated[float, Field(gt=0)] | None = None
    """TDP of one GPU, for the formulas (W)."""

    @model_validator(mode="after")
    def _tools_have_points(self) -> Self:
        if self.tools and not self.points:
            raise ValueError("'tools' needs 'points': the grid points whose training the tools measure")
        return self


def default_of(section: type[Config], name: str) -> Any:
    """Return the default of a key of a section."""
    return section.model_fields[name].default


def limits_of(section: type[Config], name: str) -> tuple[float, float]:
    """Return the lower and the upper limit of a number in a section; a lower one may itself be excluded."""
    marks = section.model_fields[name].metadata
    low = next(getattr(mark, key) for mark in marks for key in ("gt", "ge") if hasattr(mark, key))
    return low, next(mark.le for mark in marks if hasattr(mark, "le"))
