"""What the sites of the container answer, as comparable data: ``python3 -m molecule.existing_sites.answers CONTAINER FILE``.

Standard library only, because prepare runs it with whatever Python is at hand.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import sys
from pathlib import Path

from tools.containers import container_address

HOSTS = ("server.tld", "shop.example", "unknown.example", "")
PATHS = (
    "/",
    "/index.html",
    "/mail/config-v1.1.xml",
    "/.well-known/autoconfig/mail/config-v1.1.xml",
    "/autodiscover/autodiscover.xml",
    "/Autodiscover/Autodiscover.xml",
)
KEPT_HEADERS = ("content-type", "location", "www-authenticate", "x-content-type-options")


def ask(address: str, scheme: str, host: str, method: str, path: str) -> list[object]:
    """Status, some headers, digest of the body and of the certificate, for one request; no host means none by name."""
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.sock = socket.create_connection((address, 443 if scheme == "https" else 80), 10)
    certificate = b""
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = context.wrap_socket(connection.sock, server_hostname=host or None)
        certificate = tls.getpeercert(binary_form=True) or b""
        connection.sock = tls
    connection.request(method, path, b"<x/>" if method == "POST" else None, {"Host": host or address})
    answer = connection.getresponse()
    headers = [answer.getheader(name) for name in KEPT_HEADERS]
    # Apache's own error pages name the host that was asked for, which is the address where there is none.
    body = answer.read().replace(address.encode(), b"ADDRESS")
    connection.close()
    return [answer.status, headers, hashlib.sha256(body).hexdigest(), hashlib.sha256(certificate).hexdigest()]


def answers(name: str) -> dict[str, list[object]]:
    """All answers by question."""
    address = container_address(name)
    return {
        f"{method} {scheme}://{host}{path}": ask(address, scheme, host, method, path)
        for scheme in ("http", "https")
        for host in HOSTS
        for path in PATHS
        for method in ("GET", "POST")
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(answers(sys.argv[1]), indent=1))
