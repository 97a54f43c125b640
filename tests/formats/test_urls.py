"""Files that are read from a URL, and why some cannot be."""

import importlib.util

import pytest
import uproot
from read_columns import fails, read

from baler_energy.errors import UnavailableError


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("root://eos.example.org//a.root", "pip install 'baler-energy[xrootd]'"),
        ("https://example.org/a.root", "pip install aiohttp"),
    ],
)
def test_a_protocol_without_its_package(monkeypatch: pytest.MonkeyPatch, url: str, command: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnavailableError) as caught:
        read(url)
    assert url in str(caught.value)
    assert command in str(caught.value)


def test_urls_that_cannot_be_read() -> None:
    assert "local path" in fails("https://example.org/a.parquet")
    assert "s3" in fails("s3://bucket/a.root")


@pytest.mark.parametrize("error", [FileNotFoundError("https://x"), ConnectionResetError(104, "Connection reset")])
def test_a_url_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(uproot, "open", unreachable)
    assert "cannot be read" in fails("https://example.org/a.root")
