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


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    if importlib.util.find_spec("voila") is None:
        message = "NOT TESTED: voila is not installed; make setup installs it"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    folder = tmp_path_factory.mktemp("app")
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    nbformat.write(page, folder / "page.ipynb")
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
            assert status == 200 and "Voilà Home" in page


def test_a_token_is_made_unless_none_is_wanted(notebooks):
    with serving(notebooks) as ask:
        assert ask()[0] == 302
        (token,) = set(re.findall(r"token=(\w+)", (notebooks / "log").read_text()))
        assert ask(path=f"/?token={token}")[0] == 200
    with serving(notebooks, "--Voila.token=") as ask:
        assert ask()[0] == 200
        assert ask("evil.example")[0] == 403
