"""Comparing the modules that a command loads with those in its fingerprint."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from loaded_modules import loaded_by

from baler_energy import fingerprint
from baler_energy.variants import variant_modules

#: Loaded by every command, but without effect on what it computes.
COMMAND_LINE = {
    f"baler_energy.{name}" for name in ("cli", "warm", "forked", "fingerprint", "errors", "signals", "temporaries")
}
POINT = "toy/rows~400/epochs~1/repeat~0"
WINDOW = ["--min-window-s", "0", "--idle-s", "0", "--sample-interval-s", "0.02", "--meters"]


@dataclass(frozen=True)
class Files:
    """A finished study, and a folder to write to."""

    study: Path
    out: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Path:
        """Its results."""
        return self.study / "results" / "tiny"

    @property
    def table(self) -> Path:
        """A table."""
        return self.results / "data" / "toy" / "rows~400" / "table.npz"

    @property
    def checkpoint(self) -> Path:
        """A codec trained on the table."""
        return self.results / "runs" / POINT / "train" / "checkpoint.pt"

    @property
    def applied(self) -> list[str]:
        """Options of a stage that applies the codec to the table."""
        return ["--data", str(self.table), "--checkpoint", str(self.checkpoint), "--out", str(self.out)]


def check(
    made: Files, arguments: list[str | Path], *modules: str, codes: tuple[int, ...] = (0,), elsewhere: bool = False
) -> None:
    """Compare what a command and its modules load: both ways, or one way if other processes load the rest."""
    compare(loaded(made, arguments, codes=codes), *modules, elsewhere=elsewhere)


def loaded(
    made: Files, arguments: list[str | Path], *, program: str = "baler_energy.cli", codes: tuple[int, ...] = (0,)
) -> set[str]:
    """Run a command, and return what it loads."""
    code, names = loaded_by([str(word) for word in arguments], made.environment, program)
    assert code in codes
    return names


def compare(names: set[str], *modules: str, elsewhere: bool = False, checked: tuple[str, ...] = ()) -> None:
    """Compare the modules that were loaded and those that `modules` load, as in `check`.

    Modules that are only loaded to check an option, `checked`, need not be in the fingerprint.
    """
    behind = fingerprint.modules_behind(*modules)
    names = names - (fingerprint.modules_behind(*checked) - behind)
    assert names - behind - COMMAND_LINE - fingerprint.REGISTRIES == set(), "loaded, but not in the fingerprint"
    assert elsewhere or (behind & variant_modules()) - names == set(), "in the fingerprint, but not loaded"


def codec(
    engine: str | None = "reference",
    transform: str = "baler",
    packing: str = "none",
    *,
    start: str | None = None,
    schedule: str | None = None,
    optimizer: str | None = "adam",
    pruning: str | None = None,
    runtime: str | None = None,
) -> SimpleNamespace:
    """Name a codec."""
    learning = {"start": start, "schedule": schedule, "optimizer": optimizer, "pruning": pruning}
    return SimpleNamespace(transform=transform, engine=engine, packing=packing, runtime=runtime, **learning)


def options(engine: str, operation: str | None = None) -> list[str]:
    """Options of a point."""
    stage = [] if operation is None else [operation]
    return [*stage, "--engine", engine, "--device", "cpu", "--threads", "1", "--epochs", "1"]
