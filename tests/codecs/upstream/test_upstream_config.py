"""Projects of upstream Baler: folders that it finds, and configurations that it runs but that are never run here."""

import math
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.codecs.upstream.config import (
    EXTRA,
    Config,
    Folder,
    config_text,
    exact_ratio,
    read_config,
    type_list,
)
from baler_energy.errors import InputError

CONFIG = Config("workspaces/w/p/data/p_data.npz", 2.0, "AE", ("float64", "int64"))


def _run(text: str) -> dict:
    scope: dict = {}
    exec(compile(text, "config", "exec"), scope)
    values = SimpleNamespace()
    scope["set_config"](values)
    return vars(values)


@given(st.text(), st.floats(1, 100), st.dictionaries(st.text(), st.text() | st.integers()))
def test_a_text_never_becomes_code(text, ratio, extra):
    config = Config(text, ratio, text, (text,), extra=extra)
    values = _run(config_text(config))
    assert (values["input_path"], values["compression_ratio"], values["type_list"]) == (text, ratio, [text])
    assert values.get(EXTRA, {}) == extra


def test_the_values_read_are_those_that_baler_gets(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(config_text(CONFIG))
    assert read_config(path) == _run(config_text(CONFIG))


def test_early_stopping_is_on_where_a_patience_is_given():
    assert _run(config_text(CONFIG))["early_stopping"] is False
    values = _run(config_text(Config("a", 2.0, "AE", (), early_stopping_patience=3)))
    assert (values["early_stopping"], values["early_stopping_patience"], values["min_delta"]) == (True, 3, 0)


def test_a_configuration_is_never_run(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        f"open({str(tmp_path / 'exploded')!r}, 'w')\n"
        "def set_config(c):\n    c.epochs = 3\n    c.model_name = __import__('os').name\n"
        "    c.type_list = ['int'] * 4\n    c.lr = 1\n    c.lr = 10 ** 3\n    other = 5\n    c.a = c.b = 4\n"
    )
    assert read_config(path) == {"epochs": 3}
    assert not (tmp_path / "exploded").exists()


def test_a_value_that_is_set_twice_is_the_one_that_baler_gets_or_none(tmp_path):
    path = tmp_path / "config.py"
    path.write_text(
        "def other(c):\n    c.epochs = 9\n"
        "def set_config(c):\n    c.epochs = 8\n"
        "def set_config(c):\n"
        "    c.epochs = 3\n    c.epochs = 4\n"
        "    c.lr = 1\n    if c.epochs > 3:\n        c.lr = 2\n"
        "    if c.epochs > 3:\n        c.apply_normalization = False\n    c.apply_normalization = True\n"
        "    c.batch_size = 5\n    c.batch_size *= 2\n"
        "    c.seed = 1\n    (c.seed, other) = (2, 3)\n"
        "def last(c):\n    c.epochs = 9\n"
    )
    baler = _run(path.read_text())
    assert read_config(path) == {name: baler[name] for name in ("epochs", "apply_normalization")}
    assert baler["lr"] == 2 and baler["batch_size"] == 10 and baler["seed"] == 2


@pytest.mark.parametrize("text", [b"def set_config(c:", b"\x00", b"\xff\xfe", b"(" * 100_000])
def test_a_file_that_is_not_python_is_refused(text, tmp_path):
    path = tmp_path / "p_config.py"
    path.write_bytes(text)
    with pytest.raises(InputError, match=r"p_config\.py: is not valid Python"):
        read_config(path)
    os.mkfifo(tmp_path / "fifo")
    for missing in (tmp_path / "nowhere.py", tmp_path, tmp_path / "fifo"):
        with pytest.raises(InputError, match=f"{missing}: cannot be read"):
            read_config(missing)


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_the_ratio_gives_the_latent_columns(widths):
    columns, latent = widths
    assert math.ceil(columns / exact_ratio(columns, latent)) == latent


def test_every_small_table_has_its_ratio():
    for columns in range(1, 150):
        for latent in range(1, columns + 1):
            assert math.ceil(columns / exact_ratio(columns, latent)) == latent
    # The plain quotient is not enough.
    assert any(math.ceil(n / (n / z)) != z for n in range(1, 150) for z in range(1, n + 1))


def test_no_type_wraps_around():
    assert type_list(("bool", "uint8", "int16", "uint64", "float32", "float64")) == ("int64",) * 4 + (
        "float32",
        "float64",
    )


@pytest.mark.parametrize("path", ["workspaces/w/p", "/a/b/workspaces/CMS_workspace/jets-2"])
def test_folders_that_baler_finds(path):
    Folder(Path(path)).check()


@pytest.mark.parametrize(
    "path", ["w/p", "workspaces/p", "workspaces/w/p.1", "workspaces/-w/p", "workspaces/w/p q", "/", "workspaces/w/p/x"]
)
def test_folders_that_baler_does_not_find(path):
    with pytest.raises(InputError, match="workspaces/WORKSPACE/PROJECT"):
        Folder(Path(path)).check()


def test_paths_of_a_project():
    folder = Folder(Path("/a/workspaces/w/p"))
    assert folder.root == Path("/a")
    assert folder.config == Path("/a/workspaces/w/p/config/p_config.py")
    assert folder.model == Path("/a/workspaces/w/p/output/compressed_output/model.pt")
