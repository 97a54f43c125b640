"""Published energies of compressors, next to those of the same compressors in a study."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from baler_energy.analysis.published import PUBLISHED
from baler_energy.figures.readable import readable
from baler_energy.figures.tables.published import TABLE, published
from baler_energy.variants import CODERS

Tables = dict[str, pd.DataFrame]
DOCUMENT = Path(__file__).parents[3] / "docs" / "break-even.md"


def test_a_codec_follows_the_published_compressor_that_it_uses(
    build: Callable[..., Tables], with_codecs: Callable[..., Tables]
) -> None:
    codecs = {"sz3-0.01": (0.002, 9.0), "sz3-0.1": (0.02, 30.0), "quantise-0.1+zlib-6": (0.02, 20.0)}
    tables = with_codecs(with_codecs(build(), codecs), {"sz3-0.01": (0.03, 18.0)}, "pca")
    table = published(tables)
    theirs, ours = table[table["codec"].isna()], table[table["codec"].notna()]
    assert theirs["compressor"].tolist() == [one.compressor for one in PUBLISHED]
    assert set(theirs["evidence"]) == {"measured"} and theirs["n"].isna().all()
    assert ours[["compressor", "codec"]].to_numpy().tolist() == [["SZ3", "sz3-0.01"], ["SZ3", "sz3-0.1"]]
    assert (ours.index == theirs.index[theirs["compressor"] == "SZ3"][0] + [1, 2]).all()
    run = tables["runs"][tables["runs"]["packing"] == "sz3-0.1"]
    clean = run[(run["operation"] == "compress") & (run["transform"] == "identity")]
    native_gb = clean["ratio_native_bytes"] * clean["compressed_bytes"] / 1e9
    assert ours.iloc[1]["compress_j_per_gb"] == pytest.approx((clean["energy_j"] / native_gb).mean())
    page = readable(TABLE, table)
    assert "this study: sz3-0.1" in set(page["in"]) and "-" in set(page["decompress (J/GB)"])


def test_compressors_name_coders_that_exist() -> None:
    assert {one.word for one in PUBLISHED} <= {*CODERS, None}


def test_the_documentation_has_the_same_numbers() -> None:
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = {line.split("|")[1].strip(): line.split("|")[2] for line in rows}
    for number, one in enumerate(PUBLISHED):
        text = cells[one.compressor]
        known = [value for value in (one.compress_j_per_gb, one.decompress_j_per_gb) if value is not None]
        assert [float(word.replace(",", "")) for word in re.findall(r"\d[\d,]*\d", text)] == known, number
