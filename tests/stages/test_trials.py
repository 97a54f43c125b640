"""Trials of codecs on a sample."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from baler_energy.analysis import advice
from baler_energy.analysis.goal import Goal
from baler_energy.data.sampling import FileSample
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.stages import measured
from baler_energy.stages.advise import advise
from baler_energy.stages.options import PointOptions
from baler_energy.stages.trials import Trials, _coders, _kinds
from baler_energy.time_limit import TimeLimit
from baler_energy.variants import CODERS, load


def _table(*ranges: float) -> Table:
    data = np.linspace(0, 1, 5)[:, None] * np.array(ranges)
    names = tuple(f"c{number}" for number in range(len(ranges)))
    return Table(data, names, ("float64",) * len(ranges), {"source": "toy", "warnings": []})


@pytest.mark.parametrize(
    ("training", "test", "expected"),
    [
        ((1.0, 4.0), (2.0, 2.0), 0.5),
        ((1.0, 4.0), (0.0, 2.0), 0.5),
        ((0.0, 4.0), (1.0, 8.0), 1.0),
        ((0.0, 0.0), (1.0, 0.0), 1.0),
    ],
)
def test_the_bound_follows_the_column_whose_range_shrinks_most(
    tmp_path: Path, training: tuple[float, ...], test: tuple[float, ...], expected: float
) -> None:
    sample = FileSample(_table(*training), _table(*test), 10, (), ())
    trials = Trials(sample, Goal(0.01), tmp_path, cast(Any, None), PointOptions(), TimeLimit(1))
    assert trials._least_range() == expected


class Clock:
    """A clock that only a test moves (s)."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


Make = Callable[..., Trials]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticking(clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Trials in which all codecs meet the goal; pilots and measurements take `pilot_s` and `measured_s`."""

    def make(
        limit_s: float, goal: Goal, pilot_s: float = 0.0, measured_s: float = 0.0, *, curves_follow: bool = False
    ) -> Trials:
        def pilot(self: Trials, point: PointOptions, table: str = "pilot") -> dict[str, Any]:
            clock.now_s += pilot_s
            return {"ratio_native_bytes": 2.0, "packing": point.packing, self.goal.key: 0.0}

        def measure(self: Trials, point: PointOptions) -> list[dict[str, Any]]:
            clock.now_s += measured_s
            return [{"packing": point.packing, "transform": point.transform}]

        def trained(self: Trials, point: PointOptions, coder: str) -> PointOptions:
            return point.changed(packing=coder)

        monkeypatch.setattr(Trials, "_pilot", pilot)
        monkeypatch.setattr(Trials, "measured", measure)
        monkeypatch.setattr(Trials, "trained", trained)
        monkeypatch.setattr(measured, "shared_session", nullcontext)
        monkeypatch.setattr(advice, "ranked", lambda rows, *_: rows)
        sample = FileSample(_table(1.0, 2.0), _table(1.0, 2.0), 10, (), ())
        limit = TimeLimit(limit_s, clock)
        return Trials(sample, goal, tmp_path, cast(Any, None), PointOptions(), limit, curves_follow=curves_follow)

    return make


@pytest.mark.parametrize(("error", "missing"), [(0.0, ["blosc2"]), (0.01, ["blosc2", "sz3"])])
def test_what_is_missing_here_is_named_if_it_suits_the_goal(
    ticking: Make, monkeypatch: pytest.MonkeyPatch, error: float, missing: list[str]
) -> None:
    trials = ticking(1, Goal(error))
    assert trials.missing() == {}
    for name in ("blosc2", "sz3"):
        monkeypatch.setattr(load(CODERS[name][0]).WORD, "missing", lambda name=name: f"No {name}.")
    assert trials.missing() == {name: f"No {name}." for name in missing}


def test_the_search_for_packings_leaves_time_to_measure(ticking: Make, clock: Clock) -> None:
    trials = ticking(5, Goal(0.0), pilot_s=1)
    found = [point.packing for point in trials.without_training()]
    assert (len(found), clock.now_s) == (3, 3.0)
    assert [*found, *trials.late] == _coders()


@pytest.mark.parametrize("measure", ["value", "nrmse"])
def test_ways_of_rounding_that_the_time_does_not_allow_are_late(ticking: Make, clock: Clock, measure: str) -> None:
    without = ticking(1e9, Goal(0.01, measure), pilot_s=1).without_training()
    whole_s, clock.now_s = clock.now_s, 0.0
    trials = ticking(whole_s, Goal(0.01, measure), pilot_s=1)
    found = trials.without_training()
    # What was begun is finished: a search on one ladder, and one packing.
    assert 0.6 * whole_s <= clock.now_s <= 0.6 * whole_s + 10
    assert 0 < len(found) < len(without)
    assert set(trials.late) & {name for name, _ in _kinds()}


@pytest.mark.parametrize(("curves_follow", "tried"), [(False, 4), (True, 3)])
def test_no_codec_is_begun_after_the_time_is_over(ticking: Make, curves_follow: bool, tried: int) -> None:
    trials = ticking(100, Goal(0.05, "nrmse"), measured_s=30, curves_follow=curves_follow)
    names = [point.packing for point in trials.without_training()]
    rows, missed = advise(trials)
    assert [row["packing"] for row in cast(Any, rows)] == names[:tried]
    assert missed == {}
    trained = [f"{transform} 1/{ratio}" for ratio in (1, 2, 4) for transform in ("baler", "pca")]
    assert trials.late == [*names[tried:], *trained]


def test_with_enough_time_nothing_is_late(ticking: Make) -> None:
    trials = ticking(1e6, Goal(0.05, "nrmse"), pilot_s=1, measured_s=30)
    rows, _ = advise(trials)
    assert {row["transform"] for row in cast(Any, rows)} == {"identity", "baler", "pca"}
    assert len(trials.curves("pcodec")) == len(_kinds())
    assert trials.late == []


def test_one_codec_is_measured_even_if_the_search_took_all_the_time(ticking: Make) -> None:
    trials = ticking(100, Goal(0.0), pilot_s=1000)
    rows, _ = advise(trials)
    assert [row["packing"] for row in cast(Any, rows)] == _coders()[:1]
    assert trials.late == _coders()[1:]


def test_without_time_for_a_codec_there_is_no_advice(ticking: Make, clock: Clock) -> None:
    trials = ticking(100, Goal(0.01))
    clock.now_s = 100
    with pytest.raises(InputError, match="--limit-s: time ran out before a codec that meets the goal was found"):
        advise(trials)


def test_curves_end_when_the_time_is_over(ticking: Make, clock: Clock) -> None:
    trials = ticking(20, Goal(0.01), pilot_s=1)
    curves = trials.curves("pcodec")
    assert clock.now_s == 20
    assert sum(map(len, curves)) == 20
    assert trials.late == [f"the curve of {name}" for name, _ in _kinds()[len(curves) :]]
    assert trials.late


def test_packings_of_a_trained_codec_end_when_the_time_is_over(ticking: Make, clock: Clock) -> None:
    trials = ticking(2, Goal(0.01), pilot_s=1)
    point = trials.trainable()[0]
    assert trials._trained_packing(point, "pcodec") is not None
    assert clock.now_s == 2
    assert trials._trained_packing(point, "pcodec") is not None
    assert clock.now_s == 3


@pytest.mark.parametrize(
    ("measure", "ratio", "meets"), [("value", 2.0, True), ("value", 0.0, False), ("nrmse", 2.0, False)]
)
def test_a_bound_holds_even_if_the_first_rows_have_a_smaller_range(
    ticking: Make, monkeypatch: pytest.MonkeyPatch, measure: str, ratio: float, meets: bool
) -> None:
    trials = ticking(1e9, Goal(0.01, measure))
    # A ratio of 0: the packing cannot store these rows.
    pilot = {"ratio_native_bytes": ratio, "max_over_range": 0.5, "mean_nrmse": 0.5}
    monkeypatch.setattr(Trials, "_pilot", lambda self, point, table="pilot": pilot)
    assert (trials._trained_packing(trials.trainable()[0], "pcodec") is not None) == meets


def test_a_way_of_rounding_that_reaches_the_goal_at_no_step_is_named_with_the_error_of_the_finest(
    ticking: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = ticking(1e9, Goal(0.01, "nrmse"))
    real = Trials._pilot

    def pilot(self: Trials, point: PointOptions, table: str = "pilot") -> dict[str, Any]:
        # The first rows meet the goal at the finest step; the sample does not.
        finest = 0.02 if table == "test" else 0.01
        error = {"float32-22": finest}.get(point.packing, 0.5 if "float32" in point.packing else 0.0)
        return real(self, point, table) | {self.goal.key: error}

    monkeypatch.setattr(Trials, "_pilot", pilot)
    found = [point.packing for point in trials.without_training()]
    assert trials.too_coarse == {"float32": 0.02}
    assert any("quantise" in packing for packing in found) and not any("float32" in packing for packing in found)


def test_an_error_that_overflows_is_infinite(ticking: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = ticking(1e9, Goal(0.01, "relative"))
    monkeypatch.setattr(Trials, "_pilot", lambda self, point, table: {"mean_relative_error_p99": None})
    assert trials.error_of(trials.trainable()[0]) == float("inf")


TORCHS = "[enforce fail at alloc_cpu.cpp:75] err == 0. DefaultCPUAllocator: can't allocate memory: you tried 80 GB."


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(TORCHS)])
def test_a_training_without_enough_memory_is_named_and_the_others_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("baler_energy.stages.trials.train", fails)
    sample = FileSample(_table(1.0, 2.0), _table(1.0, 2.0), 10, (), ())
    trials = Trials(sample, Goal(0.01), tmp_path, cast(Any, None), PointOptions(epochs=1), TimeLimit(1e9))
    assert trials.trained(PointOptions(epochs=1), "zstd") is None
    assert list(trials.failed.values()) == ["not enough memory"]
    error.args = ("a bug",)
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError, match="a bug"):
            trials.trained(PointOptions(epochs=1), "zstd")


def test_a_trained_codec_that_cannot_store_a_row_misses_the_goal_and_the_others_are_compared(
    ticking: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = ticking(1e9, Goal(0.05, "nrmse"))
    measure = Trials.measured

    def measured(self: Trials, point: PointOptions) -> list[dict[str, Any]]:
        if point.transform == "pca":
            raise InputError("table.baler: Column 'c0' cannot be decoded in row 3.")
        return measure(self, point)

    monkeypatch.setattr(Trials, "measured", measured)
    rows, missed = advise(trials)
    assert missed == dict.fromkeys(("pca 1/1", "pca 1/2", "pca 1/4"), float("inf"))
    assert {row["transform"] for row in cast(Any, rows)} == {"identity", "baler"}


def test_a_training_without_time_for_its_packings_is_late_and_not_missed(
    ticking: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = ticking(100, Goal(0.05, "nrmse"))

    def trained(self: Trials, point: PointOptions, coder: str) -> None:
        clock.now_s += 60

    monkeypatch.setattr(Trials, "trained", trained)
    monkeypatch.setattr(Trials, "error_of", lambda self, point: 0.5)
    _, missed = advise(trials)
    assert missed == {"baler 1/1": 0.5}
    assert trials.late[0] == "pca 1/1 with every packing"
