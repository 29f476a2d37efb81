"""Cells are run again and again: what they showed before goes, and what another cell shows stays."""

import gc

import pytest
from ipywidgets.widgets.widget import _instances
from jupyter_client.manager import start_new_kernel

from trustlab.course.n11_dp_sgd_vs_edp_sgd.toy import clipping_toy
from trustlab.lab.teaching import hint, predict

MAKE = """from trustlab.course.n11_dp_sgd_vs_edp_sgd.toy import clipping_toy
from trustlab.lab.teaching import hint, predict"""
TIMES = 4  # IPython has names for the last three results: one more would show what each run leaves behind
COUNT = "from ipywidgets.widgets.widget import _instances; print(len(_instances))"


def count():
    gc.collect()
    return len(_instances)


@pytest.mark.parametrize(
    "make",
    [clipping_toy, lambda: predict("Why?", ["so", "not so"], 0, "It is."), lambda: hint("Look.", "Look again.")],
)
def test_what_nobody_holds_leaves_no_widget(make):
    before = count()
    held = make()
    one = count() - before
    for _ in range(TIMES):
        held = make()
    assert one and count() - before == one
    del held
    assert count() == before


class Kernel:
    """A kernel whose cells have ids, as JupyterLab sends them."""

    def __init__(self, client):
        self.client = client

    def run(self, code, cell=None):
        """Run `code` in the cell of this id and return what it printed."""
        message = self.client.session.msg(
            "execute_request",
            {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False},
            metadata={"cellId": cell} if cell else {},
        )
        self.client.shell_channel.send(message)
        said = []
        while True:
            heard = self.client.get_iopub_msg(timeout=120)
            if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            assert heard["msg_type"] != "error", "\n".join(heard["content"]["traceback"])
            if heard["msg_type"] == "stream":
                assert heard["content"]["name"] == "stdout", heard["content"]["text"]
                said.append(heard["content"]["text"])
            if heard["msg_type"] == "status" and heard["content"]["execution_state"] == "idle":
                return "".join(said).strip()


@pytest.fixture(scope="module")
def server():
    manager, client = start_new_kernel(kernel_name="python3")
    yield Kernel(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(server):
    """A kernel without widgets."""
    server.run(f"%reset -f\n{MAKE}\nimport ipywidgets; ipywidgets.Widget.close_all()")
    assert server.run(COUNT) == "0"
    return server


@pytest.mark.parametrize("cell", ["a1", None])
@pytest.mark.parametrize(
    "code",
    ["clipping_toy()", "panel = clipping_toy()\npanel", "predict('Why?', ['so', 'no'], 0, 'It is.')", "hint('a')"],
)
def test_more_runs_of_a_cell_leave_no_more_widgets_than_one(kernel, code, cell):
    kernel.run(code, cell)
    once = kernel.run(COUNT)
    for _ in range(TIMES):
        kernel.run(code, cell)
    assert kernel.run(COUNT) == once != "0"


def test_a_cell_that_was_run_again_holds_one_panel_in_memory(kernel):
    """IPython's history of results would hold every one, 7 MB each."""
    alive = "import gc; from trustlab.lab.panel import Panel; gc.collect(); "
    alive += "print(sum(type(each) is Panel for each in gc.get_objects()))"
    kernel.run("panel = clipping_toy()\npanel", "a1")
    once = kernel.run(alive)
    for _ in range(TIMES):
        kernel.run("panel = clipping_toy()\npanel", "a1")
    assert kernel.run(alive) == once
    assert kernel.run("7", "b2") == "" and kernel.run("print(_)", "c3") == "7"  # the history goes on


def test_what_another_cell_shows_stays_until_that_cell_is_run_again(kernel):
    kernel.run("panel = clipping_toy()", "make")
    kernel.run("panel", "show")
    once = int(kernel.run(COUNT))
    kernel.run("panel = clipping_toy()", "make")
    assert int(kernel.run(COUNT)) == 2 * once  # the first is still on the page
    kernel.run("panel", "show")
    assert int(kernel.run(COUNT)) == once


def test_the_same_panel_shown_again_keeps_its_widgets(kernel):
    kernel.run("panel = clipping_toy()\npanel", "make")
    before = kernel.run("print(panel.widget.model_id)")
    for _ in range(2):
        kernel.run("panel.reset()", "show")
    assert kernel.run("print(panel.widget.model_id)") == before


def test_a_panel_in_a_variable_can_be_shown_again(kernel):
    kernel.run("panel = clipping_toy()", "make")
    kernel.run("panel", "show")
    once = kernel.run(COUNT)
    kernel.run("None", "show")
    assert kernel.run(COUNT) == "0"
    kernel.run("panel.reset()", "elsewhere")
    assert kernel.run(COUNT) == once


def test_what_is_shown_into_an_output_stays(kernel):
    kernel.run("out = ipywidgets.Output(); out", "out")
    code = "with out:\n    display(clipping_toy())"
    kernel.run(code, "fill")
    once = int(kernel.run(COUNT))
    kernel.run(code, "fill")
    assert int(kernel.run(COUNT)) > once  # both are on the page
