import itertools
import threading

import pytest

from trustlab.lab import job as job_module
from trustlab.lab.job import Job


def gated(steps, gate):
    for step in range(steps):
        assert gate.acquire(timeout=120)  # never open by itself
        yield {"step": step}


def test_rows_status_and_one_last_update():
    seen = []
    job = Job(({"step": i} for i in range(3)), lambda job: seen.append((job.status, len(job.rows))))
    assert job.status == "ready"
    assert not job.running
    assert job.start().wait(120) == [{"step": 0}, {"step": 1}, {"step": 2}]
    assert not job.running
    assert seen[-1] == ("complete", 3)
    assert [status for status, _ in seen].count("complete") == 1


def clocked(monkeypatch, rows, seconds_per_row, seconds_per_update=0.0):
    """Run a job on a clock of our own, and return the times at which it was shown while running."""
    clock = [0.0]
    shown = []

    def source():
        for i in range(rows):
            clock[0] += seconds_per_row
            yield {"step": i}

    def update(job):
        if job.status == "running":
            shown.append(clock[0])
            clock[0] += seconds_per_update

    monkeypatch.setattr(job_module.time, "monotonic", lambda: clock[0])
    job = Job(source(), update).start()
    job.wait()  # without a limit: the clock belongs to the job
    assert job.status == "complete"
    return shown


def test_updates_come_at_most_twenty_times_a_second(monkeypatch):
    shown = clocked(monkeypatch, rows=5000, seconds_per_row=0.001)
    assert 90 <= len(shown) <= 101  # five seconds
    assert min(b - a for a, b in itertools.pairwise(shown)) >= 0.05 - 1e-9


def test_the_first_row_is_shown_as_it_comes_and_a_second_of_training_in_fifteen_pictures_or_more(monkeypatch):
    shown = clocked(monkeypatch, rows=100, seconds_per_row=0.01, seconds_per_update=0.012)
    assert shown[0] == pytest.approx(0.01)
    assert len(shown) >= 15


def test_slow_rows_are_all_shown(monkeypatch):
    assert len(clocked(monkeypatch, rows=7, seconds_per_row=0.5)) == 7


def test_a_slow_update_takes_at_most_a_quarter_of_the_time(monkeypatch):
    shown = clocked(monkeypatch, rows=10_000, seconds_per_row=0.001, seconds_per_update=0.2)
    assert len(shown) * 0.2 <= 0.26 * (10 + len(shown) * 0.2)


def test_stop_closes_the_generator_and_keeps_the_rows():
    gate, closed = threading.Semaphore(0), []

    def source():
        try:
            yield from gated(100, gate)
        finally:
            closed.append(threading.current_thread().name)

    job = Job(source()).start()
    gate.release(2)
    while len(job.rows) < 2:
        pass
    job.stop()
    gate.release()
    assert len(job.wait(120)) == 3
    assert job.status == "stopped"
    assert closed == ["trustlab-job"]


def test_a_failing_generator_keeps_its_rows_and_its_error():
    def source():
        yield {"step": 0}
        raise ZeroDivisionError("no data")

    seen = []
    job = Job(source(), lambda job: seen.append((job.status, job.error))).start()
    with pytest.raises(ZeroDivisionError, match="no data"):
        job.wait(120)
    assert (job.status, job.rows) == ("failed", [{"step": 0}])
    assert seen[-1] == ("failed", job.error)


def test_a_failing_update_fails_the_job_and_closes_the_generator():
    closed = []

    def source():
        try:
            yield {"step": 0}
            yield {"step": 1}
        finally:
            closed.append(True)

    def update(job):
        raise KeyError("loss")

    job = Job(source(), update).start()
    with pytest.raises(KeyError, match="loss"):
        job.wait(120)
    assert (job.status, closed) == ("failed", [True])


def test_a_job_starts_once():
    job = Job(iter([])).start()
    job.wait(120)
    with pytest.raises(RuntimeError, match="got one that is complete"):
        job.start()


def test_starting_while_running_is_refused_and_waiting_has_a_limit():
    gate = threading.Semaphore(0)
    job = Job(gated(1, gate)).start()
    with pytest.raises(RuntimeError, match="got one that is running"):
        job.start()
    with pytest.raises(TimeoutError, match=r"still running after 0\.01 s"):
        job.wait(0.01)
    gate.release()
    assert job.wait(120) == [{"step": 0}]


def test_waiting_for_a_job_that_was_never_started():
    with pytest.raises(RuntimeError, match="call start"):
        Job(iter([])).wait()


def test_the_thread_does_not_keep_the_process_alive_and_nothing_is_printed(capsys):
    gate = threading.Semaphore(0)
    job = Job(gated(1, gate)).start()
    (thread,) = (each for each in threading.enumerate() if each.name == "trustlab-job")
    assert thread.daemon
    gate.release()
    job.wait(120)
    assert capsys.readouterr() == ("", "")
