"""Keys and certificates for a deployment: an authority of one's own, a server that it vouches for, and keys of nodes.

For a laptop or a laboratory. Where an organisation has an authority, its certificates go in the same places.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

DAYS = 30


@dataclass(frozen=True)
class Authority:
    """Where the files lie: the authority's certificate, and the server's with its private key."""

    authority: Path
    certificate: Path
    key: Path


def make_authority(folder: Path, host: str) -> Authority:
    """Make an authority, whose key is not kept, and a certificate for the server at `host`, an address or a name.

    Parameters
    ----------
    folder
        Where ``ca.crt``, ``server.crt`` and ``server.key`` are written, the key for its owner alone.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    issuer = _name("trustlab loopback authority")
    root = _builder(issuer, issuer, root_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = _builder(_name(host), issuer, key).add_extension(
        x509.SubjectAlternativeName([_place(host)]), critical=False
    )
    server = server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    paths = Authority(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    folder.mkdir(parents=True, exist_ok=True)
    for path, builder in ((paths.authority, root), (paths.certificate, server)):
        path.write_bytes(_pem(builder.sign(root_key, hashes.SHA384())))
    _write_key(paths.key, key)
    return paths


def make_node_key(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a node's pair of keys and return where the private and the public one lie, in OpenSSH's form."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP384R1())
    private, public = folder / name, folder / f"{name}.pub"
    folder.mkdir(parents=True, exist_ok=True)
    _write_key(private, key, ssh=True)
    public.write_bytes(key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH))
    return private, public


def _name(text: str):  # noqa: ANN202  # a class of an optional package
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _place(host: str):  # noqa: ANN202
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject, issuer, key):  # noqa: ANN001, ANN202
    from cryptography import x509

    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
    )


def _pem(certificate) -> bytes:  # noqa: ANN001
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _write_key(path: Path, key, *, ssh: bool = False) -> None:  # noqa: ANN001
    from cryptography.hazmat.primitives import serialization as form

    from trustlab.durable import write_whole

    kind = form.PrivateFormat.OpenSSH if ssh else form.PrivateFormat.PKCS8
    write_whole(path, key.private_bytes(form.Encoding.PEM, kind, form.NoEncryption()), private=True)
