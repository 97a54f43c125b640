"""Command-line flags of a measured session, shared by every measured stage."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from baler_energy.errors import UnavailableError
from baler_energy.meters.base import Meter, absent_reason
from baler_energy.meters.settings import SessionSettings
from baler_energy.vocabulary import MeterName

__all__ = ["ALL_METERS", "add_session_arguments", "make_meters", "session_settings"]

ALL_METERS = tuple(MeterName)


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a measured session to `parser`."""
    default = SessionSettings()
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--meters",
        nargs="+",
        type=MeterName,
        choices=ALL_METERS,
        default=list(ALL_METERS),
        metavar="METER",
        help=f"meters to use, of {', '.join(ALL_METERS)} (default: all; of these, an absent one is recorded as absent, "
        "while a meter of a list of your own that is absent is an error)",
    )
    group.add_argument(
        "--min-window-s",
        type=float,
        default=default.min_window_s,
        metavar="S",
        help="repeat the operation until the window is this long (default: %(default)g)",
    )
    _add_idle_arguments(group, default)
    group.add_argument(
        "--sample-interval-s",
        type=float,
        default=default.sample_interval_s,
        metavar="S",
        help="interval of the power, utilisation and temperature samples (default: %(default)g)",
    )


def _add_idle_arguments(group: argparse._ArgumentGroup, default: SessionSettings) -> None:
    group.add_argument(
        "--idle-s",
        type=float,
        default=default.idle_s,
        metavar="S",
        help="length of the idle baseline before the window; 0: none (default: %(default)g)",
    )
    group.add_argument(
        "--idle-lifetime-s",
        type=float,
        default=default.idle_lifetime_s,
        metavar="S",
        help="use an earlier baseline of this boot up to this age; 0: always an own one (default: %(default)g)",
    )
    group.add_argument(
        "--idle-cache", type=Path, metavar="DIR", help="folder of the shared baselines (default: nothing is shared)"
    )


def session_settings(args: argparse.Namespace) -> SessionSettings:
    """Make the settings from the parsed flags of `add_session_arguments`."""
    return SessionSettings(
        min_window_s=args.min_window_s,
        idle_s=args.idle_s,
        idle_lifetime_s=args.idle_lifetime_s,
        idle_cache=args.idle_cache,
        sample_interval_s=args.sample_interval_s,
    )


def make_meters(names: Sequence[MeterName], *, sample_interval_s: float = 0.2) -> list[Meter]:
    """Make the meters of `names`, unopened.

    Parameters
    ----------
    names
        The meters. Where they are all that there are (the default), one that this machine lacks is kept, and its
        readings are null with the reason; a choice of one's own must be there.
    sample_interval_s
        Interval of the meters' time series.

    Raises
    ------
    UnavailableError
        A meter of a list of one's own is absent on this machine.
    """
    meters = [_make(name, sample_interval_s) for name in dict.fromkeys(names)]
    if set(names) != set(ALL_METERS):
        for meter in meters:
            if reason := absent_reason(meter):
                raise UnavailableError(
                    f"The meter {meter.name} was asked for, but {reason}. Leave it out of the meters, or see "
                    "`baler-energy doctor` for what would enable it."
                )
    return meters


def _make(name: MeterName, sample_interval_s: float) -> Meter:
    # Each meter's module is loaded only where the meter is used, which keeps the command line fast.
    if name is MeterName.RAPL:
        from baler_energy.meters.rapl import RaplMeter

        return RaplMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.NVML:
        from baler_energy.meters.nvml import NvmlMeter

        return NvmlMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.CODECARBON:
        from baler_energy.meters.codecarbon import CodecarbonMeter

        return CodecarbonMeter()
    if name is MeterName.PROCESS:
        from baler_energy.meters.process import ProcessMeter

        return ProcessMeter()
    from baler_energy.meters.sampler import SamplerMeter

    return SamplerMeter(sample_interval_s=sample_interval_s)
