"""Command-line flags of a measured session, shared by every measured stage."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from baler_energy.config.measuring import Measurement
from baler_energy.config.options import add_options
from baler_energy.errors import UnavailableError
from baler_energy.files import output_folder
from baler_energy.meters.base import Meter, absent_reason
from baler_energy.meters.settings import SessionSettings
from baler_energy.progress import announce
from baler_energy.sources import meter_modules
from baler_energy.variants import load
from baler_energy.vocabulary import PEERS, STUDY_METERS, MeterName

__all__ = ["add_meter_arguments", "add_session_arguments", "make_meters", "meter_class", "session_settings"]

#: Keys of a study's section on measuring that are options of every measured stage.
_WINDOW = ("min_window_s", "idle_s", "idle_lifetime_s", "contamination_limit")


def add_meter_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the flags that select the meters and their sample interval."""
    group.add_argument(
        "--meters",
        nargs="+",
        type=MeterName,
        choices=(*STUDY_METERS, *PEERS),
        default=list(STUDY_METERS),
        metavar="METER",
        help=f"meters to use, of {', '.join(STUDY_METERS)} (default: all; missing ones are recorded as absent; a "
        f"meter that you list must work), and other tools, which disturb what they measure: {', '.join(PEERS)}",
    )
    add_options(group, Measurement, only=["sample_interval_s"])


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a measured session to `parser`."""
    group = parser.add_argument_group("measuring")
    add_meter_arguments(group)
    add_options(group, Measurement, only=_WINDOW, or_zero={"min_window_s": "it runs once", "idle_s": "none"})
    group.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="calibration of this kind of machine from `baler-energy calibrate`: lengthens the window so that "
        "counters resolve 1 %%",
    )
    group.add_argument(
        "--idle-cache",
        type=output_folder,
        metavar="DIR",
        help="folder of the shared baselines (default: nothing is shared)",
    )


def session_settings(args: argparse.Namespace) -> SessionSettings:
    """Make the settings from the parsed flags of `add_session_arguments`.

    Raises
    ------
    InputError
        A value is out of range, or the calibration cannot be read.
    """
    min_window_s = args.min_window_s
    if args.calibration is not None:
        from baler_energy.meters.calibration import calibrated_min_window_s

        min_window_s = calibrated_min_window_s(args.calibration, min_window_s)
    if (args.idle_cache is None) != (args.idle_lifetime_s == 0):
        both = ("--idle-cache", "--idle-lifetime-s")
        useless, missing = both if args.idle_cache is not None else both[::-1]
        announce(f"{useless}: no effect without {missing}.")
    given = {name: getattr(args, name) for name in (*_WINDOW, "sample_interval_s")}
    return SessionSettings(**given | {"min_window_s": min_window_s}, idle_cache=args.idle_cache)


def make_meters(
    names: Sequence[MeterName], *, sample_interval_s: float = SessionSettings.sample_interval_s
) -> list[Meter]:
    """Make the meters called `names`, without opening them.

    Parameters
    ----------
    names
        The meters. If they include all meters of a study (the default), an absent meter is kept, and its readings are
        null with the reason. Otherwise every meter must be available.
    sample_interval_s
        Interval of the meters' time series.

    Raises
    ------
    UnavailableError
        A meter that the user selected is absent on this machine.
    """
    meters = [_make(name, sample_interval_s) for name in dict.fromkeys(names)]
    if not set(names) >= set(STUDY_METERS):
        for meter in meters:
            if reason := absent_reason(meter):
                raise UnavailableError(
                    f"Meter {meter.name} cannot be used: {reason}. Remove it from the meters, or see `baler-energy "
                    "doctor` for how to enable it."
                )
    return meters


def meter_class(name: str) -> Any:
    """Load the class of a meter; a peer's package is imported only when the meter opens."""
    (module,) = meter_modules([name])
    return load(module).METER


def _make(name: MeterName, sample_interval_s: float) -> Meter:
    kind = meter_class(name)
    meter: Meter = kind(sample_interval_s=sample_interval_s) if kind.sampled else kind()
    return meter
