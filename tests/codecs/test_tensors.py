"""Files of tensors."""

import subprocess
import sys
from pathlib import Path

import torch

from baler_energy.codecs.tensors import read_tensors, write_tensors

#: Writes more than the limit of a file's size allows, as on a full disk.
TOO_LARGE = """
import errno, resource, sys
from pathlib import Path
import torch
from baler_energy.codecs.tensors import write_tensors
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_tensors(Path(sys.argv[1]), {"x": torch.zeros(100_000)})
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pt", "another"):
        write_tensors(tmp_path / name, {"x": torch.arange(5.0), "names": ["p_T"]})
    found = read_tensors(tmp_path / "a.pt", "file")
    assert found["x"].tolist() == [0, 1, 2, 3, 4] and found["names"] == ["p_T"]
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "another").read_bytes()


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TOO_LARGE, tmp_path / "a.pt"], capture_output=True, text=True)
    assert done.stdout == "EFBIG\n", done.stderr
    assert not list(tmp_path.iterdir())
