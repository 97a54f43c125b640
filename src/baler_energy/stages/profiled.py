"""The operation that a profiler watches: the codec on the first batches of a table."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.codecs.baler.settings import TrainingSettings
from baler_energy.codecs.engines import operation_of, operations_of, profiles_itself
from baler_energy.codecs.engines.base import ROWS_WITHOUT_BATCHES, Asked, Work
from baler_energy.config.measuring import Profile, default_of
from baler_energy.config.parameters import Training
from baler_energy.data.table import Table
from baler_energy.stages.options import PointOptions, configure_torch

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.in_memory import InMemoryCodec
    from baler_energy.codecs.container import Reader

__all__ = ["PROFILED_WARM_UP_BATCHES", "Job"]

PROFILED_WARM_UP_BATCHES = 2


@dataclass(frozen=True)
class Job:
    """An operation on at most `max_batches` batches of a table.

    Parameters
    ----------
    data, checkpoint
        The table; the trained codec, which compress and decompress need.
    operation
        ``train`` (one epoch), ``compress`` or ``decompress``.
    max_batches
        Most batches, of the point's batch size or, for a codec without batches, `ROWS_WITHOUT_BATCHES`.
    point
        The point of the grid.
    folder
        Folder for the operation's files.
    time_limit_s
        Time limit of the profiler (s).
    rows
        First rows of the table that the job sees; None: all.
    """

    data: Path
    checkpoint: Path | None
    operation: str
    max_batches: int
    point: PointOptions
    folder: Path
    time_limit_s: int = default_of(Profile, "time_limit_s")
    rows: int | None = None

    @cached_property
    def table(self) -> Table:
        """The table, or its first `rows`."""
        return Table.read(self.data).first(self.rows)

    @cached_property
    def device(self) -> "torch.device":
        """The device, with torch's threads set for this process."""
        return configure_torch(self.point)

    @property
    def batches(self) -> int:
        """Number of batches that run."""
        return min(self.max_batches, -(-len(self.table.data) // self._batch_rows))

    @property
    def _batch_rows(self) -> int:
        return self.point.batch_size or ROWS_WITHOUT_BATCHES

    def parameters(self) -> dict[str, Any]:
        """Columns that describe the point, and the operation."""
        rows, columns = self.table.data.shape
        known = self.point.parameters(source=self.table.origin.get("source"), rows=rows, columns=columns)
        return known | {"operation": self.operation}

    @property
    def architecture(self) -> Architecture:
        """The network at the start of training."""
        return Architecture.of(self.point.model, self.table.data.shape[1], self.point.compression_ratio)

    @property
    def settings(self) -> TrainingSettings:
        """The point's own settings of the training, for one epoch."""
        return TrainingSettings.of(self._one_epoch, self.point.seed, Training())

    def part(self, batches: int) -> Table:
        """First batches of the table."""
        return self.table.first(batches * self._batch_rows)

    def of_batches(self, batches: int) -> Callable[[], object]:
        """Set up the operation on the first batches and return it; it waits for its work on the GPU.

        Raises
        ------
        InputError
            There is no checkpoint, or it contradicts the point.
        """
        table = self.part(batches)
        path = self.folder / f"{len(table.data)}.npz"
        compressed, back = path.with_suffix(".baler"), path.with_suffix(".back.npz")
        table.write(path)
        if self.operation == "train":
            train = self._work("train", self.asked(path, self.folder / "codec", table)).operation
            return _waiting(partial(train, _ignore, None), self.device)
        compress = self._work("compress", self.asked(path, compressed, table)).operation
        if self.operation == "compress":
            return _waiting(compress, self.device)
        compress()
        asked = replace(self.asked(compressed, back, table), content=_reader(compressed))
        return _waiting(self._work("decompress", asked).operation, self.device)

    def _work(self, operation: str, asked: Asked) -> Work:
        """Set up an engine's work; its files stay open until the job is closed."""
        # The functions are named after the operations: training, compressing, decompressing.
        set_up = getattr(operation_of(self.point, operation), f"{operation}ing")
        work: Work = self._open.enter_context(set_up(asked))
        return work

    def asked(self, data: Path, target: Path, table: Table) -> Asked:
        """Make the request to an engine for a table, or for a file made from it."""
        return self._one_epoch.asked(data, target, self.device, table=table, checkpoint=self.checkpoint)

    @property
    def _one_epoch(self) -> PointOptions:
        return self.point.changed(epochs=1)

    @cached_property
    def _open(self) -> ExitStack:
        return ExitStack()

    def close(self) -> None:
        """Close the files of the job's operations."""
        self._open.close()

    def check(self) -> None:
        """Refuse a job that cannot run, before any device is used.

        Raises
        ------
        InputError
            There is no checkpoint where one is needed, or it contradicts the point.
        """
        if self.operation != "train" and "train" in operations_of(self.point):
            module = operation_of(self.point, "profile" if profiles_itself(self.point) else self.operation)
            module.checkpoint_of(self._unread)

    @cached_property
    def codec(self) -> "InMemoryCodec":
        """The trained codec of engine ``reference``, on the device."""
        from baler_energy.codecs.baler.in_memory import InMemoryCodec, checkpoint_of

        return InMemoryCodec(checkpoint_of(self._unread), self.device, self.point.batch_size, self.point.packing)

    @property
    def _unread(self) -> Asked:
        """The request to an engine, without the table."""
        return self.point.asked(self.data, self.folder, self.device, checkpoint=self.checkpoint)

    @property
    def repetitions(self) -> Path:
        """File in which another process writes how often it ran the operation."""
        return self.folder / "repetitions"

    def dumps(self) -> str:
        """Write the job as text, for another process."""
        words = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(words | {"point": self.point.model_dump()}, default=str)

    @classmethod
    def loads(cls, text: str) -> "Job":
        """Read what `dumps` wrote."""
        words = json.loads(text)
        paths = {name: Path(words[name]) for name in ("data", "folder")}
        checkpoint = None if words["checkpoint"] is None else Path(words["checkpoint"])
        return cls(**words | paths | {"checkpoint": checkpoint, "point": PointOptions(**words["point"])})


def _reader(path: Path) -> "Reader":
    from baler_energy.codecs.container import Reader

    return Reader(path)


def _ignore(epoch: object) -> None:
    """Ignore the end of an epoch."""


def _waiting(operation: Callable[[], object], device: "torch.device") -> Callable[[], object]:
    """Make an operation wait for its work on the GPU."""
    if device.type != "cuda":
        return operation
    import torch

    def waiting() -> None:
        operation()
        torch.cuda.synchronize()

    return waiting
