"""Energies of compressors that others published, to compare with a study's; details are in docs/break-even.md."""

from dataclasses import dataclass

__all__ = ["PUBLISHED", "Published"]

_WILKINS = "arXiv 2410.23497, the authors' repository (computed)"
_NYX = "NYX, field temperature, 4.3 GB, bound 1e-3 of the range"
_NODE = "two-socket Intel node, all of its energy (PAPI), one thread"


@dataclass(frozen=True, kw_only=True)
class Published:
    """A measured energy per volume.

    Parameters
    ----------
    compressor
        Its name in the source.
    word
        First word of the packings that use the same compressor; None: there is none.
    compress_j_per_gb, decompress_j_per_gb
        Energy per volume of the original (J per 10^9 bytes); None: not published.
    data, hardware, source
        What was compressed, what the energy contains, and where it was published.
    """

    compressor: str
    word: str | None
    compress_j_per_gb: float
    decompress_j_per_gb: float | None
    data: str
    hardware: str
    source: str


def _node(compressor: str, word: str | None, compress: float, decompress: float) -> Published:
    return Published(
        compressor=compressor,
        word=word,
        compress_j_per_gb=compress,
        decompress_j_per_gb=decompress,
        data=_NYX,
        hardware=_NODE,
        source=_WILKINS,
    )


PUBLISHED = (
    _node("SZ2", "sz2", 2400.0, 1300.0),
    _node("SZ3", "sz3", 3200.0, 2000.0),
    _node("QoZ", None, 5900.0, 3700.0),
    _node("ZFP", "zfp", 1400.0, 990.0),
    Published(
        compressor="SZ, ZFP with writing",
        word=None,
        compress_j_per_gb=100.0,
        decompress_j_per_gb=None,
        data="512 GB, written",
        hardware="cloud system",
        source="doi 10.1109/IPDPSW55747.2022.00184 (computed from its abstract)",
    ),
    Published(
        compressor="gzip",
        word="zlib",
        compress_j_per_gb=400.0,
        decompress_j_per_gb=68.0,
        data="CSV file of 21 MB",
        hardware="processor that is not named (RAPL)",
        source="green-coding.io, Does gzip save CO2?",
    ),
)
