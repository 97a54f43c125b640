"""The report's chapters: their titles, figures, tables and captions. Each is imported on demand."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from baler_energy import variants

if TYPE_CHECKING:
    from baler_energy.figures.base import FigureSpec, TableSpec

__all__ = ["TABLES_TITLE", "Captions", "chapter_title", "figures_of", "tables"]

#: Category of the tables in the report, which sorts categories by name. The categories of figures are chapter titles.
TABLES_TITLE = "7. Tables"


def chapter_title(chapter: str) -> str:
    """Title of a chapter."""
    title: str = variants.load(f"{__package__}.{chapter}").TITLE
    return title


def figures_of(chapter: str) -> tuple["FigureSpec", ...]:
    """Figures of a chapter, in order."""
    return tuple(spec for module in variants.CHAPTERS[chapter] for spec in variants.load(module).FIGURES)


def tables() -> tuple["TableSpec", ...]:
    """Tables of the report, in order."""
    return tuple(variants.load(module).TABLE for module in variants.TABLES.values())


class Captions:
    """Captions by name, in plain text that is valid reStructuredText.

    The modules that define them import pandas and matplotlib, which takes seconds. Snakemake reads every rule's
    parameters, but only the report needs captions.

    Parameters
    ----------
    specs
        Returns the figures or tables.
    """

    def __init__(self, specs: Callable[[], "Iterable[FigureSpec | TableSpec]"]) -> None:
        self._specs = specs

    def __getitem__(self, name: str) -> str:
        (found,) = (spec for spec in self._specs() if spec.name == name)
        return f"**{found.title}.** {found.caption}"

    def __repr__(self) -> str:
        """Return the same text for all, since Snakemake shows parameters in the report."""
        return "captions"
