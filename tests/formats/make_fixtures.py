"""Write the small files in ``fixtures/`` from the toy generator: ``python tests/formats/make_fixtures.py``.

Each holds the same toy jets, in events of zero to four jets, so that the readers can be compared with each other.
"""

from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import uproot

from baler_energy.data import toy

ROWS = 120
SEED = 20261123
COLUMNS = ("pt", "eta", "phi", "mass", "charged_multiplicity", "neutral_multiplicity")


def main(folder: Path) -> None:
    """Write the four files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    table = toy.generate(ROWS, SEED)
    places = [table.names.index(name) for name in COLUMNS]
    native = {name: table.data[:, i].astype(table.dtypes[i]) for name, i in zip(COLUMNS, places, strict=True)}

    pq.write_table(pa.table(native), folder / "jets.parquet")
    np.savez_compressed(folder / "jets.npz", data=table.data[:, places], names=np.array(COLUMNS))
    with h5py.File(folder / "jets.h5", "w") as file:
        dataset = file.create_dataset("data", data=table.data[:, places].astype(np.float32), compression="gzip")
        dataset.attrs["names"] = list(COLUMNS)

    rng = np.random.default_rng(SEED)
    counts = rng.integers(0, 5, 2 * ROWS)
    counts = counts[: int(np.searchsorted(np.cumsum(counts), ROWS)) + 1]
    counts[-1] -= counts.sum() - ROWS
    jets = ak.zip({name: ak.unflatten(values, counts) for name, values in native.items()})
    events = {
        "Jet": jets,
        "event": np.arange(1000, 1000 + len(counts), dtype=np.int64),
        "met": rng.exponential(20.0, len(counts)).astype(np.float32),
    }
    with uproot.recreate(folder / "jets.root") as file:
        file.mktree("Events", events)


if __name__ == "__main__":
    main(Path(__file__).parent / "fixtures")
