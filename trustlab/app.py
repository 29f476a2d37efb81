"""The notebooks as pages, by voila, for this machine and for who has the token.

voila alone answers whatever name it is called by, so that a page of any website can reach it through a name that it
lets point to 127.0.0.1 (DNS rebinding), and it asks nobody who they are. Here it answers loopback names only, as
JupyterLab does, and asks for a token, which is part of the address it opens.

``--Voila.token=`` (empty) turns the token off; ``--Voila.ip=0.0.0.0`` serves other machines, by any name.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from voila.app import Voila


class LocalVoila(Voila):
    """voila with JupyterLab's check of the Host header and a token."""

    def init_settings(self) -> dict[str, Any]:
        """Return voila's settings, closed to what neither comes from this machine nor has the token."""
        if self.token is None:
            self.auto_token = True
        settings = super().init_settings()
        settings["allow_remote_access"] = not _is_loopback(self.ip)
        settings["local_hostnames"] = ["localhost"]
        return settings


def _is_loopback(ip: str) -> bool:
    try:
        return ipaddress.ip_address(ip).is_loopback
    except ValueError:
        return ip == "localhost"


main = LocalVoila.launch_instance

if __name__ == "__main__":
    main()
