"""What an engine says of itself, what it is asked to do, and the work that comes of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.state import Epoch
    from baler_energy.codecs.container import Reader
    from baler_energy.data.table import Table
    from baler_energy.formats.reading import Request

__all__ = ["WARM_UP_BATCHES", "Asked", "Engine", "Learned", "Work"]

#: Batches of the work that runs before the window.
WARM_UP_BATCHES = 4
#: Rows that count as a batch for a codec that has none.
ROWS_WITHOUT_BATCHES = 2048


def _refuse_nothing(point: Parameters, training: Training) -> None:
    """Take every value of the parameters."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What an engine can do.

    Parameters
    ----------
    name
        In the study, records and tables.
    runs_as_baler
        Whether it costs what a user of Baler pays: chapters 1 and 2 report such an engine.
    precisions
        Values of the axis that it computes in.
    devices
        That it computes on.
    reads_files
        Whether it compresses files of every format, and makes such files again; else prepared tables only.
    profilers
        That see what it does; None: all.
    has_layers
        Whether its network is made of layers that can be measured apart.
    tunes_threads
        Whether ``threads: auto`` takes the number of the calibration.
    refuse
        Raises `InputError` for values of a point and of the training that it does not support.
    missing
        Says why it cannot run on this machine, and what to do; None: it can.
    """

    name: str
    runs_as_baler: bool
    precisions: tuple[str, ...] = ("float64", "float32")
    devices: tuple[str, ...] = ("cpu", "cuda")
    reads_files: bool = False
    profilers: tuple[str, ...] | None = ("cprofile",)
    has_layers: bool = False
    tunes_threads: bool = False
    refuse: Callable[[Parameters, Training], None] = _refuse_nothing
    missing: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an engine is asked to do.

    Parameters
    ----------
    data
        The table or file to train on or to compress, or the compressed file.
    out, target
        The folder that the result goes to, on whose file system temporary files belong, and the file to write.
    point, seed, threads, device
        The point, with the actual number of threads and device.
    training
        How to train.
    table
        The table in `data`, where it has been read.
    checkpoint
        File of the trained codec, to compress or decompress; None where there is no training.
    content
        The compressed file `data`, to decompress.
    request, file_format
        Which columns of a file to take, and its format where the suffix does not say it.
    """

    data: Path
    out: Path
    target: Path
    point: Parameters
    seed: int
    threads: int
    device: "torch.device"
    training: Training = field(default_factory=Training)
    table: "Table | None" = None
    checkpoint: Path | None = None
    content: "Reader | None" = None
    request: "Request | None" = None
    file_format: str | None = None

    def read_table(self) -> "Table":
        """Give the prepared table in `data`."""
        from baler_energy.data.table import Table

        return self.table or Table.read(self.data)

    @property
    def codec_file(self) -> Path:
        """File of the trained codec, which has to be given.

        Raises
        ------
        InputError
            It is not.
        """
        if self.checkpoint is None:
            raise InputError("--checkpoint is missing: name the checkpoint written by `baler-energy train`.")
        return self.checkpoint

    @property
    def compressed(self) -> "Reader":
        """The compressed file, which has to be given."""
        assert self.content is not None
        return self.content

    @property
    def few(self) -> int:
        """Rows of a warm-up."""
        return WARM_UP_BATCHES * (self.point.batch_size or ROWS_WITHOUT_BATCHES)


@dataclass(frozen=True, kw_only=True)
class Work:
    """An operation with everything before it done.

    Parameters
    ----------
    operation
        What is measured. Training takes a function to call at each epoch's end, and the keeper of its state.
    warm_up
        A small piece of it, before the window.
    finish
        Makes the result of what the operation returned, after the window: of a training `Learned`, of a compression the
        `Sizes` of the file, of a decompression the number of rows.
    origin, dtypes
        Of the table, as `Table.origin` and `Table.dtypes`; of a decompression, neither is needed.
    warnings
        What the user should know of it, after it has run.
    elsewhere
        Whether another process uses the device.
    synchronise
        Waits for the device that another process uses.
    running
        What has to run around the window, within the session.
    facts
        What the record says besides, from what the operation returned.
    saves_state
        Whether a long training can save its state and go on from it.
    """

    operation: Callable[..., Any]
    warm_up: Callable[[], object]
    finish: Callable[[Any], Any]
    origin: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Sequence[str] = ()
    warnings: Callable[[], list[str]] = list
    elsewhere: bool = False
    synchronise: Callable[[], None] | None = None
    running: Callable[[], AbstractContextManager[object]] = nullcontext
    facts: Callable[[Any], Mapping[str, Any]] = lambda result: {}
    saves_state: bool = False


@dataclass(frozen=True)
class Learned:
    """What a training gives.

    Parameters
    ----------
    codec
        The trained codec; its `write` makes the checkpoint.
    epochs
        Of the training, of which a duration may be unknown (NaN); none where it has no epochs.
    results
        What the record says of it besides.
    """

    codec: "Written"
    epochs: "tuple[Epoch, ...]"
    results: Mapping[str, str | int | float | bool | None]


class Written(Protocol):
    """Something that can be written to a file."""

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        ...
