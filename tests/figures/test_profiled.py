"""Which profiler a figure shows."""

from baler_energy.figures.profiled import profiler_of, tool_of
from baler_energy.variants import PROFILERS


def test_each_subject_of_a_figure_has_one_profiler() -> None:
    shown = [(subject, name) for name, kind in PROFILERS.items() for subject in kind.shows]
    assert [profiler_of(subject) for subject, _ in shown] == [name for _, name in shown]
    assert {name for _, name in shown} == PROFILERS.keys()
    assert (profiler_of("samples"), tool_of("samples")) == ("pyspy", "py-spy")
