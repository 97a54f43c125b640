"""Advice for a file, from the command line; the commands that it prints are run, too."""

import argparse
import shlex
from types import SimpleNamespace

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pytest
import uproot

from baler_energy.cli import main
from baler_energy.codecs.packing import Packing
from baler_energy.data import sampling
from baler_energy.errors import InputError
from baler_energy.formats import Request, open_source
from baler_energy.stages import advise, trials
from baler_energy.stages.file_options import request_of
from baler_energy.stages.trials import best_coder
from baler_energy.variants import CODERS, load

FAST = ("--meters", "process", "--min-window-s", 0, "--idle-s", 0, "--threads", 1, "--epochs", 1, "--limit-s", 600)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory):
    """Write a ROOT file of 20,000 objects with eight columns X_c0, ..., which two numbers almost determine."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(20_000, 2)) @ rng.normal(size=(2, 8)) + 1e-4 * rng.normal(size=(20_000, 8))
    counts = np.tile([0, 4, 6], 2_000)
    columns = {f"c{number}": ak.unflatten(values[:, number].astype(np.float32), counts) for number in range(8)}
    path = tmp_path_factory.mktemp("objects") / "objects.root"
    with uproot.recreate(path) as file:
        file.mktree("other", {"z": np.arange(10.0)})
        file.mktree("Events", {"X": ak.zip(columns), "run": np.arange(len(counts))})
    return path


def contents(path, request=None):
    with open_source(path, request) as source:
        return np.concatenate([block.data for block in source.blocks(10_000)])


def commands_in(text):
    """Words of the commands in the text, without the program's name."""
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("  baler-energy ")]
    return [line[1:] for line in lines]


def run_commands(text, folder, monkeypatch, request=None):
    """Run the commands in the text in a folder, quickly; give the reconstructed table."""
    monkeypatch.chdir(folder)
    for line in commands_in(text):
        measured = line[0] in ("train", "compress", "decompress")
        quick = ["--min-window-s", "0", "--idle-s", "0", "--meters", "process"] if measured else []
        assert main([*line, *quick]) == 0
    (back,) = folder.glob("*/decompress/reconstructed.*")
    return contents(back, request)


@pytest.mark.long
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


@pytest.mark.long
def test_the_commands_of_a_file_with_odd_names(jets, tmp_path, monkeypatch, capsys):
    """Names that begin with a hyphen would be read as options, and a shell or Snakemake would fill in others."""
    monkeypatch.chdir(tmp_path)
    known = pd.read_parquet(jets)
    odd = dict(zip(known.columns[:3], ["-m", "{T}", "$a 'b'"], strict=True))
    known[list(odd)].rename(columns=odd).to_parquet("-x.parquet")
    names = [f"--columns={name}" for name in odd.values()]
    assert main(["advise", "--lossless", *names, *map(str, FAST), "--", "-x.parquet"]) == 0
    back = run_commands(capsys.readouterr().out, tmp_path, monkeypatch)
    assert np.array_equal(back, contents(tmp_path / "-x.parquet"))


@pytest.mark.long
def test_the_commands_of_a_trained_codec_keep_the_error_and_do_not_hold_the_file(
    stage, objects, tmp_path, monkeypatch, capsys
):
    chosen = ("--tree", "Events", "--columns", "X_*")
    stage("advise", objects, *chosen, "--error", 0.01, "--sample-mb", 0.1, *FAST)
    said = capsys.readouterr().out
    assert "Use pca 1/4, " in said
    prepare, train, compress, decompress = commands_in(said)
    assert [line[0] for line in (prepare, train, compress, decompress)] == [
        "prepare",
        "train",
        "compress",
        "decompress",
    ]
    # 100 kB of 32 B per row are 3125 rows: four of the eight runs of 782 rows that were sampled.
    assert prepare[prepare.index("--rows") + 1] == str(4 * 782)
    assert compress[compress.index("--data") + 1] == str(objects)
    request = Request(columns=("X_*",), tree="Events")
    before, after = contents(objects, request), run_commands(said, tmp_path, monkeypatch, request)
    assert before.shape == (20_000, 8)
    assert (np.abs(after - before).max(axis=0) <= 0.01 * np.ptp(before, axis=0)).all()


@pytest.mark.parametrize(
    ("layout", "request_back"),
    [((), Request(columns=("X_*",), tree="Events")), (("--layout", "leading", "--leading", "2"), None)],
)
def test_the_commands_of_baler_keep_the_error(objects, tmp_path, monkeypatch, layout, request_back):
    parser = argparse.ArgumentParser()
    advise.add_arguments(parser)
    args = parser.parse_args([str(objects), "--tree", "Events", "--columns", "X_*", *layout])
    sample = sampling.sample_file(str(objects), request_of(args), 50_000)
    baler = {"transform": "baler", "engine": "fast", "precision": "float32", "compression_ratio": 2.0, "epochs": 1.0}
    codec = pd.Series({"trains": True, "packing": "quantise-0.05+pcodec+bound-0.01", **baler})
    text = "\n".join(f"  {line}" for line in advise._commands(codec, sample, args))
    after = run_commands(text, tmp_path, monkeypatch, request_back)
    before = contents(objects, request_of(args))
    assert (np.abs(after - before).max(axis=0) <= 0.01 * np.ptp(before, axis=0)).all()


def hdf5(folder):
    values = np.random.default_rng(1).integers(0, 50, (1000, 3)).astype(np.float32)
    with h5py.File(folder / "a.h5", "w") as file:
        file["other"] = np.arange(5.0)
        file["events"] = values
        file["events"].attrs["names"] = ["a", "b", "c"]
    return folder / "a.h5", ("--tree", "events"), values, "a b c"


def npz_with_nan(folder):
    values = np.random.default_rng(1).integers(0, 50, (1000, 3)) + 0.5
    values[17, 1] = np.nan
    np.savez(folder / "a.npz", data=values, names=np.array(["a", "b", "c"]))
    return folder / "a.npz", (), values, "a b c"


@pytest.mark.parametrize("write", [hdf5, npz_with_nan])
def test_the_commands_restore_files_of_other_formats(stage, tmp_path, monkeypatch, capsys, write):
    path, chosen, expected, names = write(tmp_path)
    stage("advise", path, *chosen, "--lossless", *FAST)
    said = capsys.readouterr()
    np.testing.assert_array_equal(run_commands(said.out, tmp_path, monkeypatch), expected)
    (back,) = tmp_path.glob("*/decompress/reconstructed.*")
    with open_source(back) as source:
        assert " ".join(source.names) == names
    with_nan = write is npz_with_nan
    assert ("Warning: b: left out because of NaN or infinity." in said.err) == with_nan
    assert ("columns with NaN or infinity, which these commands store, too: b." in said.out) == with_nan


@pytest.mark.long
def test_the_commands_restore_chosen_branches_of_a_tree(stage, objects, tmp_path, monkeypatch, capsys):
    stage("advise", objects, "--tree", "Events", "--columns", "X_*", "--lossless", "--sample-mb", 0.1, *FAST)
    request = Request(columns=("X_*",), tree="Events")
    said = capsys.readouterr().out
    np.testing.assert_array_equal(run_commands(said, tmp_path, monkeypatch, request), contents(objects, request))


LEADING = ("a.root", "--layout", "leading", "--leading", "2")
LEADING_WORDS = "--leading 2 --layout leading --columns"
TABLE, TRAINING = "a-compressed/table.npz", "a-compressed/training.npz"


@pytest.mark.parametrize(
    ("trains", "file", "left_out", "prepared", "compressed"),
    [
        (False, ("a.root",), (), [], "a.root --columns X_*"),
        (True, ("a.root",), (), ["a.root --columns X_* --rows 300 --out " + TRAINING], "a.root"),
        (False, LEADING, (), [], f"a.root {LEADING_WORDS} X_*"),
        (False, LEADING, ("X_pt_1",), [], f"a.root {LEADING_WORDS} X_*"),
        (
            True,
            LEADING,
            ("X_pt_1",),
            [
                f"a.root {LEADING_WORDS} X_eta met --rows {rows}"
                for rows in (f"300 --out {TRAINING}", f"all --out {TABLE}")
            ],
            TABLE,
        ),
        (
            True,
            LEADING,
            (),
            [f"a.root {LEADING_WORDS} X_* --rows {rows}" for rows in (f"300 --out {TRAINING}", f"all --out {TABLE}")],
            TABLE,
        ),
        (False, ("http://x/a.root",), (), ["http://x/a.root --columns X_* --rows all --out " + TABLE], TABLE),
    ],
)
def test_a_table_of_all_rows_is_only_made_if_compress_cannot_read_the_file(
    trains, file, left_out, prepared, compressed
):
    parser = argparse.ArgumentParser()
    advise.add_arguments(parser)
    args = parser.parse_args([*file, "--columns", "X_*"])
    table = SimpleNamespace(names=("X_pt_0", "X_eta_0", "X_eta_1", "met"), data=np.empty((300, 4)))
    sample = SimpleNamespace(test=table, training=table, left_out=left_out)
    codec = pd.Series({"trains": trains, "transform": "pca" if trains else "identity", "packing": "pcodec"})
    lines = [" ".join(shlex.split(line)) for line in advise._commands(codec, sample, args)]
    assert [line for line in lines if " prepare " in line] == [
        f"baler-energy prepare --input {one}" for one in prepared
    ]
    assert lines[-2].startswith(f"baler-energy compress --data {compressed} --transform ")


STORED = "Codecs were compared without columns with NaN or infinity, which these commands store, too: d."
NOT_STORED = "These commands leave out columns with NaN or infinity: d."


@pytest.mark.parametrize(
    ("file", "trains", "packing", "columns", "sentence"),
    [
        ("a.npz", False, "zstd", [], STORED),
        ("a.npz", False, "quantise-0.01+zstd", [], STORED),
        ("a.npz", False, "sz3-0.01", [], STORED),
        ("a.npz", False, "float32-12+zstd", ["--columns", "c"], NOT_STORED),
        ("a.npz", True, "zstd", ["--columns", "c"], NOT_STORED),
        ("http://x/a.root", False, "zstd", ["--columns", "c"], NOT_STORED),
    ],
)
def test_columns_with_nan_are_stored_by_codecs_that_can(file, trains, packing, columns, sentence):
    parser = argparse.ArgumentParser()
    advise.add_arguments(parser)
    args = parser.parse_args([file])
    sample = SimpleNamespace(test=SimpleNamespace(names=("c",)), left_out=("d",))
    codec = pd.Series({"trains": trains, "packing": packing})
    assert advise._column_words(codec, sample, args) == columns
    assert advise._left_out_sentence(codec, sample, args) == [sentence]
    nothing = SimpleNamespace(left_out=())
    assert advise._column_words(codec, nothing, args) == advise._left_out_sentence(codec, nothing, args) == []


@pytest.mark.long
def test_lossless_tries_every_lossless_coder_and_no_training(stage, jets, tmp_path, monkeypatch, capsys):
    stage("advise", jets, "--lossless", *FAST)
    said = capsys.readouterr().out
    assert "with no loss at all" in said
    assert "baler 1/2" not in said
    for name in ("pcodec", "zstd", "lz4", "zlib", "lzma"):
        assert f" {name} " in said
    np.testing.assert_array_equal(run_commands(said, tmp_path, monkeypatch), contents(jets))


@pytest.mark.long
def test_a_page_is_written(stage, jets, tmp_path, monkeypatch, capsys):
    write = advise._write_page

    def write_page(*words):
        assert "Use quantise-" in capsys.readouterr().out, "a page that cannot be written does not lose the results"
        write(*words)

    monkeypatch.setattr(advise, "_write_page", write_page)
    stage("advise", jets, "--error", 0.05, "--measure", "nrmse", "--html", tmp_path / "advice.html", *FAST)
    page = (tmp_path / "advice.html").read_text()
    assert "<svg" in page
    assert "Use quantise-" in page
    assert "an NRMSE (RMS error / standard deviation, mean over columns) of at most 5 %" in page


@pytest.mark.long
def test_a_codec_that_is_missing_here_is_named_with_the_reason(stage, jets, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(load(CODERS["blosc2"][0]).WORD, "missing", lambda: "The package blosc2 is not installed.")
    stage("advise", jets, "--lossless", "--html", tmp_path / "advice.html", *FAST)
    table, *paragraphs = capsys.readouterr().out.split("\n\n")
    assert "Not tried: blosc2 (the package blosc2 is not installed)." in paragraphs
    assert "<p>Not tried: blosc2 (the package blosc2 is not installed).</p>" in (tmp_path / "advice.html").read_text()
    assert "blosc2" not in table


@pytest.mark.long
def test_what_fails_or_misses_the_goal_is_named_and_the_other_codecs_are_compared(stage, jets, monkeypatch, capsys):
    def diverges(*words, **more):
        raise InputError("Training diverged in epoch 1. Do something.")

    real = trials._ladder
    monkeypatch.setattr(trials, "_ladder", lambda name: real(name)[:1])  # float32 with one bit
    monkeypatch.setattr(trials, "train", diverges)
    stage("advise", jets, "--error", 0.05, *FAST)
    table, *paragraphs = capsys.readouterr().out.split("\n\n")
    (said,) = (one for one in paragraphs if one.startswith("Could not be trained: "))
    assert said.startswith("Could not be trained: baler 1/1, ") and said.endswith(" (training diverged in epoch 1).")
    missed = "their error is too large even with the finest step or the best packing: float32 ("
    assert any(missed in one for one in paragraphs)
    assert "No trained codec that was tried meets the goal." in paragraphs[0]
    assert "quantise" in table and "baler" not in table


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


@pytest.mark.long
def test_a_relative_error_is_met_by_components_that_are_stored_as_computed(stage, jets, capsys):
    stage("advise", jets, "--error", 0.01, "--measure", "relative", *FAST)
    said = capsys.readouterr()
    assert "Use float32-" in said.out
    assert "pca 1/1, " in said.out
    assert "relative error, 99 %" in said.out
