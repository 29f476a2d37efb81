"""The notebooks as pages, by voila, on this machine only and for anyone who has the token.

voila by itself answers to any host name, so that any website can reach it through a name that points to 127.0.0.1 (DNS
rebinding), and it has no login. Here it answers loopback names only, as JupyterLab does, and requires a token, which is
part of the address it opens.

``--Voila.token=`` (empty) turns the token off; ``--Voila.ip=0.0.0.0`` serves other machines, by any name.
"""

from __future__ import annotations

import ipaddress
from typing import Any


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
            return settings

    return LocalVoila


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
