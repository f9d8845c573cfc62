"""Stands in front of a private ACME authority and answers chosen requests with a fault, or late.

The authority writes its links (RFC 8555 section 7.1) for whatever host and port it is asked by, and so for this one: clients
never see where it is itself.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import http.server
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

from tools.pebble import Pebble

# Pebble's paths.
DIRECTORY, NEW_ACCOUNT, NEW_ORDER, CERTIFICATE = "/dir", "/sign-me-up", "/order-plz", "/certZ/"
_HOP_BY_HOP = ("connection", "content-length", "transfer-encoding")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What happens to requests.

    :ivar path: with which their path begins
    :ivar status: what they are answered; 0 for what the authority answers
    :ivar kind: of the problem document (RFC 8555 section 6.7), behind the namespace of ACME; without one, no such document
    :ivar detail: its words
    :ivar headers: of the answer
    :ivar seconds: how long they wait before
    :ivar change: makes another body of that of the authority
    """

    path: str
    status: int = 0
    kind: str = ""
    detail: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    seconds: float = 0
    change: Callable[[bytes], bytes] = bytes

    def problem(self) -> tuple[str, bytes]:
        """Media type and body of the answer."""
        if not self.kind:
            return "text/html", b"<html><body><h1>out of order</h1></body></html>"
        problem = {"type": f"urn:ietf:params:acme:error:{self.kind}", "detail": self.detail, "status": self.status}
        return "application/problem+json", json.dumps(problem).encode()


@dataclasses.dataclass
class Request:
    """What somebody has asked.

    :ivar moment: when it came (``time.monotonic()``)
    :ivar status: of the answer; 0 before it is there
    """

    moment: float
    path: str
    body: bytes
    status: int = 0

    @property
    def said(self) -> dict[str, str]:
        """What a signed request says (JWS, RFC 7515)."""
        text = json.loads(self.body)["payload"]
        found: dict[str, str] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return found


def with_profiles(profiles: Sequence[str]) -> Fault:
    """A directory that has profiles of certificates (draft-aaron-acme-profiles), which Debian's Pebble is too old for.

    It passes over what it does not know in an order.
    """

    def announce(body: bytes) -> bytes:
        directory = json.loads(body)
        directory["meta"] = {**directory["meta"], "profiles": dict.fromkeys(profiles, "https://ca.invalid/profile")}
        return json.dumps(directory).encode()

    return Fault(DIRECTORY, change=announce)


class FaultyAuthority:
    """A context manager that ends it.

    :ivar url: of its directory
    :ivar fault: what is wrong with it now; None for nothing
    :ivar asked: all requests in their order

    :arg certificate: the directory of another certificate and key than the authority's own
    """

    def __init__(self, pebble: Pebble, certificate: Path | None = None) -> None:
        self.fault: Fault | None = None
        self.asked: list[Request] = []
        self._pebble = pebble
        self._trusted = ssl.create_default_context(cafile=str(pebble.ca_file))
        certificate = certificate or pebble.pair
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def log_message(self, *_arguments: object) -> None:
                """The tests count for themselves."""

            def do_GET(self) -> None:
                outer._answer(self)

            do_HEAD = do_POST = do_GET  # noqa: N815 (http.server's names)

        self._server = _Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "fullchain.pem", certificate / "privkey.pem")
        # Without a handshake in the thread that takes connections, a client that is silent holds up nobody.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self._server.server_address[1]}{DIRECTORY}"

    def count(self, path: str) -> int:
        """How many requests there were whose path begins so."""
        return len(self._times(path))

    def at_once(self, path: str, seconds: float) -> int:
        """How many of them came within so many seconds, where most did."""
        times = self._times(path)
        return max((sum(begin <= moment < begin + seconds for moment in times) for begin in times), default=0)

    def _times(self, path: str) -> list[float]:
        return [request.moment for request in self.asked if request.path.startswith(path)]

    def ordered_profiles(self) -> list[str]:
        """The profile of each order that was taken; empty for none."""
        return [
            request.said.get("profile", "")
            for request in self.asked
            if (request.path, request.status) == (NEW_ORDER, HTTPStatus.CREATED)
        ]

    def _answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        asked = Request(time.monotonic(), request.path, body)
        self.asked.append(asked)
        fault = self.fault if self.fault and request.path.startswith(self.fault.path) else None
        if fault:
            time.sleep(fault.seconds)
        status, headers, answer = self._forwarded(request, body)
        if fault and fault.status:
            # The nonce of the real answer goes with it, as RFC 8555 section 6.5 wants it of errors, too.
            media_type, answer = fault.problem()
            nonce = {name: value for name, value in headers.items() if name.lower() == "replay-nonce"}
            status, headers = fault.status, {"Content-Type": media_type, **nonce, **fault.headers}
        elif fault:
            answer = fault.change(answer)
        asked.status = status
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(answer)

    def _forwarded(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """What the authority says to a request; 502 if it does not answer."""
        connection = http.client.HTTPSConnection("localhost", self._pebble.port, timeout=30, context=self._trusted)
        try:
            connection.request(
                request.command, request.path, body, {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
            )
            answer = connection.getresponse()
            # Several links in one answer are one header of several values (RFC 9110 section 5.3).
            return answer.status, _joined(answer), answer.read()
        except OSError:
            return 502, {}, b""
        finally:
            connection.close()

    def __enter__(self) -> FaultyAuthority:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A client that goes away, or trusts nobody, is none of ours."""


def _joined(answer: http.client.HTTPResponse) -> dict[str, str]:
    names = {name.lower(): name for name, _value in answer.getheaders()}
    return {name: ", ".join(answer.headers.get_all(name) or []) for low, name in names.items() if low not in _HOP_BY_HOP}
