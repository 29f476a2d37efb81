import math

from benchmarks import page, panels
from trustlab.course.gallery import ALL


def test_moves_go_through_every_position_of_every_control():
    panel = ALL["31 effect size"]()
    seen = [(name, value) for move in panels.positions(panel) for name, value in move.items()]
    for name, control in panel.controls.items():
        assert {value for moved, value in seen if moved == name} == {value for _, value in control.options}


def test_the_kernels_part_of_each_move_is_timed():
    panel = ALL["31 effect size"]()
    times = panels.kernel_milliseconds(panel)
    assert len(times) == len(list(panels.positions(panel))) and min(times) > 0


def test_the_page_leaves_the_pictures_a_second_of_a_panel_empty(monkeypatch):
    import pandas

    row = {"panel": "a", "ms, p50": 31.0, "ms, p95": 62.4, "CPU ms, p95": 8.0, "pictures per second": math.nan}
    about = {"config": {"threads": 2, "cores": 2, "processor": "x86_64", "peers": "jupyterlab 4"}}
    about |= {"versions": {"torch": "2"}, "started": "2026-11-28T00:00:00"}
    table = pandas.DataFrame([row, {**row, "panel": "b", "pictures per second": 24.6}])
    monkeypatch.setattr(page, "read_results", lambda name: (table, about))
    lines = page.panels().splitlines()
    assert "| a | 31 ms | 62 ms | 8 ms |  |" in lines
    assert "| b | 31 ms | 62 ms | 8 ms | 25 |" in lines
