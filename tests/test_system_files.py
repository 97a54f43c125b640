"""Text of the system's files."""

from pathlib import Path

from baler_energy.system_files import system_text


def test_text_is_read_without_the_space_around_it_and_is_empty_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b" package-0 \xff\n")
    assert system_text(tmp_path / "name") == "package-0 \ufffd"
    assert system_text(tmp_path) == system_text(tmp_path / "missing") == ""
