"""`make app` answers this machine, by its own name, and whoever has the token."""

import contextlib
import http.client
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time

import nbformat
import pytest

CODE = """import dataclasses
from trustlab.config import option
from trustlab.lab.curves import Curves
from trustlab.lab.panel import Answer, Panel

@dataclasses.dataclass(frozen=True)
class Place:
    height: int = option(1, label="Height", help="Of the line.", values=(0, 1, 2))

def answer(at):
    rows = [{"x": x, "y": at.height * x, "line": "it"} for x in range(3)]
    return Answer(rows, f"Up by {at.height}.", "computed here")

Panel(Place(), title="Up?", drawing=Curves("x", "y", "line", x_label="x"), answer=answer)
"""


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    if importlib.util.find_spec("voila") is None:
        message = "NOT TESTED: voila is not installed; make setup installs it"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    folder = tmp_path_factory.mktemp("app")
    cells = [
        nbformat.v4.new_markdown_cell("# A page\n\nIt has $x^2$. Run the next cell."),
        nbformat.v4.new_code_cell(CODE),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "page.ipynb")
    return folder


@contextlib.contextmanager
def serving(folder, *options):
    """Serve `folder`, and yield a way to ask for a page by Host and path."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "trustlab.app", str(folder), "--no-browser", f"--port={port}", *options]
    with open(folder / "log", "w+") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

        def ask(host=f"127.0.0.1:{port}", path="/"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.getheader("Location", "")

        try:
            deadline = time.monotonic() + 120
            while True:
                assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                time.sleep(0.1)
            ask.port = port
            yield ask
        finally:
            server.terminate()
            server.wait(30)


def test_only_loopback_names_and_only_with_the_token(notebooks):
    with serving(notebooks, "--token=secret") as ask:
        assert ask("evil.example")[0] == 403
        assert ask("evil.example", "/?token=secret")[0] == 403
        status, _, where = ask()
        assert status == 302 and "/login" in where
        for host in ("127.0.0.1", "localhost"):
            status, page, _ = ask(host, "/?token=secret")
            assert status == 200 and "Trustworthy language models" in page and "/voila/render/page.ipynb" in page


def test_a_token_is_made_unless_none_is_wanted(notebooks):
    with serving(notebooks) as ask:
        assert ask()[0] == 302
        (token,) = set(re.findall(r"token=(\w+)", (notebooks / "log").read_text()))
        assert ask(path=f"/?token={token}")[0] == 200
    with serving(notebooks, "--Voila.token=") as ask:
        assert ask()[0] == 200
        assert ask("evil.example")[0] == 403


def test_a_page_shows_its_panel_without_words_about_code_and_asks_no_other_server(notebooks, chromium):
    from playwright.sync_api import expect, sync_playwright

    with serving(notebooks, "--token=secret") as ask, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page, elsewhere = browser.new_page(), []
        here = f"http://127.0.0.1:{ask.port}/"
        page.on("request", lambda r: r.url.startswith((here, "data:", "blob:")) or elsewhere.append(r.url))
        page.goto(f"{here}?token=secret")
        page.get_by_role("link", name="A page").click()
        panel = page.locator(".trustlab-panel")
        expect(panel).to_contain_text("Up by 1.", timeout=120_000)
        slider = panel.get_by_role("slider", name="Height")
        slider.focus()
        slider.press("ArrowRight")
        expect(panel).to_contain_text("Up by 2.", timeout=60_000)
        expect(page.get_by_text("It has")).to_be_visible()
        expect(page.locator("mjx-container")).to_have_count(1)  # mathematics is drawn by what comes with voila
        assert page.get_by_text("next cell").count() == page.get_by_text("dataclasses").count() == 0
        page.get_by_role("link", name="All notebooks").click()
        expect(page.get_by_role("heading", name="Trustworthy language models")).to_be_visible()
        browser.close()
    assert elsewhere == []
