import threading

from trustlab.course.once import once


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
