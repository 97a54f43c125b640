"""The files of a study, and its mistakes in words."""

import copy
import fnmatch
from pathlib import Path

import pytest
import yaml

from baler_energy.analysis.savings import SETTING
from baler_energy.config.reading import changed, read_files
from baler_energy.config.recommended import BALER, BALER_EPOCHS, RECOMMENDED, RECOMMENDED_EPOCHS
from baler_energy.config.study import load_study
from baler_energy.errors import InputError

#: What a setting changes in the training; these studies choose the number of threads.
TRAINED = [axis for axis in SETTING if axis != "threads"]


def test_a_file_that_is_not_a_study_is_reported_by_name(tmp_path: Path):
    path = tmp_path / "study.yaml"
    for text in ("- a\n", "a: [", "!!python/object/apply:os.system ['true']"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"study\.yaml"):
            load_study(path)
    with pytest.raises(InputError, match=r"none\.yaml: cannot be read: No such file or directory\."):
        load_study(tmp_path / "none.yaml")
    path.write_bytes(b"\x80\x81")
    with pytest.raises(InputError, match=r"study\.yaml: is not a YAML file"):
        load_study(path)


@pytest.mark.parametrize("twice", ["data", "jets"])
def test_a_key_that_occurs_twice_is_refused(tmp_path: Path, study, twice):
    text = yaml.safe_dump(study(data={"jets": {"source": "toy"}, "jet2": {"source": "toy", "seed": 2}}))
    path = tmp_path / "study.yaml"
    path.write_text(text)
    assert len(load_study(path).data) == 2
    path.write_text(text.replace("jet2:", "jets:") if twice == "jets" else text + "data: {toy: {source: toy}}\n")
    with pytest.raises(InputError, match=rf"study\.yaml.*the key '{twice}' occurs more than once(.|\n)*line \d+"):
        load_study(path)


def test_keys_that_only_look_alike_and_merged_keys_are_fine(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text("1: a\n'1': b\nbase: &base {x: 1, y: 2}\nother:\n  <<: *base\n  x: 3\n")
    assert read_files([path]) == {1: "a", "1": "b", "base": {"x": 1, "y": 2}, "other": {"x": 3, "y": 2}}


def test_further_files_change_and_add_keys(study, tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump(study()))
    changes = {"name": "mine", "data": {"other": {"source": "toy", "seed": 9}}, "axes": {"dataset": ["other"]}}
    second.write_text(yaml.safe_dump(changes))
    loaded = load_study([first, second])
    expected = study(name="mine", data={**study()["data"], **changes["data"]})
    assert loaded == load_study(expected | {"axes": {**expected["axes"], "dataset": ["other"]}})
    assert loaded.name == "mine" and {point.dataset for point in loaded.points} == {"other"}
    second.write_text("- no mapping")
    with pytest.raises(InputError, match=r"second\.yaml: a study must be a mapping"):
        load_study([first, second])


def test_snakemake_merges_files_alike(study):
    from snakemake.utils import update_config

    first, second = study(), {"name": "mine", "data": {"toy": {"seed": 4}}, "axes": {"rows": [7]}, "new": {"a": 1}}
    merged = copy.deepcopy(first)
    update_config(merged, second)
    assert changed(first, second) == merged


@pytest.mark.parametrize(("file", "dataset"), [("worth-file.yaml", "dimuons"), ("worth-nanoaod.yaml", "nano_jets")])
def test_the_shipped_changes_of_a_study_are_valid(repository, file, dataset):
    paths = [repository / "config" / "studies" / "worth.yaml", repository / "config" / file]
    loaded, original = load_study(paths), load_study(paths[0])
    assert {point.dataset for point in loaded.points} == {dataset}
    assert len(loaded.points) == len(original.points) and loaded.name != original.name
    assert bool(loaded.data[dataset].derived) == (dataset == "dimuons")
    command = f"--configfile config/studies/worth.yaml config/{file}"
    for page in (*paths, repository / "docs" / "open-data.md"):
        assert command in page.read_text(encoding="utf-8"), page


def test_the_shipped_changes_of_the_recommended_study_have_more_epochs_of_the_same_setting(repository):
    names = ("studies/recommended.yaml", "recommended-file.yaml")
    points = [p for p in load_study([repository / "config" / name for name in names]).points if p.repeat == 0]
    assert {(p.dataset, p.rows) for p in points} == {("dimuons", "all")}
    found = {(p.epochs, *(getattr(p, axis) for axis in TRAINED)) for p in points}
    recommended = {**BALER, **RECOMMENDED}
    cases = [(BALER, (BALER_EPOCHS,)), (recommended, (1, 5, 25, 50, 100))]
    settings = {(n, *(how[axis] for axis in TRAINED)) for how, epochs in cases for n in epochs}
    assert found == settings and len({p.threads for p in points}) == 1


def test_a_written_study_reads_back_the_same(study, tmp_path: Path):
    loaded = load_study(study(pue=1.25, profile={"points": [{"rows": 100, "epochs": 2}]}))
    loaded.write(tmp_path / "study.yaml")
    again = load_study(tmp_path / "study.yaml")
    assert again == loaded
    assert again.points == loaded.points


def test_shipped_studies_are_valid(repository: Path):
    files = [repository / "config" / "config.yaml", *(repository / "config" / "studies").glob("*.yaml")]
    names = {load_study(path).name for path in files}
    shipped = {"laptop", "smoke", "original-2023", "gpu", "engines", "worth", "savings", "recommended", "runtimes"}
    shipped |= {"runtimes-gpu", "learning-rates", "forecast"}
    assert names == shipped


def test_studies_of_savings_compare_the_recommended_setting_with_the_default(repository: Path):
    for name in ("savings", "recommended"):
        points = load_study(repository / "config" / "studies" / f"{name}.yaml").points
        found = {(p.epochs, *(getattr(p, axis) for axis in TRAINED)) for p in points}
        for setting, epochs in ((BALER, BALER_EPOCHS), ({**BALER, **RECOMMENDED}, RECOMMENDED_EPOCHS)):
            assert (epochs, *(setting[axis] for axis in TRAINED)) in found


def test_the_study_of_codecs_has_its_grid(repository: Path):
    points = load_study(repository / "config" / "studies" / "worth.yaml").points
    packings = {point.packing for point in points if point.transform == "identity"}
    for lossless in ("lz4", "zstd", "zlib", "lzma", "pcodec", "blosc2", "parquet"):
        assert fnmatch.filter(packings, f"{lossless}*"), lossless
    for inner in ("zlib", "lzma", "lz4", "zstd"):
        assert all(fnmatch.filter(packings, f"{kind}-{inner}-*") for kind in ("root", "rntuple")), inner
    for bounded in ("quantise-*+pcodec", "quantise-*+zstd-3", "sz3-*", "sz2-*", "zfp-*", "float32-*+pcodec"):
        assert len(fnmatch.filter(packings, bounded)) >= 5, bounded
    trained = {(p.transform, p.start, p.epochs, p.compression_ratio, "quantise" in p.packing) for p in points}
    assert {("baler", "random", 100, 2, False), ("baler", "pca", 100, 2, True)} <= trained
    for quantised in (False, True):
        assert {("baler", start, n, 2, quantised) for start in ("random", "pca") for n in (5, 25)} <= trained
        assert {("baler", "random", 25, ratio, quantised) for ratio in (2, 4, 8)} <= trained
        assert {("baler", "pca", 25, ratio, True) for ratio in (2, 4, 8)} <= trained
        assert {("pca", None, None, ratio, quantised) for ratio in (2, 4, 8)} <= trained
    assert {p.threads for p in points} == {1, 2}


def test_the_original_study_has_its_grid(repository: Path):
    loaded = load_study(repository / "config" / "studies" / "original-2023.yaml")
    assert loaded.axes.epochs == (5, 100, 500)
    assert loaded.axes.batch_size == (512, 1024)
    assert max(loaded.axes.rows or ()) == 519_741
    assert loaded.axes.compression_ratio == (2.0,)
    assert loaded.axes.precision == ("float64",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cuntry": "CHE"}, "cuntry: unknown key. Did you mean 'country'?"),
        ({"xyzzy": 1}, "xyzzy: unknown key (a typo?)"),
        ({"axes": {"rows": [100], "epoch": [1]}}, "axes.epoch: unknown key. Did you mean 'epochs'?"),
        ({"data": {"a": {"source": "toy", "shard_row": 9}}}, "shard_row: unknown key. Did you mean 'shard_rows'?"),
        ({"data": {"a": {"source": "file", "path": "x", "shard_rows": 9}}}, "shard_rows: unknown key (a typo?)"),
        (
            {"data": {"a": {"source": "toy", "derived": {"m": {"sum": ["pt"], "windws": {}}}}}},
            "windws: unknown key. Did you mean 'windows'?",
        ),
        ({"data": {"a": {"sourse": "toy"}}}, "data.a.source: is missing (is 'sourse' a typo?)"),
        ({"repeats": {"leest": 3}}, "repeats.leest: unknown key. Did you mean 'least'?"),
        ({"training": {"hold_out": 0.1}}, "training.hold_out: unknown key. Did you mean 'held_out'?"),
        ({"axes": {"rows": 500, "epochs": [1]}}, "axes.rows: is 500; should be a list: [500]"),
        ({"axes": {"rows": "all", "epochs": [1]}}, 'axes.rows: is "all"; should be a list: [all]'),
        ({"axes": {"rows": [100], "epochs": {"a": 1}}}, "axes.epochs: should be a list"),
        ({"axes": [100]}, "axes: is [100]; should be a mapping of keys to values"),
        ({"data": "x.root"}, 'data: is "x.root"; should be a mapping of keys to values'),
        ({"country": "Germany"}, "Did you mean DEU (Germany)?"),
        ({"country": "Germny"}, "Did you mean DEU (Germany)?"),
        ({"country": "de"}, "Did you mean DEU (Germany)?"),
        ({"country": "che"}, "country"),
        ({"country": "XXX"}, "is not an ISO 3166-1 alpha-3 code"),
        ({"pue": 0.9}, "pue: is 0.9; should be greater than or equal to 1"),
        ({"name": "../up"}, "name"),
        ({"repeats": 0}, "repeats"),
        ({"design": "random"}, "'factorial' or 'one-at-a-time'"),
        ({"design": "one-at-a-time"}, "needs the key 'reference'"),
        ({"axes": {"rows": [1], "epochs": [1]}}, "axes.rows.0"),
        ({"axes": {"rows": [100, 100], "epochs": [1]}}, "without duplicates"),
        ({"axes": {"rows": [], "epochs": [1]}}, "at least one value"),
        ({"axes": {"rows": ["all"], "epochs": [1]}}, "'all' requires a file"),
        ({"axes": {"rows": [100]}}, "needs the axis 'epochs'"),
        ({"axes": {"epochs": [1]}}, "needs the axis 'rows'"),
        ({"axes": {"rows": [100], "epochs": [1], "dataset": ["x"]}}, "dataset 'x' is not defined under 'data'"),
        ({"axes": {"rows": [100], "epochs": [1], "precision": ["float8"]}}, "axes.precision.0"),
        (
            {"data": {"toy": {"source": "tou"}}},
            "data.toy.source: is \"tou\"; should be one of 'pythia8', 'toy'",
        ),
        ({"data": {"toy": {"source": "file"}}}, "path: is missing"),
        ({"data": {"toy": {"source": "file", "path": "x", "layout": "leading"}}}, "go together"),
        ({"data": {"a/b": {"source": "toy"}}}, "data.a/b"),
        ({"measurement": {"min_window_s": -1}}, "measurement.min_window_s: is -1; should be greater than 0"),
        ({"measurement": {"meters": ["ammeter"]}}, "measurement.meters.0"),
        ({"measurement": {"threads": 2}}, "measurement.threads: unknown key"),
        ({"axes": {"rows": [100], "epochs": [1], "threads": [0]}}, "axes.threads.0: is 0"),
        ({"axes": {"rows": [100], "epochs": [1], "threads": ["all"]}}, 'axes.threads.0: is "all"'),
        ({"profile": {"points": [{"rows": 7}]}}, "no point of the grid"),
        ({"profile": {"points": [{"row": 100}]}}, "unknown axis 'row'"),
        (
            {"carbon_intensity_g_per_kwh": 30},
            "set only one of country, carbon_intensity_g_per_kwh, carbon_intensity_csv",
        ),
        ({"country": None, "carbon_intensity_g_per_kwh": -1}, "carbon_intensity_g_per_kwh: is -1"),
        ({"measurement": {"meters": ["zeus"]}}, "measurement.meters.0"),
        (
            {"measurement": {"calibrate_s": 0.01}},
            "measurement.calibrate_s: is 0.01; should be greater than or equal to 0.05",
        ),
        ({"peers": {"tools": ["zeus"]}}, "'tools' needs 'points'"),
        (
            {"peers": {"tools": ["eco2ai"], "points": [{}]}},
            "peers.tools.0: is \"eco2ai\"; should be 'zeus', 'carbontracker', 'perun' or 'pyjoules'",
        ),
        ({"peers": {"points": [{"epochs": 7}]}}, "peers.points[0]: no point of the grid"),
        ({"wattmeter": {"file": "x.csv"}}, "wattmeter.file: unknown key"),
        (
            {"wattmeter": {"path": "x.csv", "clock_offset_s": 1e300}},
            "wattmeter.clock_offset_s: is 1e+300; should be less than or equal to 4000000000",
        ),
        (
            {"wattmeter": {"path": "x.csv", "clock_offset_s": -1e10}},
            "clock_offset_s: is -10000000000.0; should be greater",
        ),
        (
            {"measurement": {"idle_s": 1e12}},
            "measurement.idle_s: is 1000000000000.0; should be less than or equal to 2000000",
        ),
        (
            {"profile": {"time_limit_s": 10**7}},
            "profile.time_limit_s: is 10000000; should be less than or equal to 2000000",
        ),
        ({"break_even": {"reads": {"value": 5, "low": 6}}}, "'value' (5) must be between 'low' (6) and 'high' (5)"),
        ({"break_even": {"pue": {"value": 1.2, "low": 0.9}}}, "a PUE cannot be below 1"),
        ({"break_even": {"years": 0}}, "break_even.years: is 0; should be greater than 0"),
        ({"break_even": {"disk_price": {"value": 5}}}, "break_even.disk_price: unknown key"),
    ],
)
def test_a_mistake_is_reported_with_its_key_and_what_is_allowed(study, changes, message):
    with pytest.raises(InputError) as caught:
        load_study(study(**changes))
    assert message in str(caught.value)


def test_all_mistakes_are_reported_at_once(study):
    with pytest.raises(InputError, match="3 mistakes"):
        load_study(study(pue=0, repeats=0, seed="x"))
