"""Whatever answers, a question has an end and is no exception."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import web
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.names import Names, Resolver
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check.web import (
    LARGEST_BODY,
    Answer,
    Question,
    Web,
)

from tests.unit.check.world import Certificates

HOST = "host.example"
Talk = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(talk: Talk) -> Iterator[int]:
    """A server that does with each connection whatever a test likes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    link, _address = listening.accept()
                except OSError:
                    return
                threading.Thread(target=talk_to, args=(link,), daemon=True).start()

        def talk_to(link: socket.socket) -> None:
            with contextlib.suppress(OSError), link:
                link.settimeout(10)
                talk(link)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def fetch(port: int, url: str = f"http://{HOST}/x", method: str = "GET", timeout: float = 1, body: bytes = b"") -> Answer:
    names = Names(Resolver((("127.0.0.1", 1),), 0.2), {HOST: ("127.0.0.1",), "other.example": ("127.0.0.1",)})
    web = Web(names, ssl.create_default_context(), {80: port, 443: port}, timeout)
    return web.fetch(Question(method, url, body))


def sends(*pieces: bytes, wait: float = 0) -> Talk:
    def talk(link: socket.socket) -> None:
        link.recv(65536)
        for piece in pieces:
            link.sendall(piece)
            time.sleep(wait)

    return talk


def keeps(*pieces: bytes) -> Talk:
    """The same of a server that then waits for the client to go."""

    def talk(link: socket.socket) -> None:
        sends(*pieces)(link)
        while link.recv(65536):
            pass

    return talk


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

ANSWERS = {
    "with a length": (sends(HEAD + b"Content-Length: 2\r\n\r\nhi"), 200, "", b"hi"),
    "until it closes": (sends(HEAD + b"\r\nhi"), 200, "", b"hi"),
    "in chunks": (sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"), 200, "", b"hi"),
    "with a length, and no end": (keeps(HEAD + b"Content-Length: 2\r\n\r\nhi"), 200, "", b"hi"),
    "in chunks, and no end": (keeps(CHUNKED + b"2\r\nhi\r\n0\r\n\r\n"), 200, "", b"hi"),
    "in cut chunks, and no end": (keeps(CHUNKED[:-2], b"\r\n2\r\nhi\r", b"\n0\r\n", b"\r\n"), 200, "", b"hi"),
    "in no chunks, that ends like some": (sends(HEAD + b"\r\nhi\r\n0\r\n\r\n", b"ho"), 200, "", b"hi\r\n0\r\n\r\nho"),
    "in pieces": (sends(b"HTTP/1.1 20", b"0 OK\r\nContent-Len", b"gth: 2\r\n\r\nh", b"i"), 200, "", b"hi"),
    "cut short": (sends(HEAD + b"Content-Length: 20\r\n\r\nhi"), 200, "", b"hi"),
    "with a wrong length": (sends(HEAD + b"Content-Length: -5\r\n\r\nhi"), 200, "", b"hi"),
    "without a body": (sends(b"HTTP/1.1 204 No\r\n\r\n"), 204, "", b""),
    "old": (sends(b"HTTP/1.0 404 No\r\n\r\n"), 404, "", b""),
    "of SSH": (sends(b"SSH-2.0-OpenSSH\r\n"), 0, "not_http", b""),
    "of zeros": (sends(b"\0" * 1000), 0, "not_http", b""),
    "of headers only": (sends(HEAD + b"".join(b"x%d: y\r\n" % number for number in range(500)) + b"\r\n"), 0, "not_http", b""),
    "of one endless header": (sends(HEAD + b"x: " + b"y" * 100_000 + b"\r\n\r\n"), 0, "not_http", b""),
    "of broken chunks": (sends(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n"), 200, "", b""),
    "of nothing": (sends(), 0, "reset", b""),
    "without end": (sends(*[b"x" * 65536] * 40, wait=0), 0, "not_http", b""),
    "that drips": (sends(HEAD, *[b"x: y\r\n"] * 100, wait=0.1), 0, "timeout", b""),
    "that never comes": (lambda link: time.sleep(3), 0, "timeout", b""),
    "that redirects to itself": (sends(b"HTTP/1.1 302 F\r\nLocation: /x\r\n\r\n"), 302, "redirect_loop", b""),
    "that redirects to a file": (sends(b"HTTP/1.1 302 F\r\nLocation: file:///etc/passwd\r\n\r\n"), 302, "redirect_nowhere", b""),
    "that redirects to no port": (sends(b"HTTP/1.1 302 F\r\nLocation: http://x:99999/\r\n\r\n"), 302, "redirect_nowhere", b""),
    "that redirects to nobody": (sends(b"HTTP/1.1 302 F\r\nLocation: http://nobody.example/\r\n\r\n"), 0, "no_address", b""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(name: str) -> None:
    talk, status, fault, body = ANSWERS[name]
    with server(talk) as port:
        answer = fetch(port)
    assert (answer.status, answer.fault) == (status, fault)
    assert answer.body == body or fault


def test_an_answer_in_many_pieces_is_not_looked_at_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []
    framing = web._framing
    monkeypatch.setattr(web, "_framing", lambda head: heads.append(head) or framing(head))
    pieces = [CHUNKED[:20], CHUNKED[20:], *[b"1\r\nx\r\n"] * 200, b"0\r\n\r\n"]
    with server(sends(*pieces, wait=0.001)) as port:
        assert fetch(port, timeout=5).body == b"x" * 200
    assert heads == [CHUNKED]


def test_a_body_is_bounded() -> None:
    large = LARGEST_BODY * 2
    with server(sends(HEAD + b"Content-Length: %d\r\n\r\n" % large, *[b"x" * 65536] * (large // 65536))) as port:
        answer = fetch(port, timeout=5)
    assert answer.fault == "too_large"
    assert len(answer.body) <= LARGEST_BODY


def test_other_hosts_redirect_for_ever() -> None:
    count = iter(range(1000))

    def talk(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(b"HTTP/1.1 302 F\r\nLocation: http://other.example/%d\r\n\r\n" % next(count))

    with server(talk) as port:
        answer = fetch(port)
    assert answer.fault == "redirect_loop"
    assert next(count) <= 12


def test_a_redirect_makes_a_post_a_get_and_307_keeps_it() -> None:
    asked: list[bytes] = []

    def talk(link: socket.socket) -> None:
        asked.append(link.recv(65536))
        status = {b"/x": b"302 F", b"/y": b"307 F"}.get(asked[-1].split(b" ")[1])
        target = b"/y" if status == b"302 F" else b"/z"
        link.sendall(b"HTTP/1.1 %s\r\nLocation: %s\r\n\r\n" % (status, target) if status else HEAD + b"\r\nhi")

    with server(talk) as port:
        assert fetch(port, method="POST", body=b"body").ok
        assert [line.split(b" ")[0] for line in asked] == [b"POST", b"GET", b"GET"]
        asked.clear()
        assert fetch(port, f"http://{HOST}/y", "POST", body=b"body").ok
        assert [line.split(b" ")[0] for line in asked] == [b"POST", b"POST"]


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 no TLS\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"\xff" * 500])
def test_garbage_in_place_of_tls(data: bytes) -> None:
    with server(sends(data)) as port:
        assert fetch(port, f"https://{HOST}/").fault in ("garbage", "handshake", "reset")


def test_a_handshake_that_never_ends(certificates: Certificates) -> None:
    with server(lambda link: time.sleep(3)) as port:
        assert fetch(port, f"https://{HOST}/").fault == "timeout"


def test_a_dead_address_does_not_stop_a_client() -> None:
    with server(sends(HEAD + b"\r\nhi")) as port:
        names = Names(Resolver((("127.0.0.1", 1),), 0.2), {HOST: ("127.0.0.9", "127.0.0.1")})
        answer = Web(names, ssl.create_default_context(), {80: port}, 2).fetch(Question("GET", f"http://{HOST}/"))
    assert answer.ok
    assert answer.dead == (("127.0.0.9", "refused"),)


def test_each_question_is_asked_once() -> None:
    asked = []

    def talk(link: socket.socket) -> None:
        asked.append(link.recv(65536))
        time.sleep(0.1)
        link.sendall(HEAD + b"\r\nhi")

    names = Names(Resolver((("127.0.0.1", 1),), 0.2), {HOST: ("127.0.0.1",)})
    with server(talk) as port:
        web = Web(names, ssl.create_default_context(), {80: port}, 2)
        threads = [threading.Thread(target=web.fetch, args=(Question("GET", f"http://{HOST}/"),)) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(asked) == 1


def test_a_dead_host_is_waited_for_once() -> None:
    links = []

    def talk(link: socket.socket) -> None:
        links.append(link)
        time.sleep(3)

    names = Names(Resolver((("127.0.0.1", 1),), 0.2), {HOST: ("127.0.0.1",)})
    with server(talk) as port:
        web = Web(names, ssl.create_default_context(), {443: port}, 0.5)
        first, second = (web.fetch(Question("GET", f"https://{HOST}/{path}")) for path in ("a", "b"))
    assert (first.fault, second.fault, len(links)) == ("timeout", "timeout", 1)
    # What a client waits is told all the same.
    assert second.milliseconds == first.milliseconds > 0
