"""RAPL counters from the Linux kernel's powercap folders, or through pyRAPL."""

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.provenance import POWERCAP, cpu_vendor, virtualised
from baler_energy.quiet import without_logs
from baler_energy.system_files import system_text
from baler_energy.vocabulary import Evidence

__all__ = ["CPUS", "POWERCAP", "SUMS", "Domain", "find_channels", "find_domains", "pyrapl_reader"]

CPUS = Path("/sys/devices/system/cpu")
#: The sums, and patterns of their components.
SUMS = {"cpu": re.compile(r"package-"), "dram": re.compile(r"dram-")}

_PACKAGE = re.compile(r"package-(\d+)(-die-\d+)?")
_PART = re.compile(r"core|uncore|dram")
#: The platform; with several sockets, the kernel adds the number of the socket (drivers/powercap/intel_rapl_common.c).
_PLATFORM = re.compile(r"psys(-\d+)?")
#: A domain may use this many times the largest of its power limits for a moment, and `_LEAST_LIMIT_W` in any case: a
#: short-term limit is up to four times the TDP, and not every kernel reports it.
_MARGIN, _LEAST_LIMIT_W = 4.0, 100.0
#: A power limit above this is not believed (W): boards set 4095 W for "no limit", and the units of some processors are
#: misread, so that a TDP of 6 W becomes thousands of watts (Intel's Atoms: github.com/powercap/raplcap, issue 13).
_CREDIBLE_LIMIT_W = 1000.0
_ENABLE = "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj"


@dataclass(frozen=True)
class Domain:
    """One RAPL counter."""

    component: str
    """Name from the vocabulary: ``package-0``, ``dram-0``, ``psys``."""
    folder: Path
    max_uj: int
    """Count (microjoule) at which it wraps to zero."""
    limit_w: float | None = None
    """Power (W) that it cannot exceed, from its power limits; None if the kernel shows no credible one."""

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
    return list(_Scan(root).found.values())


def find_channels(root: Path = POWERCAP, cpus: Path | None = None) -> list[Channel]:
    """Report which counters and sums can be read; what is doubtful is absent, with the reason.

    A sum is absent if any of its parts is, because it would be too low.

    Parameters
    ----------
    root
        The kernel's powercap folder.
    cpus
        The kernel's folder of CPUs, whose packages must all have a counter; None: not checked.
    """
    scan = _Scan(root)
    if not scan.found and not scan.doubts:
        return [_absence()]
    if cpus is not None:
        scan.compare(cpus)
    names = [name for name in dict.fromkeys((*scan.found, *scan.doubts)) if name not in SUMS]
    channels = [
        Channel(name, None, scan.doubts[name]) if name in scan.doubts else _domain_channel(scan.found[name])
        for name in names
    ]
    return [*channels, *_sum_channels(channels, scan.doubts)]


class _Scan:
    """The counters in a powercap folder, and why some of them, or sums over them, are not believed."""

    def __init__(self, root: Path) -> None:
        self.found: dict[str, Domain] = {}
        self.doubts: dict[str, str] = {}
        """Reasons, by component or sum."""
        self._folders: dict[str, list[str]] = {}
        self._packages: dict[str, bool] = {}
        for folder in sorted(root.glob("intel-rapl:*"), key=_numbers):
            if folder.name.count(":") == 1:
                self._top(folder, root)
        for component, names in self._folders.items():
            if len(names) > 1:
                self._doubt(component, reason=f"several RAPL counters have the same name: {', '.join(names)}")
        if len(set(self._packages.values())) > 1:
            without = ", ".join(name for name, has_dram in self._packages.items() if not has_dram)
            self._doubt("dram", reason=f"{without} has no dram counter, but other packages have one")

    def compare(self, cpus: Path) -> None:
        """Doubt the sums if a package with CPUs has no counter."""
        for topology in sorted(cpus.glob("cpu[0-9]*/topology"), key=_numbers):
            package, die = (system_text(topology / name) for name in ("physical_package_id", "die_id"))
            if package.isdigit() and not {f"package-{package}", f"package-{package}-die-{die}"} & set(self._folders):
                self._doubt(*SUMS, reason=f"the machine has a package {package}, for which there is no RAPL counter")

    def _top(self, folder: Path, root: Path) -> None:
        name = system_text(folder / "name")
        owner = _PACKAGE.fullmatch(name)
        if not owner:
            if _PLATFORM.fullmatch(name):
                self._add("psys", folder)
            else:
                self._doubt(*SUMS, reason=f"the RAPL counter {folder.name} has the unknown name {name!r}")
            return
        self._add(name, folder)
        self._packages[folder.name] = False
        # The parts are inside the package's folder; links to them are next to it.
        parts = {part.name: part for place in (root, folder) for part in place.glob(f"{folder.name}:*")}
        for part in sorted(parts.values(), key=_numbers):
            kind = system_text(part / "name")
            if _PART.fullmatch(kind):
                self._add(f"{kind}-{owner[1]}{owner[2] or ''}", part)
                self._packages[folder.name] |= kind == "dram"
            else:
                self._doubt("dram", reason=f"the RAPL counter {part.name} has the unknown name {kind!r}")

    def _add(self, component: str, folder: Path) -> None:
        self._folders.setdefault(component, []).append(folder.name)
        limit = system_text(folder / "max_energy_range_uj")
        if not limit.isdecimal() or int(limit) == 0:
            file = folder / "max_energy_range_uj"
            self._doubt(component, reason=f"{file} is {limit!r}, not the count at which the counter wraps")
        elif component not in self.found:
            self.found[component] = Domain(component, folder, int(limit), _limit_w(folder))

    def _doubt(self, *components: str, reason: str) -> None:
        for component in components:
            self.doubts.setdefault(component, reason)


def _limit_w(folder: Path) -> float | None:
    """Return the power (W) that a domain cannot exceed: a multiple of the largest of its credible power limits.

    ``max_power_uw`` of the long-term constraint is the TDP; 0 means unknown or no limit.
    """
    files = (file for kind in ("power_limit", "max_power") for file in folder.glob(f"constraint_*_{kind}_uw"))
    limits_w = [int(text) * 1e-6 for text in map(system_text, files) if text.isdecimal()]
    credible_w = [limit_w for limit_w in limits_w if 0 < limit_w <= _CREDIBLE_LIMIT_W]
    return max(_LEAST_LIMIT_W, _MARGIN * max(credible_w)) if credible_w else None


def _sum_channels(channels: Sequence[Channel], doubts: Mapping[str, str]) -> list[Channel]:
    sums = []
    for total, kind in SUMS.items():
        parts = [channel for channel in channels if kind.match(channel.component)]
        lost = [channel for channel in parts if not channel.evidence]
        if total in doubts:
            sums.append(Channel(total, None, doubts[total]))
        elif lost:
            sums.append(Channel(total, None, lost[0].detail, lost[0].remedy))
        elif parts:
            names = " + ".join(channel.component for channel in parts)
            sums.append(Channel(total, Evidence.MEASURED, f"sum of {names}"))
        elif total == "cpu":
            sums.append(Channel(total, None, "the kernel shows no RAPL counter of a package"))
    return sums


def _domain_channel(domain: Domain) -> Channel:
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


def _absence() -> Channel:
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
        # pyRAPL's source has an invalid escape, about which newer Pythons warn.
        with warnings.catch_warnings(action="ignore"):
            with without_logs():  # it warns that a database package is missing, which is not needed
                from pyRAPL import Sensor

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


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.name)]
