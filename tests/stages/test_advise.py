"""Advice for a file, from the command line; the commands that it prints are run, too."""

import shlex

import numpy as np
import pandas as pd
import pytest

from baler_energy.cli import main
from baler_energy.codecs.packing import Packing
from baler_energy.data import sampling, toy
from baler_energy.errors import InputError
from baler_energy.formats import open_source
from baler_energy.stages import advise
from baler_energy.stages.trials import best_coder
from baler_energy.time_limit import TimeLimit
from baler_energy.variants import CODERS, load

FAST = ("--meters", "process", "--min-window-s", 0, "--idle-s", 0, "--threads", 1, "--epochs", 1, "--limit-s", 600)


@pytest.fixture(scope="module")
def jets(tmp_path_factory: pytest.TempPathFactory):
    """Write a Parquet file of 1500 toy jets."""
    table = toy.generate(1500, 1)
    columns = zip(table.names, table.data.T, table.dtypes, strict=True)
    path = tmp_path_factory.mktemp("jets") / "jets.parquet"
    pd.DataFrame({name: values.astype(dtype) for name, values, dtype in columns}).to_parquet(path)
    return path


def contents(path):
    with open_source(path) as source:
        return np.concatenate([block.data for block in source.blocks(10_000)])


def run_commands(text, folder, monkeypatch):
    """Run the commands in the text in a folder, quickly; give the reconstructed table."""
    monkeypatch.chdir(folder)
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("  baler-energy ")]
    for line in lines:
        measured = line[1] in ("train", "compress", "decompress")
        quick = ["--min-window-s", "0", "--idle-s", "0", "--meters", "process"] if measured else []
        assert main([*line[1:], *quick]) == 0
    (back,) = folder.glob("*/decompress/reconstructed.*")
    return contents(back)


def test_the_recommended_commands_keep_the_error(stage, jets, tmp_path, monkeypatch, capsys):
    stage("advise", jets, "--error", 0.02, *FAST)
    said = capsys.readouterr().out
    assert "codec ratio" in said
    assert "Use quantise-0.02+" in said
    assert "baler 1/2, " in said
    # No meter of these has an energy.
    assert " unknown " in said
    before, after = contents(jets), run_commands(said, tmp_path, monkeypatch)
    assert (np.abs(after - before).max(axis=0) <= 0.02 * np.ptp(before, axis=0)).all()


def test_lossless_tries_every_lossless_coder_and_no_training(stage, jets, tmp_path, monkeypatch, capsys):
    stage("advise", jets, "--lossless", *FAST)
    said = capsys.readouterr().out
    assert "with no loss at all" in said
    assert "baler 1/2" not in said
    for name in ("pcodec", "zstd", "lz4", "zlib", "lzma"):
        assert f" {name} " in said
    np.testing.assert_array_equal(run_commands(said, tmp_path, monkeypatch), contents(jets))


def test_a_page_is_written(stage, jets, tmp_path, capsys):
    stage("advise", jets, "--error", 0.05, "--measure", "nrmse", "--html", tmp_path / "advice.html", *FAST)
    page = (tmp_path / "advice.html").read_text()
    assert "<svg" in page
    assert "Use quantise-" in page
    assert "an NRMSE (RMS error / standard deviation, mean over columns) of at most 5 %" in page


@pytest.mark.parametrize("goal", [("--lossless",), ("--error", 0.05)])
def test_a_codec_that_is_missing_here_is_named_with_the_reason(stage, jets, tmp_path, monkeypatch, capsys, goal):
    words = {name: load(CODERS[name]).WORD for name in ("blosc2", "sz3")}
    for name, word in words.items():
        monkeypatch.setattr(word, "missing", lambda name=name: f"The package {name} is not installed.")
    stage("advise", jets, *goal, "--html", tmp_path / "advice.html", *FAST)
    missing = ["blosc2", "sz3"] if "--error" in goal else ["blosc2"]
    named = ", ".join(f"{name} (the package {name} is not installed)" for name in missing)
    table, *paragraphs = capsys.readouterr().out.split("\n\n")
    assert f"Not tried: {named}." in paragraphs
    assert f"<p>Not tried: {named}.</p>" in (tmp_path / "advice.html").read_text()
    assert "blosc2" not in table


def test_nothing_is_begun_after_the_time_is_over(stage, jets, capsys):
    with pytest.raises(InputError, match="the time was over before a codec was found"):
        stage("advise", jets, *FAST[:-1], 0)


def test_reading_is_part_of_the_time(stage, jets, monkeypatch):
    now_s = 0.0
    real = sampling.sample_file

    def slow(*words, stop, **more):
        nonlocal now_s
        assert not stop()
        now_s = 50.0
        assert stop()
        now_s = 100.0
        return real(*words, stop=stop, **more)

    monkeypatch.setattr(advise, "TimeLimit", lambda limit_s: TimeLimit(limit_s, lambda: now_s))
    monkeypatch.setattr(sampling, "sample_file", slow)
    with pytest.raises(InputError, match="the time was over before a codec was found"):
        stage("advise", jets, *FAST[:-1], 100)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("missing.parquet",), "missing.parquet"),
        (("notes.txt",), "unknown suffix"),
        (("few.npz",), "at least 200"),
        (("text.parquet",), "text"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_message(stage, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    np.savez("few.npz", data=np.ones((20, 2)), names=np.array(["a", "b"]))
    pd.DataFrame({"text": ["a"] * 300}).to_parquet("text.parquet")
    with pytest.raises(InputError, match=message):
        stage("advise", *words)


@pytest.mark.parametrize("error", ["0", "1", "-0.1", "nan", "much"])
def test_an_error_is_a_share(stage, jets, error):
    with pytest.raises(SystemExit):
        stage("advise", jets, f"--error={error}")


@pytest.mark.parametrize("limit_s", ["-1", "nan", "inf", "soon"])
def test_a_time_limit_is_a_number_of_seconds(stage, jets, capsys, limit_s):
    with pytest.raises(SystemExit):
        stage("advise", jets, f"--limit-s={limit_s}", *FAST[:-2])
    assert f"--limit-s: {limit_s!r} is not a number of at least 0" in capsys.readouterr().err


@pytest.mark.parametrize("name", CODERS)
def test_the_words_of_a_ladder_are_packings_from_coarse_to_fine(name):
    words = load(CODERS[name][0]).WORD.ladder(name)
    assert len(set(words)) == len(words)
    for word in words:
        (parsed,) = Packing.parse(word).words
        assert not parsed.lossless


def test_the_best_lossless_coder_is_found_behind_codecs_that_round_themselves():
    assert best_coder(["sz3-0.01", "quantise-0.01+zstd-3", "quantise-0.01+pcodec"]) == "zstd-3"
    assert best_coder(["lzma", "pcodec"]) == "lzma"
    assert Packing.parse(best_coder(["sz3-0.01"])).lossless


def test_a_relative_error_is_met_by_components_that_are_stored_as_computed(stage, jets, capsys):
    stage("advise", jets, "--error", 0.01, "--measure", "relative", *FAST)
    said = capsys.readouterr()
    assert "Use float32-" in said.out
    assert "pca 1/1, " in said.out
    assert "relative error, 99 %" in said.out
