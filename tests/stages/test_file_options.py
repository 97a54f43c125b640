"""The type of options that are numbers."""

import argparse

import pytest

from baler_energy.stages.file_options import number_type


@pytest.mark.parametrize(
    ("inclusive", "allowed"),
    [("both", ["0", "0.5", "2"]), ("right", ["1e-300", "2"]), ("neither", ["1e-300", "1.99"])],
)
def test_a_number_is_between_its_ends(inclusive, allowed):
    parse = number_type(0, 2, inclusive=inclusive)
    assert [parse(text) for text in allowed] == [float(text) for text in allowed]
    ends = {"both": [], "right": ["0"], "neither": ["0", "2"]}[inclusive]
    for text in (*ends, "-0.1", "2.1", "nan", "inf", "much", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a number"):
            parse(text)


def test_a_number_without_an_upper_end_is_finite():
    parse = number_type(0)
    assert parse("1e300") == 1e300
    for text in ("inf", "nan", "-1"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"is not a number of at least 0$"):
            parse(text)


def test_a_message_names_both_ends():
    with pytest.raises(argparse.ArgumentTypeError, match=r"^'3' is not a number above 0 and at most 2$"):
        number_type(0, 2, inclusive="right")("3")
