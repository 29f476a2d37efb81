"""The notebooks as pages, by voila, on this machine only and for anyone who has the token.

voila by itself answers to any host name, so that any website can reach it through a name that points to 127.0.0.1 (DNS
rebinding), it has no login, its list is one of files, and its pages load icon fonts from a public server. Here it
answers loopback names only, as JupyterLab does, requires a token, which is part of the address it opens, lists the
course, shows notebooks without what only makes sense with code, and loads nothing from elsewhere.

``--Voila.token=`` (empty) turns the token off; ``--Voila.ip=0.0.0.0`` serves other machines, by any name.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from trustlab.course_page import course_page
from trustlab.without_code import without_code

TEMPLATES = Path(__file__).parent / "app_pages"
# Nothing but what this server sends: were a page to name another server, the browser would not ask it.
ONLY_HERE = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' ws: wss: data: blob:; "
    "frame-ancestors 'self'"
)


def local_voila() -> type:
    """Return the voila that has JupyterLab's check of the Host header and a token.

    Raises
    ------
    ModuleNotFoundError
        If voila is not installed; it comes with the extra ``app``.
    """
    try:
        from voila.app import Voila
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("Expected voila: pip install -c requirements.lock -e '.[app]'.") from error

    class LocalVoila(Voila):
        """voila for requests from this machine that carry the token."""

        name = "voila"  # as its configuration files call it

        def init_settings(self) -> dict[str, Any]:
            if self.token is None:
                self.auto_token = True
            settings = super().init_settings()
            settings["allow_remote_access"] = not is_loopback(self.ip)
            settings["local_hostnames"] = ["localhost"]
            settings["headers"] = {"Content-Security-Policy": ONLY_HERE} | settings.get("headers", {})
            return settings

        def setup_template_dirs(self) -> None:
            super().setup_template_dirs()
            self.template_paths = [str(TEMPLATES), *self.template_paths]
            self.voila_configuration.prelaunch_hook = lambda request, notebook, cwd: without_code(notebook)

        def init_handlers(self) -> list[Any]:
            handlers = super().init_handlers()
            if self.notebook_path:
                return handlers
            settings = {"voila_configuration": self.voila_configuration}
            return [(self.server_url, _list_of(Path(self.root_dir)), settings), *handlers]

    return LocalVoila


def _list_of(folder: Path) -> type:
    """Return the handler of the first page."""
    from voila.tornado.treehandler import TornadoVoilaTreeHandler, web

    class ListHandler(TornadoVoilaTreeHandler):
        """The notebooks in `folder`, in the course's order."""

        @web.authenticated
        def get(self, path: str = "") -> None:
            self.finish(course_page(folder, f"{self.base_url}voila/render/"))

    return ListHandler


def is_loopback(ip: str) -> bool:
    """Return whether only this machine can reach `ip`.

    Examples
    --------
    >>> [is_loopback(ip) for ip in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


if __name__ == "__main__":
    local_voila().launch_instance()
