"""Command-line flags of a measured session, shared by every measured stage."""

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path

from baler_energy.errors import UnavailableError
from baler_energy.meters.base import Meter, absent_reason
from baler_energy.meters.settings import SessionSettings
from baler_energy.vocabulary import PEERS, STUDY_METERS, MeterName

__all__ = ["add_meter_arguments", "add_session_arguments", "make_meters", "session_settings"]


def add_meter_arguments(group: argparse._ArgumentGroup) -> None:
    """Add the flags that choose the meters and their pace."""
    group.add_argument(
        "--meters",
        nargs="+",
        type=MeterName,
        choices=(*STUDY_METERS, *PEERS),
        default=list(STUDY_METERS),
        metavar="METER",
        help=f"meters to use, of {', '.join(STUDY_METERS)} (default: all; of these, an absent one is recorded as "
        "absent, while a meter of a list of your own that is absent is an error), and other tools, which disturb what "
        f"they measure: {', '.join(PEERS)}",
    )
    group.add_argument(
        "--sample-interval-s",
        type=float,
        default=SessionSettings.sample_interval_s,
        metavar="S",
        help="interval of the power, utilisation and temperature samples (default: %(default)g)",
    )


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a measured session to `parser`."""
    default = SessionSettings()
    group = parser.add_argument_group("measuring")
    add_meter_arguments(group)
    group.add_argument(
        "--min-window-s",
        type=float,
        default=default.min_window_s,
        metavar="S",
        help="repeat the operation until the window is this long (default: %(default)g)",
    )
    group.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="calibration of this kind of machine, by `baler-energy calibrate`: lengthens the window to what resolves "
        "1 %% here",
    )
    _add_idle_arguments(group, default)


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
    return SessionSettings(
        min_window_s=min_window_s,
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
    if not set(names) >= set(STUDY_METERS):
        for meter in meters:
            if reason := absent_reason(meter):
                raise UnavailableError(
                    f"The meter {meter.name} was asked for, but {reason}. Leave it out of the meters, or see "
                    "`baler-energy doctor` for what would enable it."
                )
    return meters


def _make(name: MeterName, sample_interval_s: float) -> Meter:
    if name in PEERS:
        # Not by an import statement, so that a changed peer is no change of the measured stages (fingerprint.py).
        peers = importlib.import_module("baler_energy.meters.peers")
        peer: Meter = peers.make_peer(name)
        return peer
    # Not at the top: the command line's help needs none of them.
    from baler_energy.meters import (
        codecarbon,
        hwmon,
        ipmi,
        nvml,
        power_supply,
        powermetrics,
        process,
        rapl,
        sampler,
        slurm,
    )

    if name is MeterName.RAPL:
        return rapl.RaplMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.NVML:
        return nvml.NvmlMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.HWMON:
        return hwmon.HwmonMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.POWER_SUPPLY:
        return power_supply.PowerSupplyMeter(sample_interval_s=sample_interval_s)
    if name is MeterName.SAMPLER:
        return sampler.SamplerMeter(sample_interval_s=sample_interval_s)
    # The others have a pace of their own.
    if name is MeterName.IPMI:
        return ipmi.IpmiMeter()
    if name is MeterName.SLURM:
        return slurm.SlurmMeter()
    if name is MeterName.POWERMETRICS:
        return powermetrics.PowermetricsMeter()
    if name is MeterName.CODECARBON:
        return codecarbon.CodecarbonMeter()
    return process.ProcessMeter()
