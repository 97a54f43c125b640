"""Stage ``doctor``: report what this machine can measure."""

import argparse
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psutil

from baler_energy import slurm
from baler_energy.meters.base import Channel, Meter, channels_of, unreadable
from baler_energy.meters.options import make_meters
from baler_energy.meters.sharing import Sharing
from baler_energy.provenance import machine
from baler_energy.stages.file_options import number_type
from baler_energy.vocabulary import CONTAMINATION_LIMIT, STUDY_METERS, Evidence

__all__ = ["EPILOG", "HELP", "add_arguments", "diagnose", "report", "run"]

HELP = "report what this machine can measure, and how to enable more"
EPILOG = """\
examples:
  baler-energy doctor
  baler-energy doctor --json > machine.json
  baler-energy doctor --slurm                                  a one-minute job on each partition of the cluster
  baler-energy doctor --slurm --partition gpu --account phys   only on this one, charged to an account

With --slurm, run it from a folder that the nodes share. It ends with what to ask an administrator for."""

_GOVERNOR = "sudo cpupower frequency-set -g performance"
_TURBO = "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
_BOOST = "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the stage's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs instead of text")
    group = parser.add_argument_group("on a cluster")
    group.add_argument("--slurm", action="store_true", help="check a node of each partition with a one-minute job")
    group.add_argument("--partition", nargs="+", metavar="NAME", help="partitions to check (default: all that are up)")
    group.add_argument("--account", metavar="NAME", help="SLURM account of the jobs")
    group.add_argument(
        "--wait-s",
        type=number_type(0),
        default=300.0,
        metavar="S",
        help="longest wait for the jobs (default: %(default)g)",
    )


def run(args: argparse.Namespace) -> None:
    """Run the stage from the command line."""
    if args.slurm:
        from baler_energy.stages.doctor_slurm import diagnose_cluster, report_cluster

        answers = diagnose_cluster(args.partition, account=args.account, wait_s=args.wait_s)
        print(json.dumps(answers, indent=2) if args.json else report_cluster(answers))
        return
    findings = diagnose(make_meters(STUDY_METERS))
    print(json.dumps(findings, indent=2) if args.json else report(findings))


def diagnose(meters: Sequence[Meter]) -> dict[str, Any]:
    """Check what `meters` can read here, and what may disturb a measurement.

    Parameters
    ----------
    meters
        The meters, unopened. Those that can read something are opened briefly, because some (codecarbon) only know
        how they read it when open.

    Returns
    -------
    dict
        ``meters`` (a list of meter, component, evidence or null, detail, remedy, energy), ``machine`` as in
        provenance, ``slurm`` (the job, null outside of SLURM), ``load`` (runnable processes over one minute, null
        where unknown), ``memory_available_bytes``, ``evidence`` (of a study's energy here: measured or modelled;
        null without energy) and ``conclusion``.
    """
    lines = [
        {
            "meter": str(meter.name),
            "component": channel.component,
            "evidence": None if channel.evidence is None else str(channel.evidence),
            "detail": channel.detail,
            "remedy": channel.remedy,
            "energy": channel.energy,
        }
        for meter in meters
        for channel in _channels(meter)
    ]
    evidences = {line["evidence"] for line in lines if line["energy"]}
    evidence = next((word for word in (Evidence.MEASURED, Evidence.MODELLED) if word in evidences), None)
    return {
        "meters": lines,
        "machine": machine(),
        "slurm": slurm.job(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "memory_available_bytes": psutil.virtual_memory().available,
        "evidence": None if evidence is None else str(evidence),
        "conclusion": _conclusion(lines),
    }


def report(findings: dict[str, Any]) -> str:
    """Write the findings of `diagnose` as text."""
    return "\n".join(
        [
            "Meters",
            *(text for line in findings["meters"] for text in _meter_lines(line)),
            "",
            "Machine",
            *_machine_lines(findings),
            "",
            findings["conclusion"],
        ]
    )


def _channels(meter: Meter) -> Sequence[Channel]:
    channels = channels_of(meter)
    if unreadable(channels):
        return channels
    try:
        meter.open()
        return meter.channels()
    except Exception as error:
        detail = f"it could not be opened: {error}"
        return [Channel(channel.component, None, detail, energy=channel.energy) for channel in channels]
    finally:
        with suppress(Exception):  # the report only concerns what it can read
            meter.close()


def _meter_lines(line: dict[str, Any]) -> list[str]:
    state = line["evidence"] or "absent"
    lines = [f"  {line['meter']:<14}{line['component']:<14}{state:<10}{line['detail']}"]
    if line["remedy"]:
        lines.append(f"{'':40}to enable it: {line['remedy']}")
    return lines


def _machine_lines(findings: dict[str, Any]) -> list[str]:
    host = findings["machine"]
    virtual = " (virtual machine)" if host["virtualised"] else ""
    cores = f"{host['physical_cpus'] or '?'} cores, {host['logical_cpus']} logical CPUs"
    lines = [
        f"  CPU        {host['cpu_model'] or 'unknown'}, {cores}{virtual}",
        f"  governor   {_governor_text(host['governor'])}",
        f"  turbo      {_turbo_text(host['turbo'])}",
        f"  memory     {_gb(host['memory_bytes'])}, {_gb(findings['memory_available_bytes'])} available",
    ]
    lines += _gpu_lines(host["gpus"])
    if findings["load"] is not None:
        busy = findings["load"] > CONTAMINATION_LIMIT * host["logical_cpus"]
        hint = ": other processes are running, which machine-wide counters would see" if busy else ""
        lines.append(f"  load       {findings['load']:.2f}{hint}")
    return lines


def _gpu_lines(gpus: Sequence[dict[str, Any]]) -> list[str]:
    lines, remedies = [], {str(reason): reason.remedy for reason in Sharing}
    for gpu in gpus:
        lines.append(f"  GPU {gpu['index']:<7}{gpu['name']}, driver {gpu['driver']}")
        lines += [
            f"{'':13}runs on it are flagged, as their energy is not attributable: {words} (to fix it: "
            f"{remedies[words]})"
            for words in gpu["not_attributable"] or ()
        ]
        if gpu["compute_mode"] == "prohibited":
            lines.append(
                f"{'':13}processes cannot compute on it (to allow them: sudo nvidia-smi -i {gpu['index']} -c DEFAULT)"
            )
    if len(gpus) > 1:
        lines.append(f"{'':13}a run uses and measures only CUDA's first GPU (CUDA_VISIBLE_DEVICES=<UUID> selects one)")
    return lines or ["  GPU        none visible to NVML"]


def _governor_text(governor: str | None) -> str:
    if governor is None:
        return "not reported by the kernel (as in most virtual machines)"
    if governor == "performance":
        return governor
    return f"{governor} (for steady clocks: {_GOVERNOR})"


def _turbo_text(turbo: bool | None) -> str:
    if turbo is None:
        return "not reported by the kernel (as in most virtual machines)"
    return f"on (for steady clocks: {_TURBO}, or on AMD: {_BOOST})" if turbo else "off"


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def _named(lines: Sequence[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(f"{line['component']} ({line['meter']})" for line in lines))


def _conclusion(lines: Sequence[dict[str, Any]]) -> str:
    energy = [line for line in lines if line["energy"]]
    measured = [line for line in energy if line["evidence"] == Evidence.MEASURED]
    if measured:
        names = _named(measured)
        return f"A study on this machine will measure {names}. All other energies are modelled and kept separate."
    modelled = [line for line in energy if line["evidence"]]
    if modelled:
        return (
            f"A study on this machine can only model energy, that of {_named(modelled)}, since no hardware counter can "
            "be read. Models miss differences that they do not include."
        )
    return "A study on this machine will report no energy: no meter can measure or model it."
