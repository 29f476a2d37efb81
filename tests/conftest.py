"""What every test may count on."""

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

# Two workers share two cores, so a time limit per example would measure the neighbour. In CI the examples are fixed:
# a red build can be repeated.
hypothesis.settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def empty_run_store(tmp_path_factory):
    """Tests find no run of the user's and leave none behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRUSTLAB_RUNS", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture(scope="session")
def chromium():
    """Path of the system's Chromium; without one a test is skipped, in CI it fails."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    message = "no Chromium on the PATH; on Debian: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true but {message}")
    pytest.skip(message)


@pytest.fixture(scope="session")
def real_folder():
    """Where the real corpora lie, if they do: TRUSTLAB_DATA, else ../shared/data beside the checkout."""
    return Path(os.environ.get("TRUSTLAB_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data(real_folder):
    """The folder of real corpora; tests that need it are skipped where it is not."""
    if not real_folder.is_dir():
        pytest.skip(
            f"NOT TESTED ON REAL DATA: neither TRUSTLAB_DATA nor ../shared/data beside the checkout ({real_folder})"
        )
    return real_folder


@pytest.fixture
def work_of(monkeypatch):
    """What a move costs, in things that can be counted on any machine; `make bench ARGS=panels` measures the time."""

    from trustlab.lab import panel as panel_module  # loads matplotlib and ipywidgets

    def count(panel, **values):
        done = {"answers": 0, "draws": 0, "pictures": 0}

        def counted(name, call):
            def counting(*arguments, **options):
                done[name] += 1
                return call(*arguments, **options)

            return counting

        with monkeypatch.context() as patch:
            patch.setattr(panel, "answer_at", counted("answers", panel.answer_at))
            patch.setattr(panel.drawing, "draw", counted("draws", panel.drawing.draw))
            patch.setattr(panel_module, "svg", counted("pictures", panel_module.svg))
            panel.set(**values)
        return done

    return count


ONCE = {"answers": 1, "draws": 1, "pictures": 1}


@pytest.fixture
def assert_moves_are_cheap(work_of):
    """Each move is answered, drawn and encoded once, on the axes that were there; and it lays nothing on top."""

    def check(panel, moves):
        moves = list(moves)
        for values in moves:
            panel.set(**values)
        axes = panel.drawing.figure.axes
        artists = [len(each.get_children()) for each in axes]
        for values in moves:
            assert work_of(panel, **values) == ONCE
        assert panel.drawing.figure.axes == axes
        assert [len(each.get_children()) for each in axes] == artists

    return check
