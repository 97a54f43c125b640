"""How fast and how far a device warms up: the first-order lumped thermal model, fitted to a sensor with steps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "Rise", "rise"]

Values = npt.NDArray[np.float64]

#: NVML and most CPU sensors report whole degrees.
_STEP_DEGC = 1.0
#: Minimum number of samples for a fit of three parameters to rounded readings.
_FEWEST = 8
_LEAST_STEPS = 2


@dataclass(frozen=True)
class Curve:
    """A rise towards a steady state by Newton's law of cooling: dT/dt = (T_end - T) / tau at constant power."""

    start_degc: float
    """Fitted temperature at time 0."""
    steady_degc: float
    tau_s: float
    tau_error_s: float
    """Standard error of the time constant."""

    def at(self, times_s: Sequence[float] | Values) -> Values:
        """Return the temperature (degC) at times (s) from the window's start."""
        return _model(np.asarray(times_s, dtype=float), self.start_degc, self.steady_degc, self.tau_s)


@dataclass(frozen=True)
class Rise:
    """Temperatures that the sensor reported in a window, and the fitted curve or the reason why it is missing."""

    n: int
    """Samples in the window."""
    start_degc: float | None
    """Last reading at or before the window's start, else the first in it."""
    maximum_degc: float | None
    """Largest reading in the window."""
    curve: Curve | None = None
    reason: str | None = None


def rise(
    times_s: Sequence[float], temperatures_degc: Sequence[float], window_s: float, *, step_degc: float = _STEP_DEGC
) -> Rise:
    """Fit T(t) = T_end - (T_end - T_start) exp(-t / tau) to the temperature over a window.

    The lumped model of heat transfer (Incropera et al., Fundamentals of Heat and Mass Transfer, chapter 5: one heat
    capacity behind one resistance, Newton's law of cooling) holds for constant power. A chip under its heat sink also
    has shorter time constants; the fitted one is a mean of them. The fit is by least squares. A reading that repeats
    the previous one has no new information, so the standard error only counts changes of the reading (plus one), and
    the variance is at least that of rounding, step^2 / 12.

    Parameters
    ----------
    times_s, temperatures_degc
        Samples in time order, shape (n,); times from the window's start, also before and after the window.
    window_s
        Length of the window (s).
    step_degc
        Step of the sensor (degC).

    Returns
    -------
    Rise
        The curve is missing, with the reason, if there are fewer than 8 samples in the window, if the maximum is less
        than two steps above the start, if the fit does not rise, or if the samples do not determine tau: it is longer
        than the window, shorter than the time between samples, or less than twice its standard error.

    Raises
    ------
    ValueError
        The two series differ in length.
    """
    times, values = np.asarray(times_s, dtype=float), np.asarray(temperatures_degc, dtype=float)
    if times.shape != values.shape:
        raise ValueError(f"{len(times)} times and {len(values)} temperatures")
    inside = (times >= 0) & (times <= window_s)
    n = int(inside.sum())
    if not n:
        return Rise(0, None, None, reason="no sample lies in the window")
    before = values[times <= 0]
    start_degc = float(before[-1] if len(before) else values[inside][0])
    maximum_degc = float(values[inside].max())
    found = _curve(times[inside], values[inside], window_s, maximum_degc - start_degc, step_degc)
    if isinstance(found, str):
        return Rise(n, start_degc, maximum_degc, reason=found)
    return Rise(n, start_degc, maximum_degc, found)


def _curve(times: Values, values: Values, window_s: float, risen_degc: float, step_degc: float) -> Curve | str:
    """Fit the curve, or return why that is impossible."""
    if len(times) < _FEWEST:
        return f"{len(times)} samples are too few for a fit, which needs {_FEWEST}"
    if risen_degc < _LEAST_STEPS * step_degc:
        return f"it rose by {max(0.0, risen_degc):g} °C, and the sensor's step is {step_degc:g} °C"
    between_s = float(np.median(np.diff(times)))
    at_once = f"its time constant is below the {between_s:.2g} s between samples"
    if np.ptp(values) < step_degc:
        # It had risen before the first sample, so that any time constant fits.
        return at_once
    found = _fit(times, values, window_s, between_s, step_degc)
    if found.tau_s > window_s:
        return f"the window of {window_s:.3g} s is shorter than its time constant"
    if found.tau_s < between_s:
        return at_once
    if found.steady_degc <= found.start_degc:
        return "it did not rise towards a steady state"
    if found.tau_error_s > found.tau_s / 2:
        return f"its time constant is undetermined: {found.tau_s:.2g} ± {found.tau_error_s:.2g} s"
    return found


def _model(times_s: Values, start_degc: float | Values, steady_degc: float | Values, tau_s: float | Values) -> Values:
    return np.asarray(steady_degc - (steady_degc - start_degc) * np.exp(-times_s / tau_s))


def _fit(times: Values, values: Values, window_s: float, between_s: float, step_degc: float) -> Curve:
    """Fit by least squares, starting from the best time constant of a grid that reaches far beyond the window."""
    from scipy import optimize

    reach_s = (between_s / 10, 100 * window_s)
    grid_s = np.geomspace(*reach_s, 60)
    start, steady, tau_s = min((_linear(times, values, tau_s) for tau_s in grid_s), key=lambda f: f[0])[1]
    bounds = ([-np.inf, -np.inf, reach_s[0]], [np.inf, np.inf, reach_s[1]])
    best = optimize.least_squares(
        lambda p: _model(times, *p) - values, (start, steady, tau_s), x_scale=(1.0, 1.0, tau_s), bounds=bounds
    )
    changes = 1 + int(np.count_nonzero(np.diff(values)))
    free = max(1, changes - 3)
    variance = max(2 * best.cost / len(times) * changes / free, step_degc**2 / 12)
    covariance = np.linalg.pinv(best.jac.T @ best.jac) * variance * len(times) / changes
    start, steady, tau_s = (float(value) for value in best.x)
    return Curve(start, steady, tau_s, float(np.sqrt(covariance[2, 2])))


def _linear(times: Values, values: Values, tau_s: float) -> tuple[float, tuple[float, float, float]]:
    """Fit T_start and T_end, in which the model is linear, for a given tau: sum of squares and all parameters."""
    decay = np.exp(-times / tau_s)
    design = np.column_stack([decay, 1 - decay])
    (start, steady), *_ = np.linalg.lstsq(design, values)
    return float(np.sum((design @ [start, steady] - values) ** 2)), (float(start), float(steady), tau_s)
