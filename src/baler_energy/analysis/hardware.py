"""The fitted laws of a study with their provenance, as a file that can be shared."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
from pydantic import Field, ValidationError

from baler_energy import __version__
from baler_energy.analysis.law import NO_LAW, Law, laws
from baler_energy.config.parameters import Config
from baler_energy.errors import InputError
from baler_energy.files import read_json, write_text
from baler_energy.mistakes import mistakes

__all__ = ["Cost", "Hardware", "Machine", "Mean", "OtherCodec"]


class Machine(Config):
    """A machine that ran the study."""

    hostname: str | None
    """Name of the machine."""
    cpu_model: str | None
    """CPU."""
    gpu_model: str | None
    """GPUs; empty if there is none."""
    virtualised: bool | None
    """Whether it is a virtual machine; null: unknown."""


class Mean(Config):
    """A mean over runs."""

    value: Annotated[float, Field(ge=0)]
    """The mean."""
    half_width: Annotated[float, Field(ge=0)] | None
    """Half width of its 95 % interval; null: a single run."""


class Cost(Config):
    """Cost of an operation; a GB is 10^9 bytes of the table in its recorded formats."""

    seconds: Mean
    """Time (s)."""
    joules: Mean
    """Energy (J)."""


class OtherCodec(Config):
    """The codec without epochs that has the largest ratio at the error of a codec that trains in epochs."""

    name: str
    """Name of the codec."""
    ratio: Annotated[float, Field(gt=0)]
    """Recorded volume over stored volume."""
    at_codec: str
    """Name of the codec at whose error it is the best."""
    at_ratio: Annotated[float, Field(gt=0)]
    """Ratio of that codec."""
    at_error: str
    """That error, its measure and its rows, in words."""
    evidence: Literal["measured", "modelled"]
    """What the energies are."""
    study: str
    """Title of the study."""
    machine: str
    """Machines that ran it."""
    train: Cost | None = None
    """Cost of one training; null if it is not trained."""
    compress: Cost
    """Cost of compressing a GB."""
    decompress: Cost
    """Cost of decompressing a GB."""


class Hardware(Config):
    """What operations cost on some machines: the laws of a study."""

    format: Literal["baler-energy hardware"] = "baler-energy hardware"
    """Kind of file."""
    version: Literal[1] = 1
    """Version of the format."""
    study: str
    """Title of the study."""
    software: str
    """Version of baler-energy that fitted the laws."""
    sources: tuple[str, ...]
    """Fingerprints of the code that measured."""
    first: datetime
    """Start of the first measured window (UTC)."""
    last: datetime
    """Start of the last measured window (UTC)."""
    machines: tuple[Machine, ...]
    """The machines."""
    laws: Annotated[tuple[Law, ...], Field(min_length=1)]
    """The laws."""
    other: OtherCodec | None = None
    """The best other codec of the study; null if it has none."""

    @classmethod
    def of(cls, runs: pd.DataFrame, study: str, other: OtherCodec | None = None) -> Self:
        """Fit the laws of a study.

        Parameters
        ----------
        runs
            The table ``runs`` of its dataset.
        study
            Its title.
        other
            The best other codec in it.

        Raises
        ------
        InputError
            No operation has enough runs for a law.
        """
        if not (found := laws(runs)):
            raise InputError(f"{study}: {NO_LAW}, so no law can be fitted. Use config/studies/forecast.yaml.")
        names = list(Machine.model_fields)
        machines = runs[names].drop_duplicates().astype(object)
        known = machines.where(machines.notna(), None).to_dict("records")
        return cls(
            study=study,
            software=__version__,
            sources=tuple(sorted(runs["source_fingerprint"].dropna().unique())),
            first=runs["window_start"].min().to_pydatetime(),
            last=runs["window_start"].max().to_pydatetime(),
            machines=tuple(Machine.model_validate(one) for one in known),
            laws=tuple(found),
            other=other,
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` wrote.

        Raises
        ------
        InputError
            The file is missing, or not such a file.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            lines = "\n".join(f"  {line}" for line in mistakes(error, "file"))
            raise InputError(
                f"{path}: is not a hardware file of this version of baler-energy:\n{lines}\n"
                "Write it again with `baler-energy hardware`."
            ) from error

    def write(self, path: Path) -> None:
        """Write the laws as JSON, whole or not at all."""
        write_text(path, self.model_dump_json() + "\n")
