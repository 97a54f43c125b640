"""Memory of sources and sinks, measured in a separate process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from baler_energy.variants import FORMATS

pytestmark = pytest.mark.long

# Beyond the memory of the imports. The smallest file is twice as large, and four times as float64.
BOUND_MB = 140

SCRIPT = """
import importlib, json, sys
from pathlib import Path
import numpy as np
from baler_energy.formats import Block, open_sink, open_source

def peak_mb():
    # Not getrusage, whose peak includes that of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

first, again, layout, module = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
importlib.import_module(module)
names, dtypes = [f"c{number}" for number in range(24)], ["float32"] * 24
rng = np.random.default_rng(1)
rows, events = 20_000, np.full(5_000, 4, dtype=np.int32)
block = Block(rng.random((rows, 24)).astype(np.float32).astype(np.float64), events if layout.get("jagged") else None)
before = peak_mb()
with open_sink(first, names, dtypes, layout, {"warnings": []}) as sink:
    for _ in range(150):
        sink.write(block)
read = 0
with open_source(first, None, layout["format"]) as source:
    with open_sink(again, source.names, source.dtypes, source.layout, source.origin) as sink:
        for piece in source.blocks(rows):
            sink.write(piece)
            read += len(piece.data)
print(json.dumps({"rows": read, "peak_mb": peak_mb() - before}))
"""
NAMES = [f"c{number}" for number in range(24)]
HDF5 = {"path": "/jets", "stored": ["float32"] * 24, "compression": None, "compression_opts": None, "shuffle": False}
ROOT = {"tree": "Events", "title": "", "jagged": NAMES, "counter": "nJet", "compression": None}
LAYOUTS = {
    "table": {"format": "table"},
    "npz": {"format": "npz", "stored": "float32"},
    "parquet": {"format": "parquet", "compression": "snappy"},
    "hdf5": {"format": "hdf5", "kind": "group", **HDF5},
    "root": {"format": "root", "kind": "TTree", **ROOT},
}


@pytest.mark.parametrize("form", LAYOUTS)
def test_the_memory_does_not_grow_with_the_file(tmp_path: Path, form: str) -> None:
    layout = LAYOUTS[form]
    module = FORMATS[str(layout["format"])].module
    files = [tmp_path / "first", tmp_path / "again"]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, files), json.dumps(layout), module],
        capture_output=True,
        text=True,
        timeout=600,
    )
    sizes = [file.stat().st_size for file in files if file.exists()]
    for file in files:
        file.unlink(missing_ok=True)
    assert done.returncode == 0, done.stderr
    assert min(sizes) > 2e6 * BOUND_MB
    result = json.loads(done.stdout)
    assert result["rows"] == 3_000_000
    assert result["peak_mb"] < BOUND_MB
