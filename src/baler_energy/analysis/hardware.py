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

__all__ = ["Hardware", "Machine"]


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

    @classmethod
    def of(cls, runs: pd.DataFrame, study: str) -> Self:
        """Fit the laws of a study.

        Parameters
        ----------
        runs
            The table ``runs`` of its dataset.
        study
            Its title.

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
