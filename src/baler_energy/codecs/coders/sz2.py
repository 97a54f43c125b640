"""SZ2, an error-bounded coder of floats, through the HDF5 filter of hdf5plugin.

It predicts each number from the ones before it, quantises the difference in steps of twice the bound, and compresses
these integers with a Huffman code and zstd (Di and Cappello 2016, Fast error-bounded lossy HPC data compression with
SZ, IPDPS; Tao et al. 2017, Significantly improving lossy compression for scientific data sets based on
multidimensional prediction and error-controlled quantization, IPDPS). SZ3 replaces it; it is here because published
comparisons use it.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baler_energy.codecs.coders.bounded import BoundedCoder

__all__ = ["WORD", "Sz2"]

_ROWS_BYTES = 4
#: The filter passes 20 rows or fewer through as they are, and ends the process when it has to read 20 of them.
_LEAST_ROWS = 32
#: The filter must not be skipped if it fails.
_MANDATORY = 0
#: Size by which an HDF5 file in memory grows.
_INCREMENT_B = 1 << 16
#: HDF5 files that are open at the same time need different names, also in memory.
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Sz2(BoundedCoder):
    """SZ2 with prediction. Zeros are decoded within the bound.

    Only the compressed chunk of a dataset is kept, after its number of rows (``<u4``), without the HDF5 file around it.
    The same values may give different bytes, which decode alike, since SZ2 leaves some unset. h5py allows one thread at
    a time, so more threads do not make it faster.
    """

    package = "hdf5plugin"
    extra = "sz2"
    suffix = "sz2"
    usage = "sz2-0.01 (SZ2; bound as in quantise)"
    # For each column of a block, SZ2 stores a Huffman code and h5py opens a file.
    block_rows = 131_072

    def pack(self, values: NDArray[Any], tolerance: float) -> bytes:
        """Pack floats with a maximum error, one thread at a time."""
        from h5py import h5s

        padded = np.pad(values, (0, max(0, _LEAST_ROWS - len(values))), mode="edge")
        dataset = _dataset(values.dtype.name, len(padded), tolerance)
        dataset.write(h5s.ALL, h5s.ALL, padded)
        dataset.flush()
        return len(values).to_bytes(_ROWS_BYTES, "little") + bytes(dataset.read_direct_chunk((0,))[1])

    def unpack(self, packed: bytes, dtype: str, rows: int) -> NDArray[Any]:
        """Unpack them; raises `ValueError` if their number differs."""
        from h5py import h5s

        # SZ2 ends the process if the number of values is not the one that was packed.
        if int.from_bytes(packed[:_ROWS_BYTES], "little") != rows:
            raise ValueError("packed bytes are damaged (another array)")
        values = np.empty(max(rows, _LEAST_ROWS), dtype)
        dataset = _dataset(dtype, len(values), 1.0)
        dataset.write_direct_chunk((0,), packed[_ROWS_BYTES:])
        dataset.read(h5s.ALL, h5s.ALL, values)
        return values[:rows]


def _dataset(dtype: str, rows: int, tolerance: float) -> Any:
    """Open a dataset of one chunk in an HDF5 file in memory; both are closed with the last reference to the dataset."""
    import hdf5plugin
    from h5py import h5d, h5f, h5p, h5s, h5t

    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(_INCREMENT_B, False)
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((rows,))
    creation.set_fill_time(h5d.FILL_TIME_NEVER)
    sz = hdf5plugin.SZ(absolute=tolerance)
    creation.set_filter(sz.filter_id, _MANDATORY, sz.filter_options)
    file = h5f.create(str(next(_NUMBERS)).encode(), h5f.ACC_TRUNC, fapl=access)
    return h5d.create(file, b"values", h5t.py_create(np.dtype(dtype)), h5s.create_simple((rows,)), creation)


WORD = Sz2
