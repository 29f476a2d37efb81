"""Sweeps: what is computed, kept, reported and left behind, with executors as users have them."""

import dataclasses
import errno
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from trustlab import runs
from trustlab.closure import closure
from trustlab.executors import Processes, RayTasks
from trustlab.intervals import mean_interval
from trustlab.lab.job import Job
from trustlab.runs import RunNotSavedError, RunStore
from trustlab.sweep import compute, sources, sweep

sys.path.insert(0, os.path.dirname(__file__))
import sweep_tasks  # importable by a fresh process


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration with a seed."""

    rate: float = 0.1
    seed: int = 0


CODE = {"code": "1"}


@pytest.fixture
def store(tmp_path):
    return RunStore(tmp_path / "runs")


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


def pids_gone(pids, seconds=5.0):
    """Whether none of the processes lives `seconds` later; a zombie has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        alive = [pid for pid in pids if _lives(pid)]
        if not alive:
            return True
        time.sleep(0.02)
    return False


def _lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(path, seconds=30):
    end = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} was never written"
        time.sleep(0.02)
    return path.read_text()


# What is computed, and what is found again


def test_a_second_sweep_computes_only_what_is_missing(store, threads):
    ran = []

    def rows(config):
        ran.append(config["x"])
        yield {"x": config["x"], "square": config["x"] ** 2}

    first = list(sweep(rows, [{"x": 1}, {"x": 2}], executor=threads, about=CODE, store=store))
    again = list(sweep(rows, [{"x": 3}, {"x": 2}, {"x": 1}], executor=threads, about=CODE, store=store))
    assert {each.rows[0]["square"] for each in first} == {1, 4} and not any(each.restored for each in first)
    assert [(each.config["x"], each.restored) for each in again] == [(2, True), (1, True), (3, False)]
    assert sorted(ran) == [1, 2, 3]
    assert [(each.place, each.of) for each in again] == [(1, 3), (2, 3), (3, 3)]
    list(sweep(rows, [{"x": 1}], executor=threads, about={"code": "2"}, store=store))
    assert sorted(ran) == [1, 1, 2, 3]


def test_a_run_is_found_by_whoever_asks_the_store_for_it(store, threads):
    (done,) = sweep(sweep_tasks.square, [Config(seed=3)], executor=threads, about=CODE, store=store)
    kept = store.get(Config(seed=3), seeds=[3], code="1")
    assert kept.rows == done.rows and kept.provenance == done.provenance and kept.status == "complete"
    assert list(store.fetch(lambda: pytest.fail("computed again"), config=Config(seed=3), seeds=[3], code="1"))


def test_the_code_is_the_functions_own_unless_named(store, threads):
    (done,) = sweep(sweep_tasks.square, [{"x": 2}], executor=threads, store=store)
    assert done.provenance["code_version"] not in ("", "unknown")
    with pytest.raises(TypeError, match=r"got partial\. A text is used unchanged: pass a version"):
        sweep(functools.partial(sweep_tasks.square), [{"x": 2}], executor=threads, store=store)


def test_what_fails_is_reported_with_its_configuration_and_the_others_go_on(store, threads):
    def rows(config):
        yield {"step": 0}
        if config["x"] == 2:
            raise FloatingPointError("loss is nan")
        yield {"step": 1}

    done = {
        each.config["x"]: each
        for each in sweep(rows, [{"x": x} for x in (1, 2, 3)], executor=threads, about=CODE, store=store)
    }
    assert [len(done[x].rows) for x in (1, 2, 3)] == [2, 1, 2]
    assert done[2].error == "FloatingPointError: loss is nan" and "in rows" in done[2].trace
    assert done[1].error == done[3].error == ""
    assert store.get({"x": 2}, code="1") is None and store.runs()[-1] is not None
    assert sorted(run.status for run in store.runs()) == ["complete", "complete", "failed"]


def test_progress_streams_to_a_panels_job(store, threads):
    outcomes = sweep(sweep_tasks.square, [{"x": x} for x in range(3)], executor=threads, about=CODE, store=store)
    job = Job({"step": each.place, "of": each.of} for each in outcomes).start()
    assert job.wait(10)[-1] == {"step": 3, "of": 3}


# What is refused


@pytest.mark.parametrize("twice", [[{"x": 1}, {"x": 1.5}, {"x": 1}], [Config(), Config(seed=0)]])
def test_the_same_configuration_twice_is_refused(twice, store, threads):
    with pytest.raises(ValueError, match=r"Expected different configurations, got .* twice.*own seed"):
        sweep(sweep_tasks.square, twice, executor=threads, about=CODE, store=store)


def test_what_cannot_be_sent_to_a_process_is_refused_by_name(store, monkeypatch):
    for function in (lambda config: [], sweep_tasks.made_inside()):
        with pytest.raises(TypeError, match=r"Expected what can be sent to another process, got .*module"):
            sweep(function, [{"x": 1}], about=CODE, store=store)
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "square", sweep_tasks.square, raising=False)
    monkeypatch.setattr(sweep_tasks.square, "__module__", "__main__")
    with pytest.raises(TypeError, match=r"Expected what another process can import, got .* of a notebook"):
        sweep(sweep_tasks.square, [{"x": 1}], about=CODE, store=store)


def test_workers_are_those_of_processes_here(store, threads):
    with pytest.raises(ValueError, match="got both"):
        sweep(sweep_tasks.square, [{"x": 1}], executor=threads, workers=2, about=CODE, store=store)
    with pytest.raises(ValueError, match="workers=0 >= 1"):
        list(sweep(sweep_tasks.square, [{"x": 1}], workers=0, about=CODE, store=store))


def test_a_worker_with_other_files_or_other_packages_is_refused(monkeypatch):
    about = {"code": closure(mean_interval)}
    key = runs.run_key({"x": 2}, **about)
    here = sources(sweep_tasks.square)
    run, _ = compute(sweep_tasks.square, {"x": 2}, about, key, here)
    assert run.status == "complete"
    run, _ = compute(sweep_tasks.square, {"x": 2}, about, key, "another")
    assert run.status == "failed" and "install the same commit on both" in run.provenance["error"]
    monkeypatch.setattr("trustlab.provenance.installed", lambda name: "0.0")
    run, _ = compute(sweep_tasks.square, {"x": 2}, about, key, here)
    assert run.status == "failed" and "requirements.lock on both" in run.provenance["error"]


def test_a_disk_that_is_full_before_refuses_and_one_that_fills_keeps_the_rows_in_memory(store, threads, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "probe", full)
        with pytest.raises(RunNotSavedError, match="No space left"):
            sweep(sweep_tasks.square, [{"x": 1}], executor=threads, about=CODE, store=store)
    list(sweep(sweep_tasks.square, [{"x": 1}], executor=threads, about=CODE, store=store))
    monkeypatch.setattr(runs, "write_whole", full)
    done = list(sweep(sweep_tasks.square, [{"x": x} for x in (1, 2, 3)], executor=threads, about=CODE, store=store))
    assert [each.restored for each in done] == [True, False, False]
    assert {each.rows[0]["square"] for each in done} == {1, 4, 9} and not done[0].unsaved
    assert all("No space left on device" in each.unsaved and not each.error for each in done[1:])
    monkeypatch.setattr(runs, "probe", full)  # and where nothing is missing, nothing has to be written
    assert [
        each.restored for each in sweep(sweep_tasks.square, [{"x": 1}], executor=threads, about=CODE, store=store)
    ] == [True]


# Stop


def test_stop_and_closing_keep_what_is_done_and_begin_nothing_more(store):
    begun, go_on, stop = [], threading.Event(), threading.Event()

    def rows(config):
        begun.append(config["x"])
        if config["x"] == 1:
            assert go_on.wait(10)
        yield {"x": config["x"]}

    with ThreadPoolExecutor(1) as executor:
        outcomes = sweep(rows, [{"x": x} for x in range(5)], executor=executor, about=CODE, store=store, stop=stop)
        assert next(outcomes).config == {"x": 0}
        stop.set()
        assert list(outcomes) == []
        go_on.set()
    assert begun in ([0], [0, 1]) and next(run.rows for run in store.runs()) == [{"x": 0}]


def test_what_was_done_but_not_looked_at_is_kept_when_the_iterator_is_closed(store):
    with ThreadPoolExecutor(1) as executor:
        outcomes = sweep(sweep_tasks.square, [{"x": x} for x in range(4)], executor=executor, about=CODE, store=store)
        next(outcomes)
        executor.submit(int).result()  # the queue is empty: all four are done
        outcomes.close()
    assert sorted(run.rows[0]["square"] for run in store.runs()) == [0, 1, 4, 9]


# Processes of this machine


def test_processes_compute_one_that_is_killed_costs_nothing_and_one_that_kills_is_reported(store, tmp_path):
    tasks = [{"do": do, "folder": str(tmp_path), "seed": seed} for seed, do in enumerate(["pid", "die once", "die"])]
    done = {each.config["do"]: each for each in sweep(sweep_tasks.act, tasks, workers=2, about=CODE, store=store)}
    assert done["pid"].error == "" and done["pid"].rows[0]["pid"] != os.getpid()
    assert done["die once"].error == "" and done["die once"].rows[0]["attempt"] == 2
    assert done["die"].error.startswith("BrokenProcessPool: Expected a task that leaves its process alive")
    assert len((tmp_path / "die").read_text()) == 3
    assert pids_gone([row["pid"] for each in done.values() for row in each.rows])
    again = list(sweep(sweep_tasks.act, tasks[:2], workers=2, about=CODE, store=store))
    assert all(each.restored for each in again)


def test_stop_ends_a_process_that_computes_within_two_seconds(store, tmp_path):
    stop = threading.Event()
    tasks = [{"do": "sleep", "folder": str(tmp_path), "seed": 0}, {"do": "pid", "folder": str(tmp_path), "seed": 1}]
    outcomes = sweep(sweep_tasks.act, tasks, workers=1, about=CODE, store=store, stop=stop)
    threading.Thread(target=lambda: (wait_for(tmp_path / "sleep"), stop.set()), daemon=True).start()
    assert list(outcomes) == []
    stopped = time.monotonic()
    assert pids_gone([int((tmp_path / "sleep").read_text())], seconds=2)
    assert time.monotonic() - stopped < 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ctrl_c_and_a_killed_parent_leave_the_results_so_far_and_no_process(how, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job's shell has it ignored
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "import sweep_tasks\n"
        "from trustlab.sweep import sweep\n"
        'if __name__ == "__main__":\n'
        f"    tasks = [dict(do=do, folder={str(tmp_path)!r}, seed=0) for do in ('pid', 'sleep')]\n"
        "    for done in sweep(sweep_tasks.act, tasks, workers=1, about={'code': '1'}):\n"
        "        print(done.place, flush=True)\n"
    )
    environment = {**os.environ, "TRUSTLAB_RUNS": str(tmp_path / "runs"), "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, str(script)], env=environment, start_new_session=True, stderr=subprocess.PIPE, text=True
    )
    try:
        child = int(wait_for(tmp_path / "sleep"))
        # Ctrl-C reaches every process of the terminal's group
        os.killpg(parent.pid, how) if how == signal.SIGINT else parent.kill()
        said = parent.communicate(timeout=20)[1]
        assert parent.returncode and pids_gone([child], seconds=2)
        assert how == signal.SIGKILL or (said.count("Traceback") == 1 and "KeyboardInterrupt" in said)
    finally:
        parent.kill()
    assert len(RunStore(tmp_path / "runs").runs()) == 1


@pytest.fixture
def ctrl_c():
    """Ctrl-C as in a terminal: a shell starts background jobs with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Dropping:
    """Ctrl-C comes while this is deleted, where Python drops what it raises."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_that_python_drops_while_a_result_is_saved_ends_the_sweep_too(ctrl_c, threads, store, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr(store, "keep", lambda run: Dropping() and None)

    def rows(config):
        yield {"ended": config.seed == 0 or never.wait(30)}

    before = signal.getsignal(signal.SIGINT)
    outcomes = sweep(rows, [Config(seed=seed) for seed in range(3)], executor=threads, about=CODE, store=store)
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(outcomes)
        assert time.monotonic() - started < 20 and signal.getsignal(signal.SIGINT) is before
    finally:
        never.set()


def test_ctrl_c_that_the_caller_takes_is_the_callers(ctrl_c, threads, store):
    seeds = []
    for done in sweep(
        sweep_tasks.square, [Config(seed=s) for s in range(3)], executor=threads, about=CODE, store=store
    ):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        seeds.append(done.config.seed)
    assert sorted(seeds) == [0, 1, 2]


class KilledWorker(Exception):
    """As Dask calls it."""


class Blaming(ThreadPoolExecutor):
    """Gives up all tasks of the first cohort, as Dask does beside one that kills workers; then that one only."""

    def __init__(self):
        super().__init__(1)
        self.submitted, self.unfinished, self.beside = [], 0, []

    def submit(self, function, asked, config, *rest):
        self.submitted.append(config.seed)
        self.beside.append(self.unfinished)
        self.unfinished += 1

        def blamed():
            self.unfinished -= 1
            if config.seed == 1 or self.submitted.count(config.seed) == 1:
                raise KilledWorker(f"task {config.seed}")
            return function(asked, config, *rest)

        return super().submit(blamed)


def test_a_task_that_is_given_up_beside_one_that_kills_workers_is_done_again_alone(store):
    with Blaming() as executor:
        done = list(sweep(sweep_tasks.square, [Config(seed=seed) for seed in range(3)], executor=executor, store=store))
    assert [each.place for each in done] == [1, 2, 3]
    assert {each.config.seed: (each.error, each.rows) for each in done} == {
        0: ("", [{"square": 0}]), 1: ("KilledWorker: task 1", []), 2: ("", [{"square": 4}])}  # fmt: skip
    assert sorted(executor.submitted) == [0, 0, 1, 1, 2, 2] and executor.beside[3:] == [0, 0, 0]  # alone, once


def test_processes_are_an_executor_like_others():
    with Processes(1) as executor:
        assert list(executor.map(abs, [-1, -2])) == [1, 2]
        assert isinstance(executor.submit(int, "nought").exception(), ValueError)
        with pytest.raises(TypeError, match="Expected what can be sent"):
            executor.submit(lambda: 1)
    with pytest.raises(RuntimeError):
        executor.submit(int)


# Ray, by a stand-in that answers as Ray does: a task begins at once, a future does not cancel its task


class StandInRay:
    """`remote(f).remote(x)` is a reference whose `future()` is a concurrent future; errors come wrapped."""

    def __init__(self):
        self.threads, self.cancelled, self.connected = ThreadPoolExecutor(2), [], True

    def is_initialized(self):
        return self.connected

    def cancel(self, reference):
        self.cancelled.append(reference)

    def remote(self, function):
        ray = self

        class Reference:
            def __init__(self, args, kwargs):
                self.done = Future()
                ray.threads.submit(self.run, args, kwargs)

            def run(self, args, kwargs):
                try:
                    answer = function(*args, **kwargs)
                except Exception as error:
                    self.done.set_exception(error)
                else:
                    if not self.done.cancelled():
                        self.done.set_result(answer)

            def future(self):
                return self.done

        class Remote:
            def remote(self, *args, **kwargs):
                return Reference(args, kwargs)

        return Remote()


@pytest.fixture
def ray(monkeypatch):
    stand_in = StandInRay()
    monkeypatch.setitem(sys.modules, "ray", stand_in)
    yield stand_in
    stand_in.threads.shutdown()


def test_ray_computes_reports_and_is_cancelled(ray, store):
    def rows(config):
        if config["x"] == 1:
            raise ValueError("one")
        if config["x"] == 2:
            time.sleep(0.5)
        yield {"x": config["x"]}

    outcomes = sweep(rows, [{"x": x} for x in (0, 1, 2)], executor=RayTasks(), about=CODE, store=store)
    first = [next(outcomes), next(outcomes)]
    assert sorted(each.error for each in first) == ["", "ValueError: one"]
    outcomes.close()
    assert len(ray.cancelled) == 1


def test_ray_is_never_started_without_being_asked_and_a_closed_executor_takes_nothing(ray):
    with RayTasks() as executor:
        future = executor.submit(abs, -1)
    assert future.result(0) == 1
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(abs, -1)
    ray.connected = False
    with pytest.raises(RuntimeError, match=r"Expected a cluster\. Call ray\.init"):
        RayTasks()
