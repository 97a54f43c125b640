"""The saved state of a long training, in its output folder, from which the next attempt resumes."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from baler_energy.config.parameters import Parameters
from baler_energy.data.table import Table
from baler_energy.files import discard
from baler_energy.fingerprint import fingerprint
from baler_energy.meters.segments import Segment
from baler_energy.progress import announce
from baler_energy.sources import measured
from baler_energy.stages.history import History

if TYPE_CHECKING:
    from baler_energy.meters.session import Session

__all__ = ["STATE", "SavedTraining", "training_key"]

STATE = "state.pt"
_SEGMENTS = TypeAdapter(tuple[Segment, ...])


def training_key(table: Table, parameters: Mapping[str, Any], meters: Iterable[str]) -> str:
    """Hash what must be equal to resume from a state: table, settings, threads, source, meters, versions."""
    import torch

    facts = [table.names, list(map(str, table.dtypes)), dict(parameters), torch.__version__]
    codec = Parameters.model_construct(**parameters)
    made_with = fingerprint(*measured("train", codec, meters))
    digest = hashlib.sha256(json.dumps([*facts, made_with]).encode())
    digest.update(np.ascontiguousarray(table.data).data)
    return digest.hexdigest()


class SavedTraining:
    """Keeps a training's state in a file, with what was measured so far; a `Keeper`.

    Parameters
    ----------
    path
        The file. It is read at once; if it cannot be used, it is removed with a message.
    key
        From `training_key`.
    session
        Session whose window the training runs in.
    history
        History of the training.
    every_s
        Time between saves (s). A shorter training saves nothing.
    """

    def __init__(self, path: Path, key: str, session: "Session", history: "History", every_s: float) -> None:
        self._path, self._key, self._session, self._history = path, key, session, history
        self._every_s = every_s
        self._calls = 0
        self._saved_s = 0.0
        self._state: dict[str, Any] | None = None
        self._rows: list[dict[str, Any]] = []
        self.segments: tuple[Segment, ...] = ()
        """What was measured before this process."""
        self._read()

    def restore(self) -> dict[str, Any] | None:
        """Start an iteration; return the state to resume from, or None."""
        self._calls += 1
        self._saved_s = time.monotonic()
        if self._state is not None:
            self._history.resume(self._rows)
        return self._state

    def offer(self, capture: Callable[[], dict[str, Any]]) -> None:
        """Save the state if it is time. Only the first iteration is saved: a training that is repeated is short."""
        if self._calls > 1 or time.monotonic() - self._saved_s < self._every_s:
            return
        from baler_energy.codecs.tensors import write_tensors

        content = {
            "key": self._key,
            "training": capture(),
            "history": json.dumps(self._history.rows),
            "segments": _SEGMENTS.dump_json((*self.segments, self._session.so_far())).decode(),
        }
        try:
            write_tensors(self._path, content)
        except OSError as error:
            announce(f"{self._path}: the state could not be saved ({error.strerror}); training continues unsaved.")
        self._saved_s = time.monotonic()

    def remove(self) -> None:
        """Remove the file when the training is complete."""
        discard(self._path)

    def _read(self) -> None:
        if not self._path.exists():
            return
        from baler_energy.codecs.tensors import read_tensors

        try:
            content = read_tensors(self._path, "state of a training")
            key = content["key"]
            segments, rows = _SEGMENTS.validate_json(content["segments"]), json.loads(content["history"])
            state = dict(content["training"])
        except Exception as error:  # also from content that is not a state
            return self._refuse(f"it is damaged ({type(error).__name__})")
        if key != self._key:
            return self._refuse("it belongs to another training, table, source or version of torch")
        self._state, self._rows, self.segments = state, rows, segments
        announce(f"Resuming after epoch {len(rows)} from {self._path}, saved by an interrupted attempt.")

    def _refuse(self, reason: str) -> None:
        discard(self._path)
        announce(f"{self._path}: not resumed, as {reason}; training starts from the beginning.")
