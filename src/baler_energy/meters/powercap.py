"""RAPL counters from the Linux kernel's powercap folders, or through pyRAPL."""

import logging
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.provenance import cpu_vendor, virtualised
from baler_energy.vocabulary import Evidence

__all__ = ["POWERCAP", "Domain", "absence", "domain_channel", "find_domains", "pyrapl_reader"]

POWERCAP = Path("/sys/class/powercap")

_PACKAGE = re.compile(r"package-(\d+)(-die-\d+)?")
_PART = re.compile(r"core|uncore|dram")
_ENABLE = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"


@dataclass(frozen=True)
class Domain:
    """One RAPL counter."""

    component: str
    """Name from the vocabulary: ``package-0``, ``dram-0``, ``psys``."""
    folder: Path
    max_uj: int
    """Count (microjoule) at which it wraps to zero."""

    def read_uj(self) -> int:
        """Read the counter (microjoule).

        Raises
        ------
        OSError
            The file cannot be read.
        ValueError
            The file does not contain a number.
        """
        # Path and a file object would take five times as long, for every sample of every counter.
        descriptor = os.open(f"{self.folder}/energy_uj", os.O_RDONLY)
        try:
            return int(os.read(descriptor, 64))
        finally:
            os.close(descriptor)


def find_domains(root: Path = POWERCAP) -> list[Domain]:
    """Find the RAPL counters by their names.

    Only the control type ``intel-rapl`` is used (for AMD processors too). A package may appear again as
    ``intel-rapl-mmio``; counting both would double its energy.

    Parameters
    ----------
    root
        The kernel's powercap folder.

    Returns
    -------
    list of Domain
        Packages (or dies), their core, uncore and dram parts, and psys, in order, without duplicates.
    """
    found: dict[str, Domain] = {}
    for folder in sorted(root.glob("intel-rapl:*"), key=_numbers):
        if folder.name.count(":") != 1:
            continue
        name = _text(folder / "name")
        _add(found, name if name == "psys" or _PACKAGE.fullmatch(name) else "", folder)
        owner = _PACKAGE.fullmatch(name)
        # The parts are inside the package's folder; links to them are next to it.
        for part in sorted((*folder.glob(f"{folder.name}:*"), *root.glob(f"{folder.name}:*")), key=_numbers):
            kind = _text(part / "name")
            if owner and _PART.fullmatch(kind):
                _add(found, f"{kind}-{owner[1]}{owner[2] or ''}", part)
    return list(found.values())


def domain_channel(domain: Domain) -> Channel:
    """Report whether a counter can be read, and how to make it readable."""
    try:
        domain.read_uj()
    except PermissionError:
        return Channel(
            domain.component,
            None,
            f"no permission to read {domain.folder / 'energy_uj'}",
            f"{_ENABLE} (until the next boot; permanently: a line 'z /sys/class/powercap/intel-rapl:*/energy_uj 0444' "
            "in /etc/tmpfiles.d/rapl.conf)",
        )
    except (OSError, ValueError) as error:
        return Channel(domain.component, None, f"{domain.folder / 'energy_uj'} cannot be read: {error}")
    return Channel(domain.component, Evidence.MEASURED, f"RAPL counter {domain.folder.name}")


def absence() -> Channel:
    """Report why this machine has no RAPL counters."""
    remedy = None
    if virtualised():
        detail = "this is a virtual machine whose host does not pass RAPL counters through"
        remedy = "run on bare metal, or ask the host's administrator"
    elif cpu_vendor() not in ("GenuineIntel", "AuthenticAMD"):
        detail = "only Intel and AMD processors have RAPL counters"
    else:
        detail = "the kernel shows no RAPL counters under /sys/class/powercap"
        remedy = "sudo modprobe intel_rapl_msr (in a container: pass /sys/class/powercap in)"
    return Channel("cpu", None, detail, remedy)


def pyrapl_reader(domains: list[Domain]) -> Callable[[], dict[str, int]] | None:
    """Make a reader of the package and dram counters through pyRAPL's `Sensor`, or None if pyRAPL cannot read them.

    pyRAPL does not support dies, uncore and psys. It raises, sometimes with an empty message, if a file is missing or
    unreadable. It is only used if it reads exactly the kernel's package and dram domains.

    Parameters
    ----------
    domains
        The counters that `find_domains` found in the kernel's folder.

    Returns
    -------
    callable or None
        Returns the counts (microjoule) by component.
    """
    wanted = {domain.component for domain in domains if re.fullmatch(r"(package|dram)-\d+", domain.component)}
    try:
        with warnings.catch_warnings():  # pyRAPL's source has an invalid escape, about which newer Pythons warn
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)  # it warns that a database package is missing, which is not needed
            try:
                from pyRAPL import Sensor
            finally:
                logging.disable(logging.NOTSET)

            sensor = Sensor()

        def read() -> dict[str, int]:
            counts = sensor.energy()
            return {
                f"{kind}-{position // 2}": int(count)
                for position, count in enumerate(counts)
                if (kind := ("package", "dram")[position % 2]) and count >= 0
            }

        return read if wanted and set(read()) == wanted else None
    except Exception:  # on any error in pyRAPL, the kernel's files are read instead
        return None


def _add(found: dict[str, Domain], component: str, folder: Path) -> None:
    limit = _text(folder / "max_energy_range_uj")
    if component and component not in found and limit.isdigit() and int(limit) > 0:
        found[component] = Domain(component, folder, int(limit))


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
