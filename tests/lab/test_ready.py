import threading

import pytest

from trustlab.lab.ready import Ahead


def test_rows_come_once_what_they_need_is_there():
    gate, done = threading.Event(), []
    ahead = Ahead(lambda: gate.wait(60) and done.append("built"))
    rows = ahead.before(iter([1, 2]))
    threading.Timer(0.05, gate.set).start()
    assert next(rows) == 1 and done == ["built"]
    assert list(rows) == [2]


def test_an_error_ahead_of_time_is_left_to_the_training():
    def rows():
        raise OSError("no corpus")
        yield

    ahead = Ahead(lambda: next(rows()))
    with pytest.raises(OSError, match="no corpus"):
        next(ahead.before(rows()))
