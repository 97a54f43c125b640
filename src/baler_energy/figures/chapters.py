"""The report's chapters, and the titles and captions of their figures and tables. Each is imported on demand."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from baler_energy import variants

if TYPE_CHECKING:
    from baler_energy.figures.base import FigureSpec, TableSpec

__all__ = ["TABLES_TITLE", "Captions", "chapter_title", "figures_of", "labels", "tables"]

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


def labels(specs: "Iterable[FigureSpec | TableSpec]", name: str, kind: str = "") -> dict[str, str]:
    """Return what the report lists a page under. It needs different labels, so tables have their kind in brackets."""
    title, _ = _found(specs, name)
    return {"title": f"{title} ({kind})" if kind else title}


class Captions:
    """Captions by name, in plain text that is valid reStructuredText.

    The modules that define them import pandas and matplotlib, which takes seconds. Snakemake reads every rule's
    parameters, but only the report needs captions.

    Parameters
    ----------
    specs
        Returns the figures or tables.
    suffix
        Of the file with the figure or the numbers, which the caption names.
    """

    def __init__(self, specs: Callable[[], "Iterable[FigureSpec | TableSpec]"], suffix: str = "") -> None:
        self._specs, self._suffix = specs, suffix

    def __getitem__(self, name: str) -> str:
        title, caption = _found(self._specs(), name)
        file = f" File: {name}.{self._suffix}." if self._suffix else ""
        return f"**{title}.** {caption}{file}"

    def __repr__(self) -> str:
        """Return the same text for all, since Snakemake shows parameters in the report."""
        return "captions"


def _found(specs: "Iterable[FigureSpec | TableSpec]", name: str) -> tuple[str, str]:
    """Title and caption by name. With several datasets, a page is in the folder of the one that it is about."""
    dataset, _, own = name.rpartition("/")
    (found,) = (spec for spec in specs if spec.name == own)
    return (f"{found.title} ({dataset})" if dataset else found.title), found.caption
