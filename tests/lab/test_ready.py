import threading

import pytest

from trustlab.lab.ready import Ahead, once


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


def test_two_callers_at_the_same_time_make_one_call():
    gate, calls, got = threading.Event(), [], []

    @once
    def built(corpus, seed):
        calls.append(seed)
        assert gate.wait(60)
        return object()

    corpus = {"train": []}
    callers = [threading.Thread(target=lambda: got.append(built(corpus, 0))) for _ in range(2)]
    for caller in callers:
        caller.start()
    gate.set()
    for caller in callers:
        caller.join()
    assert calls == [0] and got[0] is got[1]
    assert built({"train": []}, 0) is not got[0]  # an equal corpus is another one: it may be changed
    assert built(corpus, 0.0) is not got[0] and built(corpus, True) is not got[0]
