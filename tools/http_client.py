"""HTTP requests to a server of our own under whatever host name: no resolver and no hosts file is asked."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

# What Thunderbird and Outlook post; the namespace is theirs (MS-OXDSCLI section 2.2.4.1).
OUTLOOK_REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


class Response(NamedTuple):
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """Asks one server for any host name, trusting one authority.

    :arg address: where the server is
    :arg ports: its ports by scheme
    """

    def __init__(self, address: str, authority: Path, ports: Mapping[str, int] | None = None) -> None:
        self._address = address
        self._ports = ports or {"http": 80, "https": 443}
        self._tls = ssl.create_default_context(cafile=str(authority))

    def request(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Ask for a URL, without following redirects. Raises OSError (also ssl.SSLError for a certificate that does not fit)."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = self._ports[parts.scheme]
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.sock = socket.create_connection((self._address, port), 10)
        if parts.scheme == "https":
            connection.sock = self._tls.wrap_socket(connection.sock, server_hostname=host)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, path, body, {"Host": parts.netloc, **(headers or {})})
            answer = connection.getresponse()
            return Response(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()
