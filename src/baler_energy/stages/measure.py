"""Stage ``measure``: measure any command, by the same rules as the measured stages."""

import argparse
import shutil
import subprocess
import uuid
from collections.abc import Sequence

from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.files import output_file
from baler_energy.meters.base import Meter
from baler_energy.meters.options import add_session_arguments, make_meters, meter_class, session_settings
from baler_energy.meters.session import Outcome, Session, SessionSettings
from baler_energy.provenance import provenance
from baler_energy.records import Measurement, Reading
from baler_energy.signals import exit_code, guarding
from baler_energy.sources import meter_modules, stage
from baler_energy.vocabulary import Operation, Quantity

__all__ = ["EPILOG", "HELP", "CommandFailedError", "add_arguments", "measure", "run", "summary"]

HELP = "measure any command"
EPILOG = """\
examples:
  baler-energy measure -- python train.py --epochs 5
  baler-energy measure --out measurement.json --idle-s 10 -- ./simulate input.txt
  baler-energy measure --repeat --min-window-s 20 -- sort big.txt

First, the power of the idle machine is measured for 10 s (--idle-s). Then the command runs once, without a shell; with
--repeat, it runs until the window is long enough, and the summary gives the value per run with its 95 % t interval. Its
output is not redirected; the summary follows on standard output. If the command fails, its exit code is returned, and
nothing is summarised or recorded. If `measure` is interrupted or killed, the command ends as well.

Only one measurement runs at a time on a machine. The longest wait for another one is 4 hours, or
BALER_ENERGY_LOCK_WAIT_S seconds if this environment variable is set."""


class CommandFailedError(BalerEnergyError):
    """The measured command failed; its exit code becomes ours (128 + n for signal n)."""

    def __init__(self, command: Sequence[str], returncode: int) -> None:
        how = f"exit code {returncode}" if returncode >= 0 else f"signal {-returncode}"
        super().__init__(f"The command {command[0]!r} failed with {how}; nothing was recorded.")
        self.exit_code = returncode if returncode >= 0 else 128 - returncode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's arguments."""
    parser.add_argument("--out", type=output_file, metavar="FILE", help="write the record (JSON) to this file")
    parser.add_argument(
        "--repeat", action="store_true", help="repeat the command until the window is --min-window-s long"
    )
    add_session_arguments(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="the command, after --")


def run(args: argparse.Namespace) -> None:
    """Run the stage from the command line."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    meters = make_meters(args.meters, sample_interval_s=args.sample_interval_s)
    record = measure(command, meters, session_settings(args), repeat=args.repeat)
    if args.out is not None:  # first, as standard output may be closed
        record.write(args.out)
    print(summary(record))


def measure(
    command: Sequence[str], meters: Sequence[Meter], settings: SessionSettings, *, repeat: bool = False
) -> Measurement:
    """Run a command in a measured window.

    Parameters
    ----------
    command
        Program and arguments.
    meters, settings
        See `Session`.
    repeat
        Repeat the command until the window is long enough; otherwise it runs once.

    Raises
    ------
    InputError
        There is no command, or its program is not found.
    CommandFailedError
        The command's exit code is not 0.
    """
    if not command:
        raise InputError("No command to measure. Put it after two dashes: baler-energy measure -- COMMAND")
    if shutil.which(command[0]) is None:  # checked first, because an idle baseline takes time
        raise InputError(f"The program {command[0]!r} was not found or is not executable.")

    def operation() -> None:
        try:
            returncode = exit_code(command, guard_from)
        except OSError as error:
            raise InputError(f"The command {command[0]!r} cannot be run: {error.strerror}.") from error
        if returncode != 0:
            raise CommandFailedError(command, returncode)

    session = Session(meters, settings)
    # The guard also keeps the lock until the command of a killed measurement has ended.
    with session.lock as lock, guarding(lock.fileno()) as guard_from, session:
        outcome = session.run(operation, once=not repeat)
    return _record(command, outcome)


def summary(record: Measurement) -> str:
    """Describe a record of a command for a reader at a terminal."""
    window, other = record.window, record.contamination
    runs = "1 run" if record.iterations == 1 else f"{record.iterations} runs"
    lines = [f"duration        {window.duration_s:.3f} s in {runs}, from {window.start:%Y-%m-%d %H:%M:%S} UTC"]
    lines += _per_run(record, window.duration_s, "s", _DURATION)
    for reading in record.readings:
        if reading.value is not None and (line := _energy_line(reading, record.readings)):
            lines += [line, *_per_run(record, reading.value, "J", _energy_key(reading.meter, reading.component))]
    lines += _absent_lines(record.readings)
    for quantity, label, scale, unit in _PLAIN:
        for reading in record.readings:
            if reading.quantity is quantity and reading.value is not None:
                lines.append(f"{label:<15} {reading.value * scale:.4g} {unit} ({reading.meter} {reading.component})")
    if other.fraction is not None:
        lines.append(f"contamination   {other.fraction:.1%} of the CPUs were used by other processes")
    for flag in record.flags:
        lines.append(f"note            {flag}: {flag.meaning}")
    return "\n".join(lines)


#: Entry of the results of a record for durations; `_energy_key` makes those for energies.
_DURATION = "duration_s"
#: What is recorded of an interval: its half width, and the number of runs.
_INTERVAL = ("half_width", "n")


def _energy_key(meter: str, component: str) -> str:
    return f"energy_j:{meter}/{component}"


def _per_run(record: Measurement, whole: float, unit: str, key: str) -> list[str]:
    """Describe the value of one run, with its interval if each run was read; [] if the command ran once."""
    if record.iterations == 1:
        return []
    half_width, n = (record.results.get(f"{key}:{name}") for name in _INTERVAL)
    interval = "no interval, as single runs were not read"
    if half_width is not None:
        interval = f"+- {half_width:.2g} {unit}, 95 % t interval, n = {n}"
    return [f"  per run       {whole / record.iterations:.4g} {unit} ({interval})"]


_PLAIN = (
    (Quantity.CPU_TIME, "CPU time", 1.0, "s"),
    (Quantity.UTILISATION_MEAN, "mean load", 100.0, "%"),
)


def _energy_line(reading: Reading, readings: Sequence[Reading]) -> str | None:
    if reading.quantity is not Quantity.ENERGY or reading.value is None:
        return None
    found = {
        other.quantity: other.value
        for other in readings
        if (other.meter, other.component) == (reading.meter, reading.component)
    }
    line = f"energy          {reading.value:10.2f} J  {reading.component:<12} {reading.evidence} by {reading.meter}"
    power_w, dynamic_j = found.get(Quantity.POWER_MEAN), found.get(Quantity.DYNAMIC_ENERGY)
    line += f", {power_w:.2f} W" if power_w is not None else ""
    return line + (f", of which {dynamic_j:.2f} J dynamic" if dynamic_j is not None else "")


def _absent_lines(readings: Sequence[Reading]) -> list[str]:
    """List the missing energies; meters that few machines have are listed without reasons."""
    missing = [reading for reading in readings if reading.quantity is Quantity.ENERGY and reading.value is None]
    lines = [
        f"no energy       {reading.component} by {reading.meter}: {reading.reason}"
        for reading in missing
        if not meter_class(reading.meter).rare
    ]
    rare = dict.fromkeys(str(reading.meter) for reading in missing if meter_class(reading.meter).rare)
    return [*lines, f"no energy       by {', '.join(rare)}: see `baler-energy doctor`"] if rare else lines


def _record(command: Sequence[str], outcome: Outcome[None]) -> Measurement:
    # File names need not be UTF-8, but a record is.
    text = subprocess.list2cmdline(command).encode(errors="surrogateescape").decode(errors="replace")
    return outcome.record(
        run_id=f"command-{uuid.uuid4().hex[:12]}",
        operation=Operation.COMMAND,
        parameters={"command": text},
        results=_intervals(outcome),
        provenance=provenance(stage("measure"), *meter_modules(reading.meter for reading in outcome.readings)),
    )


def _intervals(outcome: Outcome[None]) -> dict[str, str | int | float | bool | None]:
    """Half widths of the 95 % t intervals of the mean run, and the runs in them: of durations, and of counters.

    A counter is read at the edges of a run only if the run is long enough; the first run has no energy.
    """
    if outcome.iterations == 1:
        return {}
    from baler_energy.analysis.statistics import interval

    found: dict[str, str | int | float | bool | None] = {}
    for (quantity, meter, component), runs in outcome.samples.groupby(["quantity", "meter", "component"]):
        if quantity in ("iteration_duration", "iteration_energy") and len(runs) > 1:
            key = _DURATION if quantity == "iteration_duration" else _energy_key(str(meter), str(component))
            _, *known = interval(runs["value"].to_numpy("float64"))
            found |= {f"{key}:{name}": value for name, value in zip(_INTERVAL, known, strict=True)}
    return found
