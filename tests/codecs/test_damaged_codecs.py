"""Compressed files and checkpoints: damaged in any way, also with valid checksums, they end as data or one message."""

import copy
import hashlib
import io
import json
import os
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mutations import COUNT, ended, mutations, survived

from baler_energy.codecs.baler.checkpoint import Checkpoint
from baler_energy.codecs.baler.in_memory import InMemoryCodec
from baler_energy.codecs.baler.streaming import streaming_codec
from baler_energy.codecs.container import Reader, StoredBlock, Writer
from baler_energy.codecs.corrections import Corrections
from baler_energy.codecs.facts import Facts
from baler_energy.codecs.identity import Identity
from baler_energy.codecs.pca import Pca, fit
from baler_energy.codecs.streaming import StreamingCodec
from baler_energy.codecs.tensors import read_tensors
from baler_energy.codecs.upstream.files import read_features, read_model
from baler_energy.data.table import Table
from baler_energy.errors import InputError
from baler_energy.formats import open_sink, open_source

CPU = torch.device("cpu")
#: What a damaged or hostile file may contain instead of a value.
NASTY = (None, True, -1, 0, 10**10, 10**30, 1.5, float("nan"), "", "x", "object", "S9999999", [], {}, [[]], {"a": {}})
PACKINGS = ("none", "zstd", "lz4", "zlib", "lzma", "pcodec", "blosc2", "float32+zstd", "quantise-0.01+pcodec")
LAYOUTS = ("table", "parquet", "hdf5", "root")


def decompressed(path: Path) -> bytes:
    """Decompress a file of the transform identity, to a file of the kind that its layout states."""
    facts = Reader(path).facts
    identity = Identity(facts.names, facts.dtypes)
    codec = StreamingCodec(identity, lambda: identity.encode, lambda: identity.decode, threads=1)
    out = path.with_name("back")
    codec.decompress(path, out)
    return out.read_bytes()


def written(path: Path, table: Table, file_format: str) -> Path:
    layouts: dict[str, dict[str, Any]] = {
        "table": {},
        "parquet": {"compression": "zstd"},
        "hdf5": {
            "kind": "group",
            "path": "/t",
            "stored": list(table.dtypes),
            **dict.fromkeys(("compression", "compression_opts")),
            "shuffle": False,
        },
        "root": {"kind": "TTree", "tree": "t", "title": "", "jagged": [], "counter": None, "compression": None},
    }
    layout = {"format": file_format, **layouts[file_format]}
    with open_sink(path, table.names, table.dtypes, layout, {**table.origin}) as sink:
        from baler_energy.formats import Block

        sink.write(Block(table.data))
    return path


def compressed(folder: Path, table: Table, packing: str, file_format: str = "table") -> Path:
    data = written(folder / f"data-{file_format}", table, file_format)
    with open_source(data, file_format=file_format) as source:
        identity = Identity(source.names, source.dtypes)
        codec = StreamingCodec(identity, lambda: identity.encode, lambda: identity.decode, packing=packing, threads=1)
        codec.compress(source, folder / f"{packing}-{file_format}.baler")
    return folder / f"{packing}-{file_format}.baler"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sealed(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    """Write members to a compressed file with valid checksums."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, values in content.items():
            archive.writestr(name, values)
    whole = path.read_bytes()[:-2] + (64).to_bytes(2, "little")
    path.write_bytes(whole + hashlib.sha256(whole).hexdigest().encode())


def header_of(content: dict[str, bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(str(np.load(io.BytesIO(content["header.npy"]))))
    return found


def with_header(content: dict[str, bytes], header: object) -> dict[str, bytes]:
    buffer = io.BytesIO()
    np.save(buffer, np.array(json.dumps(header)))
    return content | {"header.npy": buffer.getvalue()}


def spoiled(value: Any, rng: random.Random) -> Any:
    """Replace one value somewhere in nested dictionaries and lists."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        return {**value, key: spoiled(value[key], rng)}
    if isinstance(value, list | tuple) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], spoiled(value[place], rng), *value[place + 1 :]]
    return rng.choice(NASTY)


@pytest.fixture
def files(tmp_path: Path, table: Table) -> list[Path]:
    """Compressed files with every packing and of every kind of file."""
    small = table.first(40)
    by_packing = [compressed(tmp_path, small, packing) for packing in PACKINGS]
    return by_packing + [compressed(tmp_path, small, "zstd", layout) for layout in LAYOUTS[1:]]


def test_a_damaged_compressed_file_is_refused(tmp_path: Path, files: list[Path]) -> None:
    assert survived(decompressed, tmp_path, files) == []


def test_damage_under_a_valid_checksum_ends_as_data_or_as_one_message(tmp_path: Path, files: list[Path]) -> None:
    rng, path = random.Random(1), tmp_path / "damaged.baler"
    for _ in range(COUNT):
        content = members(rng.choice(files))
        name = rng.choice(list(content))
        (damaged,) = mutations(content[name], 1, rng.randrange(1 << 30))
        sealed(path, content | {name: damaged})
        ended(decompressed, path)


def test_any_header_ends_as_data_or_as_one_message(tmp_path: Path, files: list[Path]) -> None:
    rng, path = random.Random(2), tmp_path / "damaged.baler"
    for _ in range(COUNT):
        content = members(rng.choice(files))
        sealed(path, with_header(content, spoiled(header_of(content), rng)))
        ended(decompressed, path)


@pytest.fixture
def checkpoint_file(tmp_path: Path, checkpoint: Checkpoint) -> Path:
    checkpoint.write(tmp_path / "c.pt")
    return tmp_path / "c.pt"


def test_a_damaged_checkpoint_is_refused_or_whole(tmp_path: Path, checkpoint_file: Path) -> None:
    expected = Checkpoint.read(checkpoint_file).content_hash
    assert all(found.content_hash == expected for _, found in survived(Checkpoint.read, tmp_path, [checkpoint_file]))


def test_any_content_of_a_checkpoint_ends_as_data_or_as_one_message(tmp_path: Path, checkpoint_file: Path) -> None:
    content, rng, path = torch.load(checkpoint_file, weights_only=True), random.Random(3), tmp_path / "damaged.pt"
    for _ in range(COUNT):
        torch.save(spoiled(copy.copy(content), rng), path)
        ended(Checkpoint.read, path)


@pytest.fixture
def pca_file(tmp_path: Path, table: Table) -> Path:
    table.write(tmp_path / "t.npz")
    with open_source(tmp_path / "t.npz") as source:
        fit(source, 3)[0].write(tmp_path / "pca.pt")
    return tmp_path / "pca.pt"


def test_a_damaged_file_of_components_is_refused_or_whole(tmp_path: Path, pca_file: Path) -> None:
    expected = Pca.read(pca_file).content_hash
    assert all(found.content_hash == expected for _, found in survived(Pca.read, tmp_path, [pca_file]))


def test_any_components_end_as_data_or_as_one_message(tmp_path: Path, pca_file: Path) -> None:
    content, rng, path = members(pca_file), random.Random(4), tmp_path / "damaged.pt"
    for _ in range(COUNT // 2):
        changed = with_header(content, spoiled(header_of(content), rng))
        name = rng.choice(("features.npy", "mean.npy", "components.npy"))
        (damaged,) = mutations(content[name], 1, rng.randrange(1 << 30))
        for one in (changed, content | {name: damaged}):
            with zipfile.ZipFile(path, "w") as archive:
                for member, values in one.items():
                    archive.writestr(member, values)
            ended(Pca.read, path)


@pytest.fixture
def model_file(tmp_path: Path, checkpoint: Checkpoint) -> Path:
    """Write ``model.pt`` as Baler does."""
    torch.save(dict(checkpoint.parameters), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def test_a_damaged_model_of_baler_is_refused_or_whole(tmp_path: Path, model_file: Path) -> None:
    """PyTorch does not compare the checksums of the zip: it would load other weights."""
    expected = read_model(model_file)[1]
    for _, (_, found) in survived(read_model, tmp_path, [model_file]):
        assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_damaged_features_of_baler_end_as_data_or_as_one_message(tmp_path: Path, checkpoint: Checkpoint) -> None:
    np.save(tmp_path / "f.npy", checkpoint.normalisation.features)
    survived(read_features, tmp_path, [tmp_path / "f.npy"])


def test_a_damaged_state_of_a_training_is_refused_or_whole(tmp_path: Path) -> None:
    state = {"key": "k", "training": {"model": {"w": torch.arange(50.0)}}, "history": "[]", "segments": "[]"}
    torch.save(state, tmp_path / "state.pt")
    for _, found in survived(lambda path: read_tensors(path, "state"), tmp_path, [tmp_path / "state.pt"]):
        assert torch.equal(found["training"]["model"]["w"], torch.arange(50.0))


# What a compressed file must agree with


@pytest.mark.parametrize(
    "changes",
    [
        {"names": ("eta", "pt", "charge", "constant", "flag", "small")},
        {"dtypes": ("float64",) * 6},
        {"latent": 2},
        {"precision": "float32"},
    ],
)
def test_columns_that_are_not_the_checkpoints_are_refused(
    tmp_path: Path, checkpoint: Checkpoint, changes: dict[str, Any]
) -> None:
    """The file states the checkpoint's checksum, and its own is valid."""
    facts = replace(Facts.of(checkpoint, "none", {}), **changes)
    latents = np.zeros((4, facts.latent or 0), facts.precision)
    with Writer(tmp_path / "t.baler", facts) as writer:
        writer.write(StoredBlock((latents,)))
    with pytest.raises(InputError, match=r"t\.baler: is damaged: its columns.*not those of the checkpoint"):
        InMemoryCodec(checkpoint, CPU, 10).decompress(tmp_path / "t.baler")
    with pytest.raises(InputError, match=r"t\.baler: is damaged: its columns.*not those of the checkpoint"):
        streaming_codec(checkpoint, CPU, threads=1).decompress(tmp_path / "t.baler", tmp_path / "back.npz")
    assert not (tmp_path / "back.npz").exists()


def bounded(path: Path, checkpoint: Checkpoint, packing: str, corrections: Corrections | None) -> Path:
    with Writer(path, Facts.of(checkpoint, packing, {})) as writer:
        writer.write(StoredBlock((np.zeros((4, 3)),), corrections))
    return path


@pytest.mark.parametrize(
    ("packing", "marks", "exact", "words"),
    [
        ("zstd+bound-0.01", None, 0, "lacks its corrections"),
        ("zstd", 0, 0, "corrections without a bound"),
        ("zstd+bound-0.01", 2, 1, "1 exact values for 2 marks"),
        ("zstd+bound-0.01", 0, 3, "3 exact values for 0 marks"),
    ],
)
def test_missing_corrections_are_damage(
    tmp_path: Path, checkpoint: Checkpoint, packing: str, marks: int | None, exact: int, words: str
) -> None:
    steps = np.zeros((4, 6), np.int16)
    steps[:marks, 0] = np.iinfo(np.int16).min
    corrections = None if marks is None else Corrections(steps, np.zeros(exact))
    path = bounded(tmp_path / "t.baler", checkpoint, packing, corrections)
    for read in (
        lambda: InMemoryCodec(checkpoint, CPU, 10).decompress(path),
        lambda: streaming_codec(checkpoint, CPU, threads=1).decompress(path, tmp_path / "back.npz"),
    ):
        with pytest.raises(InputError, match=rf"t\.baler.*{words}"):
            read()
    whole = bounded(path, checkpoint, "zstd+bound-0.01", Corrections(np.zeros((4, 6), np.int16), np.zeros(0)))
    assert len(InMemoryCodec(checkpoint, CPU, 10).decompress(whole).data) == 4


@pytest.mark.parametrize("counts", [[5, -1], [3], [2, 3], []])
def test_counts_that_do_not_add_up_are_damage(tmp_path: Path, checkpoint: Checkpoint, counts: list[int]) -> None:
    with Writer(tmp_path / "t.baler", Facts.of(checkpoint, "none", {})) as writer:
        writer.write(StoredBlock((np.zeros((4, 3)),), counts=np.array(counts, np.int32)))
    with pytest.raises(InputError, match="numbers of objects disagree"):
        list(Reader(tmp_path / "t.baler").blocks())


# Files that are made to fill the memory


def block_of(rows: int, packing: str) -> bytes:
    """Pack zeros for the columns of `stated`."""
    from baler_energy.codecs.packing import Packing

    coder = Packing.parse(packing).coder
    assert coder is not None
    return coder.encode_all([np.zeros(rows), np.zeros(rows)])


def stated(path: Path, packing: str, rows: int, content: bytes, **block: Any) -> None:
    """Write a file of two columns, with one block that states a number of rows."""
    with Writer(path, Facts(("a", "b"), ("float64",) * 2, None, None, None, packing=packing, transform="identity")):
        pass
    found = members(path)
    header = header_of(found) | {"rows": rows, "blocks": [{"rows": rows, "exact": None, "events": None} | block]}
    suffix = {"zstd": "zst", "lz4": "lz4", "zlib": "zlib", "lzma": "xz", "blosc2": "blosc2", "pcodec": "pco"}
    entry = {f"00000000/packed.{suffix.get(packing, packing)}": content}
    sealed(path, entry | with_header(found, header))


@pytest.mark.parametrize("packing", ["zstd", "lz4", "zlib", "lzma", "blosc2", "pcodec"])
def test_a_block_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path, packing: str) -> None:
    rows = 17 << 20
    content = block_of(1 << 16, packing)
    for claimed in (rows, 10**10, 10**30):
        stated(tmp_path / "t.baler", packing, claimed, content)
        with pytest.raises(InputError, match=r"t\.baler: states [\d,]+ B of values in [\d,]+ B"):
            list(Reader(tmp_path / "t.baler").blocks())
    stated(tmp_path / "t.baler", packing, 10, block_of(10, packing), events=10**10)
    with pytest.raises(InputError, match=r"t\.baler: states"):
        list(Reader(tmp_path / "t.baler").blocks())


def test_a_zip_of_compressed_entries_is_no_compressed_file(tmp_path: Path, table: Table) -> None:
    path = compressed(tmp_path, table.first(20), "zstd")
    sealed(path, members(path) | {"names.npy": bytes(1 << 20)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="compressed by method 8"):
        Reader(path)


def test_a_checkpoint_of_compressed_entries_is_refused(tmp_path: Path, checkpoint_file: Path) -> None:
    content = members(checkpoint_file)
    with zipfile.ZipFile(tmp_path / "d.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in content.items():
            archive.writestr(name, values)
    with pytest.raises(InputError, match="compressed by method 8"):
        Checkpoint.read(tmp_path / "d.pt")


def test_tensors_of_more_numbers_than_are_stored_are_refused(
    tmp_path: Path, checkpoint: Checkpoint, checkpoint_file: Path
) -> None:
    content = torch.load(checkpoint_file, weights_only=True)
    wide = content["architecture"] | {"hidden": [200, 100_000, 100_000]}
    torch.save(content | {"architecture": wide}, tmp_path / "d.pt")
    with pytest.raises(InputError, match=r"d\.pt.*parameter en2\.weight"):
        Checkpoint.read(tmp_path / "d.pt")
    many = 10**10
    parameters = dict(checkpoint.parameters) | {
        "de4.weight": torch.zeros(1, dtype=torch.float64).expand(many, 200),
        "de4.bias": torch.zeros(1, dtype=torch.float64).expand(many),
        "en1.weight": torch.zeros(1, dtype=torch.float64).expand(200, many),
    }
    torch.save(parameters, tmp_path / "model.pt")
    with pytest.raises(InputError, match="more numbers than are stored"):
        read_model(tmp_path / "model.pt")


@pytest.mark.parametrize("key", ["version", "names", "architecture"])
def test_lists_that_stand_for_more_values_than_fit_into_memory_are_refused(
    tmp_path: Path, checkpoint_file: Path, key: str
) -> None:
    """A message that shows such a value would never end."""
    content = torch.load(checkpoint_file, weights_only=True)
    value: object = ["x"]
    for _ in range(24):
        value = [value, value]
    torch.save(content | {key: value}, tmp_path / "d.pt")
    with pytest.raises(InputError, match=r"d\.pt.*more than 10,000,000 values"):
        Checkpoint.read(tmp_path / "d.pt")


# Files that are none


@pytest.mark.parametrize("door", [Reader, Checkpoint.read, Pca.read, read_model, read_features])
def test_pipes_and_devices_are_refused_before_they_are_read(tmp_path: Path, door: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(InputError, match="is not a file"):
            door(tmp_path / name)
