"""Work that is spread over processes: results in order, bounded memory, and errors of the function."""

import operator
import os
import signal

import pytest

from baler_energy.errors import BalerEnergyError
from baler_energy.processes import mapping

OWN_ID = "__import__('os').getpid()"


def done(function, items, processes):
    with mapping(processes) as in_order:
        return list(in_order(function, items))


def test_results_come_in_the_order_of_the_items():
    assert done(operator.neg, range(50), 2) == [-item for item in range(50)]


def test_the_work_is_done_in_other_processes():
    assert os.getpid() not in set(done(eval, [OWN_ID] * 8, 2))


@pytest.mark.parametrize(("items", "processes"), [(20, 1), (7, 4), (0, 4), (20, 0)])
def test_few_items_or_a_single_process_are_done_in_this_process(items, processes):
    assert done(eval, [OWN_ID] * items, processes) == [os.getpid()] * items


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_of_the_function_are_raised(processes):
    with pytest.raises(ValueError, match="'x'"):
        done(int, [*"12345678", "x", "9"], processes)


def test_a_killed_process_is_reported():
    with pytest.raises(BalerEnergyError, match="out of memory"):
        done(signal.raise_signal, [signal.SIGKILL] * 8, 2)
