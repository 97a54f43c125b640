"""What an engine supports, what it is asked to do, and the work that it prepares."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from baler_energy.codecs.precisions import NUMBER_TYPES
from baler_energy.config.parameters import Parameters, Training
from baler_energy.errors import InputError
from baler_energy.variants import PREPARED

if TYPE_CHECKING:
    import torch

    from baler_energy.codecs.baler.architecture import Architecture
    from baler_energy.codecs.baler.state import Epoch
    from baler_energy.codecs.container import Reader
    from baler_energy.data.table import Table
    from baler_energy.formats.reading import Request

__all__ = ["ROWS_WITHOUT_BATCHES", "WARM_UP_BATCHES", "Asked", "Engine", "Learned", "Work"]

#: Batches of the warm-up, which runs before the window.
WARM_UP_BATCHES = 4
#: Rows that count as a batch for a codec without batches.
ROWS_WITHOUT_BATCHES = 2048


def _without_products(operation: str, parameters: Mapping[str, Any]) -> int | str:
    return "the codec has no network"


def _refuse_nothing(point: Parameters, training: Training) -> None:
    """Accept all values."""


def _without_layers(parameters: Mapping[str, Any]) -> "Architecture | str | None":
    return None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What an engine supports.

    Parameters
    ----------
    name
        Its name in the study, records and tables.
    runs_as_baler
        Whether its cost is what a user of Baler pays: chapters 1 and 2 report these engines.
    precisions
        Supported values of the axis ``precision``.
    devices
        Supported devices.
    reads_files
        Whether it compresses files of every format and restores them in that format; otherwise only prepared tables.
    profilers
        Profilers that support it; None: all. Without any, it cannot be profiled.
    has_layers
        Whether its network consists of layers that can be measured separately.
    macs
        Returns the multiply-accumulates per row of the table, in training per epoch, in the matrix products of an
        operation, from the record's parameters (null where they do not apply); or the reason why they are unknown.
    layers
        Returns the layers of its network, from the same parameters; or the reason why they are unknown; None: it has no
        network.
    reasons
        Why it only supports the default of a parameter (`config.parameters.AppliesTo`), by name, for messages.
    refuse
        Raises `InputError` for other unsupported values of a point or of the training.
    missing
        Returns why it cannot run on this machine, and what to do; None: it can run.
    versions
        Returns versions of what it runs outside this Python environment, on which its results depend; it must not be
        missing.
    """

    name: str
    runs_as_baler: bool
    precisions: tuple[str, ...] = NUMBER_TYPES
    devices: tuple[str, ...] = ("cpu", "cuda")
    reads_files: bool = False
    profilers: tuple[str, ...] | None = ()
    has_layers: bool = False
    macs: Callable[[str, Mapping[str, Any]], int | str] = _without_products
    layers: Callable[[Mapping[str, Any]], "Architecture | str | None"] = _without_layers
    reasons: Mapping[str, str] = field(default_factory=dict)
    refuse: Callable[[Parameters, Training], None] = _refuse_nothing
    missing: Callable[[], str | None] = lambda: None
    versions: Callable[[], Mapping[str, str | None]] = dict


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an engine is asked to do.

    Parameters
    ----------
    data
        The table or file to train on or to compress, or the compressed file.
    out, target
        The folder of the result, whose file system also holds temporary files; and the file to write.
    point, seed, threads, device
        The point, with the actual number of threads and device.
    training
        How to train.
    table
        The table in `data`, if it has already been read.
    checkpoint
        File of the trained codec, for compressing and decompressing; None if the codec is not trained.
    content
        The compressed file in `data`, for decompressing.
    request, file_format
        Which columns of a file to read, and its format if the suffix does not show it.
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
        """File of the trained codec, which is required.

        Raises
        ------
        InputError
            It was not given.
        """
        if self.checkpoint is None:
            raise InputError("--checkpoint is missing: name the checkpoint written by `baler-energy train`.")
        return self.checkpoint

    @property
    def compressed(self) -> "Reader":
        """The compressed file, which is required."""
        assert self.content is not None
        return self.content

    @property
    def warm_up_rows(self) -> int:
        """Number of rows in a warm-up."""
        return WARM_UP_BATCHES * (self.point.batch_size or ROWS_WITHOUT_BATCHES)


@dataclass(frozen=True, kw_only=True)
class Work:
    """An operation that is ready to be measured.

    Parameters
    ----------
    operation
        The measured function. For training it takes a function to call at each epoch's end, and the state's keeper.
    warm_up
        A small part of the operation, which runs before the window.
    finish
        Turns what the operation returned into the result, after the window: `Learned` for training, the file's `Sizes`
        for compression, the number of rows for decompression.
    origin, dtypes
        `Table.origin` and `Table.dtypes` of the table; not needed for decompression.
    file_format
        Format of the file that is compressed.
    warnings
        Returns warnings for the user, after the operation.
    elsewhere
        Whether another process uses the device.
    synchronise
        Waits for the device that another process uses.
    running
        Context to enter around the window, within the session.
    facts
        Makes more entries of the record from what the operation returned.
    saves_state
        Whether a long training can save its state and resume from it.
    """

    operation: Callable[..., Any]
    warm_up: Callable[[], object]
    finish: Callable[[Any], Any]
    origin: Mapping[str, Any] = field(default_factory=dict)
    dtypes: Sequence[str] = ()
    file_format: str = PREPARED
    warnings: Callable[[], list[str]] = list
    elsewhere: bool = False
    synchronise: Callable[[], None] | None = None
    running: Callable[[], AbstractContextManager[object]] = nullcontext
    facts: Callable[[Any], Mapping[str, Any]] = lambda result: {}
    saves_state: bool = False


@dataclass(frozen=True)
class Learned:
    """The result of a training.

    Parameters
    ----------
    codec
        The trained codec; its `write` makes the checkpoint.
    epochs
        Epochs of the training; durations may be unknown (NaN). Empty if it has no epochs.
    results
        More entries of the record.
    """

    codec: "Written"
    epochs: "tuple[Epoch, ...]"
    results: Mapping[str, str | int | float | bool | None]


class Written(Protocol):
    """Something that can be written to a file."""

    def write(self, path: Path) -> None:
        """Write it to a file, atomically."""
        ...
