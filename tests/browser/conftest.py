"""JupyterLab as `make lab` starts it, in a headless browser, on a copy of the notebooks without their outputs."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1000  # playwright counts in milliseconds
FLAGS = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update"
SETTINGS = {
    # Every cell is in the page, whether it is on the screen or not.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# What `make setup` puts into the environment: a question about news would lie over the page, and a notebook
# that is opened without a kernel shows its panels as they were saved.
FOUND = re.findall(r'^\w+ := ("@jupyter.+)$', (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
OVERRIDES = f"{{{', '.join(FOUND)}}}"
ID = re.compile(rb'"msg_id": ?"([^"]+)"')
LAB = pytest.StashKey()

expect.set_options(timeout=60 * SECONDS)


class Notebook:
    """One notebook in its own browser page."""

    def __init__(self, page, cells, started):
        self.page, self.cells, self._started = page, cells, started
        self.complaints = []  # what the page's own scripts threw or logged as an error
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._logged)
        self._unanswered = set()  # messages of widgets that the kernel has not handled yet, by their ids
        page.on("websocket", self._listen)

    def run_first(self):
        """Press Shift + Enter in the first code cell, once a kernel is there; return when that was heard.

        Right after loading the key is lost, as `run_all`'s command is: then it is pressed again.
        """
        self._wait_for_a_kernel()
        cell = self.page.locator(".jp-CodeCell").first
        heard = cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]"))
        for _ in range(10):
            with contextlib.suppress(Error):
                self._take_the_kernel_offered()
                cell.locator(".cm-content").click(timeout=8 * SECONDS)
                pressed = time.monotonic()
                self.page.keyboard.press("Shift+Enter")
                heard.wait_for(timeout=8 * SECONDS)
                return pressed
        raise AssertionError("JupyterLab did not hear Shift + Enter in ten attempts.")

    def run_all(self):
        """Give the menu's command. It is lost when it comes right after loading, so it is given until it is heard.

        Before the kernel has answered, JupyterLab takes the command for a wish to choose another one and asks. Should
        that happen on a busy machine all the same, the kernel it offers is taken, as a reader would.
        """
        self._wait_for_a_kernel()
        heard = self.page.locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]")).first
        for _ in range(10):
            with contextlib.suppress(Error):  # the question may come between a look and a click: then all again
                self._take_the_kernel_offered()
                self.page.get_by_role("menuitem", name="Run", exact=True).click(timeout=8 * SECONDS)
                self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click(timeout=8 * SECONDS)
                heard.wait_for(timeout=8 * SECONDS)
                return
        raise AssertionError("JupyterLab did not hear Run All Cells in ten attempts.")

    def _wait_for_a_kernel(self):
        """Wait until the status bar names an idle kernel: the notebook's indicator says idle before there is one."""
        idle = self.page.locator(".jp-StatusBar-Widget").get_by_text(re.compile(r"^(?!No Kernel).* \| Idle$")).first
        idle.wait_for(state="attached", timeout=180 * SECONDS)

    def _take_the_kernel_offered(self):
        asked = self.page.locator("dialog.jp-Dialog", has_text="Select Kernel")
        if asked.count():
            asked.locator(".jp-mod-accept").click(timeout=8 * SECONDS)

    def wait_for_the_end(self, seconds):
        """Wait until the last cell has its number, and no cell waits for its own."""
        prompts = self.page.locator(".jp-CodeCell .jp-InputPrompt")
        expect(prompts.filter(has_text=f"[{self.cells}]:")).to_have_count(1, timeout=seconds * SECONDS)
        expect(prompts.filter(has_text="[*]")).to_have_count(0)

    def troubles(self):
        """What a reader would see of a cell or a widget that failed; everything on stderr counts."""
        failed = self.page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"],'
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'
        )
        unshown = self.page.get_by_text(re.compile("Error displaying widget|Loading widget"))
        return [*failed.all_inner_texts(), *unshown.all_inner_texts()]

    def panel(self, title):
        """The panel of this title."""
        return self.panels(title).first

    def panels(self, title):
        return self.page.locator(".trustlab-panel", has=self.page.get_by_text(title, exact=True))

    def reset(self, panel):
        """Press a panel's Reset, and wait until the kernel has handled it.

        It hears the widgets of a panel in several threads: what is pressed next could come before, and be undone.
        """
        panel.get_by_role("button", name="Reset", exact=True).click()
        ends = time.monotonic() + 60
        while self._unanswered:
            assert time.monotonic() < ends, "The kernel did not say that it is idle again."
            self.page.wait_for_timeout(20)

    def _listen(self, socket):
        if socket.url.partition("?")[0].endswith("/channels"):  # the kernel's
            socket.on("framesent", self._sent)
            socket.on("framereceived", self._received)

    def _sent(self, frame):
        if b'"comm_msg"' in frame:
            self._unanswered |= set(ID.findall(frame)[:1])

    def _received(self, frame):
        if self._unanswered and re.search(rb'"execution_state": ?"idle"', frame):
            self._unanswered -= set(ID.findall(frame))

    def question(self):
        """The first question to predict."""
        return self.page.locator(".trustlab-panel", has=self.page.get_by_role("button", name="Commit")).first

    def choose(self, *items):
        """Choose an item of the menus, by the way to it."""
        first, *rest = items
        self.page.get_by_role("menuitem", name=first, exact=True).click()
        for item in rest:
            entry = self.page.locator(".lm-Menu-item", has=self.page.get_by_text(item, exact=True)).last
            entry.hover()
        entry.click()

    def wear(self, theme):
        """Choose the "Light" or the "Dark" theme and wait until its style sheet is there."""
        self.choose("Settings", "Theme", f"JupyterLab {theme}")
        background = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color0').trim()"
        dark = "['#111', '#111111', 'black', 'rgb(17, 17, 17)'].includes"
        wanted = f"document.body.dataset.jpThemeLight == '{str(theme == 'Light').lower()}'"
        self.page.wait_for_function(f"{wanted} && {dark}({background}) == {str(theme == 'Dark').lower()}")

    def violations(self):
        """What axe-core finds against the rules of accessible pages within panels, questions and hints."""
        found = Axe().run(self.page, context=".trustlab-panel").response
        assert len(found["passes"]) > 5  # it did look
        return [
            f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:300]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def seconds_since_server_start(self):
        return time.monotonic() - self._started

    def _logged(self, message):
        # A resource that is missing or out of reach is the server's or the network's affair.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


class Lab:
    """A JupyterLab server with its files in `folder`, and a browser beside it."""

    def __init__(self, folder):
        self.folder, self.root, self.shots = folder, folder / "root", folder / "screenshots"
        self.notebooks = []
        self.shots.mkdir()
        shutil.copytree(ROOT / "notebooks", self.root / "notebooks", ignore=shutil.ignore_patterns(".*", "__pycache__"))
        shutil.copy(ROOT / "GLOSSARY.md", self.root)
        for name, settings in SETTINGS.items():
            path = folder / "settings" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(settings))
        (folder / "overrides").mkdir()
        (folder / "overrides" / "overrides.json").write_text(OVERRIDES)

    @contextlib.contextmanager
    def serving(self):
        """Start the server; stop it, and with it the kernels, whatever happens."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = ["--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
        options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={self.root}"]
        options += [f"--LabApp.app_settings_dir={self.folder / 'overrides'}"]
        options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        # Nothing of the user's: no settings, and no kernel of another environment under the same name.
        own = {f"JUPYTER_{name.upper()}_DIR": str(self.folder / name) for name in ("config", "data", "runtime")}
        own |= {f"JUPYTERLAB_{name.upper()}_DIR": str(self.folder / name) for name in ("settings", "workspaces")}
        env = {name: value for name, value in os.environ.items() if name != "JUPYTER_PATH"} | own
        self.started = time.monotonic()
        with open(self.folder / "server.log", "wb") as log:
            command = [sys.executable, "-m", "jupyterlab", *options]
            self.server = subprocess.Popen(command, env=env, cwd=self.root, stdout=log, stderr=subprocess.STDOUT)
            try:
                self._wait_for_server()
                yield self
            finally:
                self.server.terminate()
                try:
                    self.server.wait(30)
                except subprocess.TimeoutExpired:
                    self.server.kill()
                    self.server.wait()

    def _wait_for_server(self, seconds=120):
        ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
        while time.monotonic() < self.started + seconds:
            assert self.server.poll() is None, f"JupyterLab ended at once:\n{self.log_tail()}"
            with contextlib.suppress(urllib.error.URLError, OSError):
                ask(f"{self.url}/api", timeout=5).close()
                return
            time.sleep(0.2)
        raise AssertionError(f"JupyterLab did not answer within {seconds} s:\n{self.log_tail()}")

    def open(self, name):
        """Open a notebook in a page of its own."""
        path = self.root / "notebooks" / f"{name}.ipynb"
        content = json.loads(path.read_text())
        code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
        for cell in code:
            cell.update(outputs=[], execution_count=None)  # a number in the page is one of this run
        path.write_text(json.dumps(content))
        page = self.context.new_page()
        notebook = Notebook(page, len(code), self.started)
        self.notebooks.append(notebook)
        page.goto(f"{self.url}/lab/workspaces/{name}/tree/notebooks/{path.name}")
        expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(len(content["cells"]))
        return notebook

    def write(self, name, *sources):
        """Write a notebook of these cells, to be opened."""
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(
            nbformat.v4.new_notebook(cells=cells, metadata=kernel), self.root / "notebooks" / f"{name}.ipynb"
        )

    def picture(self, locator, name):
        """Save what the reader sees of `locator`, also where TRUSTLAB_SCREENSHOTS says."""
        locator.scroll_into_view_if_needed()
        path = self.shots / f"{name}.png"
        locator.screenshot(path=path)
        if elsewhere := os.environ.get("TRUSTLAB_SCREENSHOTS"):
            Path(elsewhere).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, elsewhere)
        return path

    def log_tail(self, lines=40):
        return "\n".join((self.folder / "server.log").read_text(errors="replace").splitlines()[-lines:])


@pytest.fixture(scope="module")
def lab(request, chromium, tmp_path_factory):
    """A server and a browser for the tests of one module."""
    with Lab(tmp_path_factory.mktemp("lab")).serving() as lab, sync_playwright() as playwright:
        flags = [f"--{flag}" for flag in f"{FLAGS} disable-sync".split()]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        lab.context = browser.new_context(viewport={"width": 1280, "height": 1400})
        lab.context.set_default_timeout(60 * SECONDS)
        request.config.stash[LAB] = lab
        try:
            yield lab
        finally:
            del request.config.stash[LAB]
            browser.close()


@pytest.fixture
def no_complaints(lab):
    """The page's own scripts threw nothing and logged no error during the test."""
    yield
    complaints = [complaint for notebook in lab.notebooks for complaint in notebook.complaints]
    for notebook in lab.notebooks:
        notebook.complaints.clear()
    assert complaints == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show with a failure what the server said last and what each page showed."""
    report = yield
    lab = item.config.stash.get(LAB, None)
    if report.failed and lab is not None:
        shots = []
        for i, notebook in enumerate(lab.notebooks):
            path = lab.shots / f"{item.name}-{call.when}-failed-{i}.png"
            with contextlib.suppress(Error):
                notebook.page.bring_to_front()  # a page in the background paints nothing
                notebook.page.screenshot(path=path, timeout=10 * SECONDS)
                shots.append(str(path))
        report.sections.append(("The pages when it failed", "\n".join(shots)))
        report.sections.append(("The end of JupyterLab's log", lab.log_tail()))
    return report
