"""Trials of codecs on a sample of a file: which packings meet the requested error, and what each codec costs."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from baler_energy.analysis import error_measures, tidy
from baler_energy.analysis.electricity import Electricity
from baler_energy.analysis.goal import Goal
from baler_energy.codecs.coders.base import Coder, Numbers, Word
from baler_energy.codecs.coders.bound import bound_word
from baler_energy.codecs.engines import engine_of, operations_of
from baler_energy.codecs.words import UNPACKED, join_words, packing_words, word_text
from baler_energy.config.parameters import Training
from baler_energy.config.recommended import RECOMMENDED
from baler_energy.config.shown import number_text
from baler_energy.data.sampling import FileSample
from baler_energy.data.table import Table
from baler_energy.errors import InputError, is_out_of_memory
from baler_energy.files import read_json
from baler_energy.records import Measurement
from baler_energy.stages.compress import compress
from baler_energy.stages.decompress import decompress
from baler_energy.stages.evaluate import evaluate
from baler_energy.stages.file_names import CHECKPOINT, COMPRESSED, RECONSTRUCTED, RECORD, SUMMARY
from baler_energy.stages.measured import Measuring
from baler_energy.stages.options import PointOptions
from baler_energy.stages.round_trip import round_trip
from baler_energy.stages.train import train
from baler_energy.time_limit import TimeLimit
from baler_energy.variants import CODERS, NO_TRANSFORM, TRANSFORMS, load

__all__ = ["Trials", "best_coder", "point_name"]

#: Rows on which packings are compared before the few best are measured.
PILOT_ROWS = 10_000
#: Number of coders to measure with each way of rounding.
_CODERS_EACH = 2
#: Compression ratios of trained transforms.
_RATIOS = (1.0, 2.0, 4.0)
#: Steps of a ladder to try for latents whose errors are corrected to keep the bound.
_COARSE = slice(0, 40, 10)

#: Maximum number of steps of a ladder in the figure.
_CURVE_STEPS = 14

#: Shares of the time after which nothing further is started: packings on the first rows, and, if curves follow, codecs.
_SEARCH, _BEFORE_CURVES = 0.6, 0.85

T = TypeVar("T")
#: Rows of the table ``runs``, by operation, of one codec.
Runs = list[dict[str, Any]]


@dataclass(frozen=True)
class Trials:
    """Trials of codecs on a sample.

    Parameters
    ----------
    sample
        Rows to train on, and rows to compress.
    goal
        The requested error.
    folder
        An empty folder for tables, compressed files and records.
    measuring
        How to measure; the session is open.
    base
        The point whose threads, seed and epochs all codecs share.
    limit
        The time that all trials and the curves share; what has been started is finished.
    curves_follow
        Whether to leave time for `curves`.
    late
        Names of what was not tried because time ran out; the trials add to it.
    failed
        Reasons why codecs could not be trained, by name; the trials add to it.
    too_coarse
        Errors, at their finest step, of the ways of rounding that reach the goal at no step; the trials add to it.
    """

    sample: FileSample
    goal: Goal
    folder: Path
    measuring: Measuring
    base: PointOptions
    limit: TimeLimit
    curves_follow: bool = False
    late: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    too_coarse: dict[str, float] = field(default_factory=dict)

    def prepare(self) -> None:
        """Write the sample's tables."""
        self.sample.training.write(self._table("training"))
        self.sample.test.write(self._table("test"))
        self.sample.test.first(PILOT_ROWS).write(self._table("pilot"))

    def in_time(self, points: Iterable[PointOptions], *, least: int = 0) -> Iterator[PointOptions]:
        """Yield points until the time for trials is over, but at least so many; the others are late."""
        return self._in_time(points, self._share, point_name, least=least)

    def trials_over(self) -> bool:
        """Whether the time for trials is over."""
        return self.limit.over(self._share)

    def without_training(self) -> list[PointOptions]:
        """Choose the codecs without training to measure, largest ratio first; fewer if the time is over."""
        found = self._lossy_packings() if self.goal.error else self._lossless_packings()
        return [self._identity(packing) for packing in sorted(found, key=lambda packing: -found[packing])]

    def trainable(self) -> list[PointOptions]:
        """List the transforms that can be trained here, at several compression ratios each; empty if lossless."""
        points = [
            self._reading_files(transform, list(engines), ratio)
            for ratio in _RATIOS
            for transform, engines in TRANSFORMS.items()
            if self.goal.error
        ]
        return [point for point in points if point is not None and "train" in operations_of(point)]

    def missing(self) -> dict[str, str]:
        """Return the words of packings that suit the goal but cannot be used on this machine, with the reason."""
        reasons = {
            name: kind.missing()
            for name, kind in _words()
            if _is_lossless_coder(kind) or (self.goal.error and kind.ladder(name))
        }
        return {name: reason for name, reason in reasons.items() if reason}

    def trained(self, point: PointOptions, coder: str) -> PointOptions | None:
        """Train and measure a transform and choose a packing with a coder.

        Returns None if the training fails, or if no packing that was tried in time meets the goal.
        """
        try:
            train(self._table("training"), self._out(point) / "train", point, Training(), self.measuring)
        except (InputError, MemoryError, RuntimeError) as error:
            # A loss that is not finite, a column that cannot be scaled, or no memory.
            if not (isinstance(error, InputError) or is_out_of_memory(error)):
                raise
            # What to do is said for those who train by hand.
            reason = "not enough memory" if is_out_of_memory(error) else str(error).partition(". ")[0]
            self.failed[point_name(point)] = reason
            return None
        packing = self._trained_packing(point, coder)
        return None if packing is None else point.changed(packing=packing)

    def error_of(self, point: PointOptions) -> float:
        """Return the goal's error of a trained transform whose latents are stored as computed."""
        return self._error(point.changed(packing=UNPACKED))

    def measured(self, point: PointOptions) -> Runs:
        """Measure compressing and decompressing the sample with a codec; return its rows of ``runs`` with errors."""
        out, checkpoint, test = self._out(point), self._checkpoint(point), self._table("test")
        folder = out / point.packing
        point = point.changed(run_id=str(folder.relative_to(self.folder)))
        compressed = folder / "compress" / COMPRESSED
        compress(test, checkpoint, compressed.parent, point, self.measuring)
        decompress(compressed, checkpoint, folder / "decompress", point, self.measuring)
        evaluate(test, folder / "decompress" / RECONSTRUCTED, compressed, checkpoint, folder / "evaluate")
        errors = read_json(folder / "evaluate" / SUMMARY)
        records = [*([out / "train"] if checkpoint else []), folder / "compress", folder / "decompress"]
        nowhere = Electricity.of(country=None, value=None, csv=None, pue=1.0)
        rows = (tidy.run_row(Measurement.read(one / RECORD), errors, nowhere, at_centre=False) for one in records)
        return [row | {"run_id": point.run_id, "packing": point.packing} for row in rows]

    def curves(self, coder: str) -> list[pd.DataFrame]:
        """Evaluate each way of rounding, with a coder, at up to 14 steps of its ladder, on the pilot's rows.

        A curve ends where the time is over; those that were not begun are late.
        """
        found = []
        kinds = _kinds() if self.goal.error else []
        for name, kind in self._in_time(kinds, 1.0, lambda one: f"the curve of {one[0]}"):
            coders = [coder] if issubclass(kind, Numbers) else []
            steps = _ladder(name)[:: -(-len(_ladder(name)) // _CURVE_STEPS)]
            words = self._in_time(steps, 1.0, least=1)
            frame = pd.DataFrame([self._pilot(self._identity(join_words(word, *coders))) for word in words])
            frame.attrs["name"] = join_words(name, *coders)
            found.append(frame)
        return found

    @property
    def _share(self) -> float:
        return _BEFORE_CURVES if self.curves_follow else 1.0

    def _in_time(
        self, items: Iterable[T], share: float, name_of: Callable[[T], str] | None = None, *, least: int = 0
    ) -> Iterator[T]:
        """Yield items until a share of the time is over, but at least so many; the others, if named, are late."""
        for number, item in enumerate(items):
            if number < least or not self.limit.over(share):
                yield item
            elif name_of is not None:
                self.late.append(name_of(item))

    def _lossless_packings(self) -> dict[str, float]:
        """Return the ratios of the lossless coders on the first rows."""
        return {coder: self._ratio(coder) for coder in self._in_time(_coders(), _SEARCH, str)}

    def _lossy_packings(self) -> dict[str, float]:
        """Choose the coarsest step of each way of rounding that meets the goal, and the best coders for it.

        Returns
        -------
        dict
            Compression ratio on the first rows, by packing.
        """
        found: dict[str, float] = {}
        for name, kind in self._in_time(_kinds(), _SEARCH, lambda one: one[0]):
            word = self._coarsest(name, kind, self._identity)
            if word is None:
                self.too_coarse[name] = self._error(self._identity(_ladder(name)[-1]), "test")
                continue
            every = [word] if not issubclass(kind, Numbers) else [join_words(word, one) for one in _coders()]
            ratios = {packing: self._ratio(packing) for packing in self._in_time(every, _SEARCH, str, least=1)}
            best = sorted(ratios.items(), key=lambda one: -one[1])[:_CODERS_EACH]
            found |= dict(best)
        return found

    def _ratio(self, packing: str) -> float:
        return float(self._pilot(self._identity(packing))["ratio_native_bytes"])

    def _coarsest(self, name: str, kind: type[Word], point_of: Callable[[str], PointOptions]) -> str | None:
        """Find the coarsest word of a ladder that meets the goal; None if no word does."""
        if self.goal.measure == "value" and kind.keeps_bound:
            return word_text(name, number_text(self.goal.error))
        ladder, low = _ladder(name), 0
        high = len(ladder)
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self.goal.holds(self._pilot(point_of(ladder[middle]))) else (middle + 1, high)
        # The error on all rows can be slightly larger.
        finer = (word for word in ladder[low:] if self.goal.holds(self._pilot(point_of(word), "test")))
        return next(finer, None)

    def _trained_packing(self, point: PointOptions, coder: str) -> str | None:
        """Choose how the latents of a trained transform are stored; None if no packing tried in time meets the goal."""
        kinds = [(name, kind) for name, kind in _kinds() if issubclass(kind, Numbers)]
        if self.goal.measure == "value":
            bound = bound_word(self.goal.error * self._least_range())
            packings = [join_words(word, coder, bound) for name, _ in kinds for word in _ladder(name)[_COARSE]]
        else:
            named = self._in_time(kinds, self._share)
            words = (self._coarsest(name, kind, lambda word: point.changed(packing=word)) for name, kind in named)
            packings = [coder, *(join_words(word, coder) for word in words if word)]
        in_time = self._in_time(packings, self._share, least=1)
        found = {packing: self._pilot(point.changed(packing=packing)) for packing in in_time}
        # A bound holds on all rows; over the range of the first rows, which can be smaller, errors are larger.
        bounded = self.goal.measure == "value"
        ratios = {
            packing: summary["ratio_native_bytes"]
            for packing, summary in found.items()
            if (bounded and summary["ratio_native_bytes"]) or self.goal.holds(summary)
        }
        return max(ratios, key=lambda packing: ratios[packing], default=None)

    def _least_range(self) -> float:
        """Smallest ratio of a column's range in the test rows to that in the training rows, at most 1.

        An error bound is relative to the range in training, the goal to the range in the compressed rows.
        """
        test, training = (_ranges(table) for table in (self.sample.test, self.sample.training))
        # A column that is constant in either table has no error over its range.
        known = (test > 0) & (training > 0)
        return float(min([1.0, *(test[known] / training[known]).tolist()]))

    def _pilot(self, point: PointOptions, table: str = "pilot") -> dict[str, Any]:
        """Compress and decompress some rows, unmeasured; return ratio and errors, infinite if the codec fails."""
        try:
            trip = round_trip(self._table(table), self._checkpoint(point), point, self.folder)
        except InputError:
            # A number format is too narrow for a value.
            return {"ratio_native_bytes": 0.0, self.goal.key: float("inf")}
        before, after = trip.original, trip.reconstructed
        errors = error_measures.column_errors(before.data, after.data, before.names, before.dtypes)
        ratio = before.native_bytes / trip.compressed_bytes
        return error_measures.summary(errors) | {"ratio_native_bytes": ratio, "packing": point.packing}

    def _error(self, point: PointOptions, table: str = "pilot") -> float:
        """Return the goal's error of a codec on some rows; infinite if it overflows or the codec fails."""
        error = self._pilot(point, table)[self.goal.key]
        return math.inf if error is None else float(error)

    def _identity(self, packing: str) -> PointOptions:
        return self.base.changed(transform=NO_TRANSFORM, packing=packing)

    def _reading_files(self, transform: str, engines: Sequence[str | None], ratio: float) -> PointOptions | None:
        """Return the transform with the first engine that reads files and is installed; None if there is none."""
        for engine in engines:
            # The training that costs least at the same error, where the transform has one in epochs.
            known = {} if engine is None else {**RECOMMENDED, "engine": engine}
            point = self.base.changed(transform=transform, compression_ratio=ratio, **known)
            if engine_of(point).reads_files and engine_of(point).missing() is None:
                return point
        return None

    def _out(self, point: PointOptions) -> Path:
        ratio = "" if point.compression_ratio is None else number_text(point.compression_ratio)
        return self.folder / f"{point.transform}{ratio}"

    def _checkpoint(self, point: PointOptions) -> Path | None:
        return self._out(point) / "train" / CHECKPOINT if "train" in operations_of(point) else None

    def _table(self, name: str) -> Path:
        return self.folder / f"{name}.npz"


def _words() -> list[tuple[str, type[Word]]]:
    """Return the words of packings, with their classes, installed or not."""
    return [(name, load(module).WORD) for name, (module, *_) in CODERS.items()]


def _kinds() -> list[tuple[str, type[Word]]]:
    """Return the installed words with a ladder (the lossy ones), with their classes."""
    return [(name, kind) for name, kind in _words() if kind.ladder(name) and kind.missing() is None]


def _is_lossless_coder(kind: type[Word]) -> bool:
    return issubclass(kind, Coder) and kind.lossless


def _coders() -> list[str]:
    """Return the names of the installed lossless coders."""
    return [name for name, kind in _words() if _is_lossless_coder(kind) and kind.missing() is None]


def point_name(point: PointOptions) -> str:
    """Name a codec briefly: its packing if it is not trained, otherwise transform and ratio."""
    return (
        point.packing
        if point.compression_ratio is None
        else f"{point.transform} 1/{number_text(point.compression_ratio)}"
    )


def best_coder(packings: Sequence[str]) -> str:
    """Return the lossless coder of the first of some packings that has one; the first of all if none has."""
    words = [word for packing in packings for word in packing_words(packing)]
    return next((word.text for word in words if word.name in _coders()), _coders()[0])


def _ladder(name: str) -> tuple[str, ...]:
    ladder: tuple[str, ...] = load(CODERS[name][0]).WORD.ladder(name)
    return ladder


def _ranges(table: Table) -> Any:
    return table.data.max(axis=0) - table.data.min(axis=0)
