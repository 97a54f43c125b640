"""Files of tensors."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from baler_energy.codecs.tensors import read_tensors, write_tensors
from baler_energy.errors import InputError

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


def tuples(levels: int, width: int) -> tuple[object, ...]:
    """Make a tuple that holds a tuple, several times, and so on."""
    made: tuple[object, ...] = ("x",)
    for _ in range(levels):
        made = (made,) * width
    return made


def itself() -> list[object]:
    """Make a list that contains itself."""
    made: list[object] = [1]
    made.append([made])
    return made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({tuples(22, 2): 1}, "more than 10,000,000 values"),
        ([1, {"a": tuples(22, 2)}], "more than 10,000,000 values"),
        ({tuples(120, 1): 1}, "100 levels"),
        (itself(), "contains itself"),
    ],
    ids=["key", "value", "levels", "itself"],
)
def test_values_that_contain_each_other_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, words: str
) -> None:
    """To hash a tuple takes twice as long for each level, and ends the process for a hundred thousand of them."""
    torch.save(content, tmp_path / "a.pt")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(InputError, match=f"a.pt.*{words}"):
        read_tensors(tmp_path / "a.pt", "file")


def test_values_that_occur_several_times_are_read(tmp_path: Path) -> None:
    betas, parameter = (0.9, 0.999), torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([{"params": [parameter], "betas": betas}])
    parameter.grad = torch.ones(2)
    optimizer.step()
    content = {"groups": [{"betas": betas}] * 1000, ("a", betas): betas, "state": optimizer.state_dict()}
    content["layers"] = torch.nn.Linear(2, 2).state_dict()
    write_tensors(tmp_path / "a.pt", content)
    found = read_tensors(tmp_path / "a.pt", "file")
    assert found["groups"] == content["groups"] and found["a", betas] == betas
    assert found["state"]["state"][0]["step"] == 1 and set(found["layers"]) == {"weight", "bias"}
