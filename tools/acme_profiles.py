"""What stands before a private ACME authority that knows no profiles, as if it had some (draft-aaron-acme-profiles).

Debian's Pebble is older than profiles. It passes over what it does not know in an order, so it is enough to announce profiles in
its directory, and to listen to what is ordered.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import http.server
import json
import ssl
import threading
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

# Where Pebble takes orders.
_ORDERS = "/order-plz"


@contextlib.contextmanager
def announcing(profiles: Sequence[str], url: str, ca_file: Path, pair: Path) -> Iterator[tuple[str, list[str]]]:
    """The URL of a directory with these profiles, and a list that grows by the profile of each order; empty for none.

    :arg url: of the directory of the authority
    :arg ca_file: by which it is trusted
    :arg pair: directory of the certificate that it shows, which this one shows too
    """
    ordered: list[str] = []
    behind = urlsplit(url)
    trusted = ssl.create_default_context(cafile=str(ca_file))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with contextlib.closing(
                http.client.HTTPSConnection(str(behind.hostname), behind.port, timeout=30, context=trusted)
            ) as connection:
                connection.request(self.command, self.path, body, dict(self.headers.items()))
                answer = connection.getresponse()
                content = answer.read()
            if self.path == behind.path:
                directory = json.loads(content)
                directory["meta"] = {**directory["meta"], "profiles": dict.fromkeys(profiles, "https://ca.invalid/profile")}
                content = json.dumps(directory).encode()
            if self.path == _ORDERS and answer.status == HTTPStatus.CREATED:
                ordered.append(_payload(body).get("profile", ""))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_HEAD = do_POST = do_GET  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair / "fullchain.pem", pair / "privkey.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://{behind.hostname}:{server.server_port}{behind.path}", ordered
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _payload(body: bytes) -> dict[str, str]:
    """What is said in a signed request (JWS, RFC 7515)."""
    text = json.loads(body)["payload"]
    found: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
