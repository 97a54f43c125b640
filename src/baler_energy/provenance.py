"""What a record was made with: machine, software, source fingerprint, time and SLURM job."""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from baler_energy import slurm
from baler_energy.cores import allowed_cpus
from baler_energy.fingerprint import package_versions, source_hash
from baler_energy.forked import forked
from baler_energy.system_files import system_text
from baler_energy.variants import FORMATS, GENERATORS

__all__ = [
    "POWERCAP",
    "SIMULATED",
    "boot_id",
    "cpu_model",
    "cpu_vendor",
    "frequency_policy",
    "machine",
    "provenance",
    "simulated",
    "software",
    "virtualised",
]

_PACKAGES = (
    "baler-energy", "numpy", "torch", "pandas", "pyarrow", "scipy", "pydantic", "psutil",
    "snakemake", "matplotlib", "mplhep",
)  # fmt: skip
#: Variables that control how OpenMP's threads wait for each other and where they run; null: the runtime's default.
_OPENMP = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_PROC_BIND", "OMP_DYNAMIC")
#: Where the Linux kernel shows the energy counters that RAPL, codecarbon and other tools read.
POWERCAP = Path("/sys/class/powercap")
#: Marks a simulated machine, as the tests have one: a file of this name next to its counters, and a word in the version
#: of its NVIDIA driver. No kernel and no driver has it.
SIMULATED = "simulated"


def provenance(stage: str, *variants: str) -> dict[str, Any]:
    """Return the provenance of a record.

    Parameters
    ----------
    stage, *variants
        Modules of the stage and of the variants that it ran with (`sources`), whose source is hashed.
    """
    return {
        "time": datetime.now(UTC).isoformat(),
        "stage": stage,
        "source": source_hash(stage, *variants),
        "forked": forked(),
        "machine": machine(),
        "software": software(stage, *variants),
        "openmp": {name: os.environ.get(name) for name in _OPENMP},
        "slurm": slurm.job(),
    }


def machine() -> dict[str, Any]:
    """Describe the machine; unknown values are null."""
    return {
        "hostname": platform.node(),
        "boot_id": boot_id() or None,
        "os": platform.platform(),
        "architecture": platform.machine(),
        "cpu_model": cpu_model(),
        "logical_cpus": os.cpu_count(),
        "usable_cpus": allowed_cpus(),
        "physical_cpus": psutil.cpu_count(logical=False),
        **frequency_policy(),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "virtualised": virtualised(),
    }


def software(*modules: str) -> dict[str, str | None]:
    """Return the versions of Python, of the packages that our modules and file formats use, and of other relevant ones.

    Null: not installed.
    """
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    # Which format a file has only shows when it is read, and who generated a table only in the table.
    others = (kind.module for kinds in (FORMATS, GENERATORS) for kind in kinds.values())
    versions |= package_versions(*modules, *others)
    # Only torch's own version names the build (CPU or CUDA); torch is not imported just for this.
    torch = sys.modules.get("torch")
    if torch is not None:
        versions["torch"] = str(torch.__version__)
    return versions


def boot_id() -> str:
    """Return the kernel's identifier of this boot (empty if unknown)."""
    return system_text(Path("/proc/sys/kernel/random/boot_id"))


def cpu_model() -> str | None:
    """Return the CPU's name as reported by the kernel."""
    return _cpuinfo().get("model name") or platform.processor() or None


def cpu_vendor() -> str | None:
    """Return the CPU's vendor identifier (``GenuineIntel``, ``AuthenticAMD``)."""
    return _cpuinfo().get("vendor_id")


def virtualised() -> bool | None:
    """Return whether this is a virtual machine; None if the kernel does not report it (only x86 does)."""
    flags = _cpuinfo().get("flags")
    return None if flags is None else "hypervisor" in flags.split()


def simulated(powercap: Path = POWERCAP) -> bool:
    """Return whether the energy counters of this machine are those of a simulated one.

    Parameters
    ----------
    powercap
        The folder of the counters.
    """
    return (powercap / SIMULATED).exists()


def frequency_policy(root: Path = Path("/sys/devices/system/cpu")) -> dict[str, Any]:
    """Read the frequency governor and the state of turbo; null if the kernel does not report them.

    Parameters
    ----------
    root
        The kernel's folder for CPUs.
    """
    governors = {*map(system_text, root.glob("cpu[0-9]*/cpufreq/scaling_governor"))} - {""}
    no_turbo = system_text(root / "intel_pstate" / "no_turbo")
    boost = system_text(root / "cpufreq" / "boost")
    turbo = None
    if no_turbo:
        turbo = no_turbo == "0"
    elif boost:
        turbo = boost == "1"
    return {"governor": "+".join(sorted(governors)) or None, "turbo": turbo}


def _gpus() -> list[dict[str, Any]]:
    from baler_energy.meters.gpus import describe_gpus

    return describe_gpus()


def _cpuinfo() -> dict[str, str]:
    """Read the first processor's block of /proc/cpuinfo."""
    block = system_text(Path("/proc/cpuinfo")).split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
