"""The history of a training: a row per epoch."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.files import write_parquet

if TYPE_CHECKING:
    from baler_energy.meters.session import Session

__all__ = ["ENERGY", "History"]

#: Start of the names of columns with energies; "<meter>/<component>" follows.
ENERGY = "energy_j:"
#: Columns of every row; a training in closed form has no rows.
_COLUMNS = ("epoch", "loss", "duration_s")


class History:
    """Loss, duration and energies at the end of each epoch; energies count from the start of the iteration."""

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._start_j: dict[str, float] = {}
        self.rows: list[dict[str, Any]] = []

    def restart(self) -> None:
        """Start an iteration."""
        self.rows = []
        self._start_j = self._session.energies_j()

    def resume(self, rows: Sequence[dict[str, Any]]) -> None:
        """Continue after the epochs of an earlier process; its last energies are added to those of this one."""
        self.rows = [*rows]
        before_j = {name: rows[-1].get(f"{ENERGY}{name}") for name in self._start_j}
        self._start_j = {
            name: start_j - before for name, start_j in self._start_j.items() if (before := before_j[name]) is not None
        }

    def add(self, epoch: Any) -> None:
        """Add a row at the end of an epoch."""
        energies_j = self._session.energies_j()
        row = {"epoch": epoch.epoch, "loss": epoch.loss, "duration_s": epoch.duration_s}
        for name, start_j in self._start_j.items():
            row[f"{ENERGY}{name}"] = energies_j[name] - start_j if name in energies_j else None
        self.rows.append(row)

    def complete(self, epochs: Sequence[Any]) -> None:
        """Add the epochs of a training that did not report them while it ran."""
        if not self.rows:
            self.rows = [{"epoch": epoch.epoch, "loss": epoch.loss, "duration_s": epoch.duration_s} for epoch in epochs]

    def write(self, path: Path, window_start: datetime | None = None) -> None:
        """Write ``history.parquet``, of the run whose window began at `window_start`."""
        import pandas as pd

        rows = pd.DataFrame(self.rows) if self.rows else pd.DataFrame({name: [0.0] for name in _COLUMNS})[:0]
        write_parquet(path, rows, window_start)
