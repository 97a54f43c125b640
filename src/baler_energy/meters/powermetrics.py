"""powermetrics: macOS's estimates of the power of Apple silicon."""

import platform
import plistlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from baler_energy.meters.base import Channel, Meter, Sample
from baler_energy.records import Reading
from baler_energy.vocabulary import MACHINE_LIMIT_W, Evidence, MeterName, Quantity

__all__ = ["METER", "PowermetricsMeter", "overlap_energy_j", "parse_slices"]

_COMMAND = ("sudo", "-n", "powermetrics", "--samplers", "cpu_power,gpu_power,ane_power", "-i", "500", "-f", "plist")
_PARTS = {"cpu": "cpu_power", "gpu": "gpu_power", "rail-ane": "ane_power"}
_PATIENCE_S = 5.0
_DETAIL = "powermetrics: Apple's estimate; its manual advises against comparing devices with it"

#: End (s), length (s) and mean powers (W) by component of one slice.
Slice = tuple[float, float, dict[str, float]]


def parse_slices(chunks: Iterable[bytes]) -> Iterator[tuple[float, dict[str, float]]]:
    """Parse length (s) and mean powers (W) by component from powermetrics' property lists, separated by NUL.

    Raises
    ------
    ValueError
        A list is damaged or lacks its length.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\0")
        yield from (_parse(text) for text in whole if text.strip())
    if rest.strip():
        yield _parse(rest)


def _parse(text: bytes) -> tuple[float, dict[str, float]]:
    try:
        values: dict[str, Any] = plistlib.loads(text.strip())
        processor = values["processor"]
        powers_w = {name: processor[key] * 1e-3 for name, key in _PARTS.items() if key in processor}
        return values["elapsed_ns"] * 1e-9, powers_w
    except (plistlib.InvalidFileException, KeyError, TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"powermetrics returned an invalid sample: {error!r}") from error


def overlap_energy_j(slices: Sequence[Slice], component: str, begin_s: float, end_s: float) -> float:
    """Sum the energy (J) of the slices within a window; slices at the edges count in proportion.

    Raises
    ------
    ValueError
        The slices do not cover the window, lack the component, or have a power that no machine draws.
    """
    energy_j = covered_s = 0.0
    for slice_end_s, length_s, powers_w in slices:
        inside_s = min(end_s, slice_end_s) - max(begin_s, slice_end_s - length_s)
        if inside_s > 0:
            if component not in powers_w:
                raise ValueError(f"a sample lacks the power of {component}")
            if not 0 <= powers_w[component] <= MACHINE_LIMIT_W:
                raise ValueError(f"a sample has {powers_w[component]:g} W")
            energy_j += powers_w[component] * inside_s
            covered_s += inside_s
    # Slices are contiguous, except for the moment in which one is written.
    if covered_s < 0.98 * (end_s - begin_s):
        raise ValueError(f"its samples cover {covered_s:.2f} s of a window of {end_s - begin_s:.2f} s")
    return energy_j * (end_s - begin_s) / covered_s if covered_s else 0.0


class PowermetricsMeter(Meter):
    """Energy of ``cpu``, ``gpu`` and the neural engine; modelled, because Apple calls the values estimates."""

    name = MeterName("powermetrics")
    edge = 60
    rare = True

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._slices: list[Slice] = []
        self._arrived = threading.Condition()
        self._error: str | None = None
        self._begin_s = self._end_s = 0.0

    def channels(self) -> Sequence[Channel]:
        """Report whether this is Apple silicon under macOS, and powermetrics is installed."""
        if platform.system() != "Darwin" or platform.machine() != "arm64":
            return (Channel("cpu", None, "powermetrics only exists on macOS on Apple silicon"),)
        if shutil.which("powermetrics") is None:
            return (Channel("cpu", None, "powermetrics was not found", "see `man powermetrics`"),)
        return tuple(Channel(name, Evidence.MODELLED, _DETAIL) for name in _PARTS)

    def open(self) -> None:
        """Start powermetrics and wait for its first sample.

        Raises
        ------
        RuntimeError
            It does not start: it needs root, through sudo without a password prompt.
        """
        self._process = subprocess.Popen(
            _COMMAND, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        stream = self._process.stdout
        self._reader = threading.Thread(target=self._follow, args=(stream,), name="powermetrics", daemon=True)
        self._reader.start()
        if not self._wait_for(0.0):
            self.close()
            raise RuntimeError("powermetrics returned no sample; it needs root: `sudo -v`, or a rule in /etc/sudoers")

    def begin(self) -> None:
        """Start a window."""
        with self._arrived:
            self._begin_s = time.monotonic()
            self._slices = self._slices[-4:]

    def end(self) -> None:
        """End the window."""
        self._end_s = time.monotonic()

    def readings(self) -> list[Reading]:
        """Wait for the sample that contains the window's end; return the energies."""
        self._wait_for(self._end_s)
        with self._arrived:
            slices, error = list(self._slices), self._error
        readings = []
        for name in _PARTS:
            try:
                if error is not None:
                    raise ValueError(error)
                value, reason = overlap_energy_j(slices, name, self._begin_s, self._end_s), None
            except ValueError as lost:
                value, reason = None, f"{name}: {lost}"
            readings.append(
                Reading.of(self.name, name, Quantity.ENERGY, value, Evidence.MODELLED, reason, detail=_DETAIL)
            )
        return readings

    def samples(self) -> list[Sample]:
        """Return the power over time, at the centre of each sample."""
        with self._arrived:
            return [
                Sample(end_s - length_s / 2, name, "power", power_w, Evidence.MODELLED)
                for end_s, length_s, powers_w in self._slices
                for name, power_w in powers_w.items()
            ]

    def close(self) -> None:
        """Stop powermetrics."""
        if self._process is not None:
            try:
                self._process.terminate()
            except PermissionError:  # sudo runs as root: the broken pipe ends it when this process has ended
                self._process = self._reader = None
                return
            self._process.wait()
            if self._reader is not None:
                self._reader.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = self._reader = None

    def _follow(self, stream: IO[bytes]) -> None:
        try:
            for length_s, powers_w in parse_slices(iter(lambda: stream.read1(65536), b"")):  # type: ignore[attr-defined]
                with self._arrived:
                    self._slices.append((time.monotonic(), length_s, powers_w))
                    self._arrived.notify_all()
        except (OSError, ValueError) as error:
            with self._arrived:
                self._error = str(error)
                self._arrived.notify_all()

    def _wait_for(self, time_s: float) -> bool:
        def reached() -> bool:
            return self._error is not None or (bool(self._slices) and self._slices[-1][0] >= time_s)

        with self._arrived:
            return self._arrived.wait_for(reached, timeout=_PATIENCE_S) and self._error is None


METER = PowermetricsMeter
