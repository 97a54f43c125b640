"""A user's own file: the keys of a dataset, and the options of the stages that read one."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from baler_energy.config.parameters import Config, Count
from baler_energy.errors import InputError
from baler_energy.formats import FILE_FORMATS, format_of
from baler_energy.formats.reading import Layout

__all__ = ["OwnFile"]

if TYPE_CHECKING:
    FileFormat = str
else:
    FileFormat = Literal[FILE_FORMATS]


class OwnFile(Config):
    """A file, and what to read from it."""

    source: Literal["file"]
    path: Annotated[str, Field(min_length=1)]
    """Local path (relative to the working directory) or URL (http, https, root)."""
    format: FileFormat | None = None
    """Format of the file; by default from its suffix."""
    tree: str | None = None
    """Name of the tree (ROOT), or of the dataset or group (HDF5); by default the only one in the file."""
    columns: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Columns (branches) in the desired order, ``Jet_*`` for all that match; by default all numeric ones. A branch
    whose name occurs in several objects is ``object/name``."""
    layout: Layout = "objects"
    """For jagged branches (ROOT): a row per object, or a row per event with its leading objects."""
    leading: Count | None = None
    """Number of objects per event, for the layout ``leading``."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    """Checksum of the file; a different file is refused."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the random selection of rows."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.layout == "leading") != (self.leading is not None):
            raise ValueError("'layout: leading' and 'leading: K' go together; set both or neither")
        if self.sha256 and self.path.startswith("root://"):
            raise ValueError("the checksum of a root:// URL cannot be checked, as it is read in parts; remove sha256")
        return self

    @property
    def is_downloaded(self) -> bool:
        """Whether the file is downloaded first; local files and ``root://`` are read in place."""
        return self.path.startswith(("http://", "https://"))

    @property
    def format_name(self) -> str | None:
        """The given format, or else that of the suffix; None if the suffix is unknown."""
        try:
            return self.format or format_of(self.path)
        except InputError:
            return None
