"""Asking the Apache of this host, as clients do."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import typing as t
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import asking, sockets
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.questions import Answer, Expectation, Question

from tools.certificates import Authority

Serve = Callable[..., int]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    Authority(directory / "ca").issue(directory, ["server.tld"])
    return directory


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of one thread that does the same to every connection; its port."""
    servers: list[socket.socket] = []

    def start(handle: Callable[[socket.socket], object], tls: Path | None = None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls:
            context.load_cert_chain(tls / "fullchain.pem", tls / "privkey.pem")
            context.sni_callback = lambda _socket, name, _context: names.append(name)

        def work() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                try:
                    handle(context.wrap_socket(connection, server_side=True) if tls else connection)
                except OSError:
                    pass
                finally:
                    connection.close()

        threading.Thread(target=work, daemon=True).start()
        return int(server.getsockname()[1])

    names: list[str] = []
    start.names = names  # type: ignore[attr-defined]
    yield start
    for server in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def answering(text: str, seen: list[bytes] | None = None) -> Callable[[socket.socket], object]:
    """Read a request and answer with a text."""

    def handle(connection: socket.socket) -> None:
        request = connection.recv(65536)
        if seen is not None:
            seen.append(request)
        connection.sendall(text.encode())
        connection.close()

    return handle


def ask(question: Question) -> Answer:
    return asking.ask([question])[question]


OK = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\nbody"


def test_a_plain_request_has_the_right_name_and_brings_everything_back(serve: Serve) -> None:
    seen: list[bytes] = []
    port = serve(answering(OK, seen))
    assert ask(Question("http", "autoconfig.server.tld", port, "/a?b")) == Answer(200, "", "text/xml", b"body")
    head = seen[0].decode().split("\r\n")
    assert head[0] == "GET /a?b HTTP/1.1"
    assert f"Host: autoconfig.server.tld:{port}" in head


def test_a_body_is_sent_as_xml(serve: Serve) -> None:
    seen: list[bytes] = []
    port = serve(answering(OK, seen))
    ask(Question("http", "server.tld", port, method="POST", body=b"<x/>"))
    assert seen[0].startswith(b"POST / HTTP/1.1\r\n")
    assert b"Content-Type: text/xml\r\n" in seen[0]


def test_over_tls_the_name_is_said_and_the_certificate_kept_without_trusting_it(serve: Serve, pair: Path) -> None:
    port = serve(answering(OK), pair)
    answer = ask(Question("https", "server.tld", port))
    der = ssl.PEM_cert_to_DER_cert((pair / "fullchain.pem").read_text())
    assert answer == Answer(200, "", "text/xml", b"body", hashlib.sha256(der).hexdigest())
    assert serve.names == ["server.tld"]  # type: ignore[attr-defined]


def test_where_the_scheme_is_open_tls_is_tried_first(serve: Serve, pair: Path) -> None:
    assert ask(Question("any", "server.tld", serve(answering(OK), pair))).certificate
    plain = ask(Question("any", "server.tld", serve(answering(OK))))
    assert (plain.status, plain.certificate) == (200, "")


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    port = serve(answering("HTTP/1.1 302 Found\r\nLocation: https://x.tld/\r\nContent-Length: 0\r\n\r\n"))
    answer = ask(Question("http", "server.tld", port))
    assert (answer.status, answer.location, str(answer)) == (302, "https://x.tld/", "302 to https://x.tld/")


@pytest.mark.parametrize("text", ["", "garbage\r\n\r\n", "HTTP/1.1 x\r\n\r\n", "\0" * 70000])
@pytest.mark.parametrize("tls", [False, True])
def test_garbage_is_a_failure_and_no_exception(serve: Serve, pair: Path, text: str, tls: bool) -> None:
    port = serve(answering(text), pair if tls else None)
    answer = ask(Question("https" if tls else "http", "server.tld", port))
    assert answer.status == 0
    assert answer.failure


@pytest.mark.parametrize("scheme", ["http", "https", "any"])
def test_a_server_that_says_nothing_is_not_waited_for(serve: Serve, scheme: str) -> None:
    stop = threading.Event()
    port = serve(lambda connection: stop.wait(20))
    try:
        assert ask(Question(scheme, "server.tld", port, seconds=0.2)).failure
    finally:
        stop.set()


@pytest.mark.parametrize(
    ("head", "status"), [("HTTP/1.1 ", 0), ("HTTP/1.1 200 OK\r\nX-Long: ", 200), ("HTTP/1.1 200 OK\r\n\r\n", 200)]
)
def test_a_server_that_never_comes_to_an_end_is_not_waited_for(serve: Serve, head: str, status: int) -> None:
    """Whatever it has said until then counts: a stream of events has answered."""
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head.encode())
        while not stop.wait(0.02):
            connection.sendall(b"x")

    try:
        answer = ask(Question("http", "server.tld", serve(drip), seconds=0.3))
        assert (answer.status, answer.failure) == (status, "" if status else "nothing within 0.3 s")
    finally:
        stop.set()


def test_tls_where_there_is_none_is_a_failure(serve: Serve) -> None:
    answer = ask(Question("https", "server.tld", serve(answering(OK))))
    assert answer.failure.startswith("TLS: ")


def test_a_port_that_nobody_listens_on_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert ask(Question("http", "x.tld", port)) == Answer(failure=f"nothing listens on port {port}")
    other = ask(Question("http", "x.tld", port, ip="192.0.2.7"))
    assert str(other) == f"no answer (nothing listens on port {port} at 192.0.2.7)"


@pytest.mark.parametrize("scheme", ["http", "https", "any"])
def test_a_server_that_goes_away_before_it_is_asked_is_a_failure_and_no_exception(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(asking.sockets, "reachable", lambda *_arguments: "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "refused" in ask(Question(scheme, "x.tld", port)).failure


def test_an_address_that_is_not_listened_on_is_not_asked_elsewhere(serve: Serve) -> None:
    port = serve(answering(OK))
    assert ask(Question("http", "x.tld", port, ip="127.0.0.1")).status == 200
    assert ask(Question("http", "x.tld", port, ip="127.0.0.2")).status == 0


def test_many_are_asked_at_once_and_each_gets_its_answer(serve: Serve) -> None:
    def handle(connection: socket.socket) -> None:
        path = connection.recv(65536).split()[1]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    port = serve(handle)
    questions = [Question("http", "x.tld", port, f"/{number}") for number in range(40)]
    assert {question.path: answer.body.decode() for question, answer in asking.ask(questions).items()} == {
        question.path: question.path for question in questions
    }
    assert asking.ask([]) == {}


def test_no_more_is_read_than_is_of_use(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST", 2)
    assert ask(Question("http", "x.tld", serve(answering(OK)))).body == b"bo"


# -- until it is right --------------------------------------------------------------------------------------------------


class Server:
    """Answers each question by the next of its answers, the last for ever."""

    def __init__(self, **answers: Sequence[Answer]) -> None:
        self._answers = {name: list(items) for name, items in answers.items()}
        self.asked: list[list[str]] = []

    def ask(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        self.asked.append([question.host for question in questions])
        found = {}
        for question in questions:
            items = self._answers[question.host]
            found[question] = items.pop(0) if len(items) > 1 else items[0]
        return found


def question(name: str) -> Question:
    return Question("http", name, 80)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_PAUSE", 0)


def test_what_is_not_right_at_once_is_asked_again() -> None:
    server = Server(a=[Answer(200)], b=[Answer(404), Answer(404), Answer(200)])
    wanted = [Expectation(question(name), 200) for name in "ab"]
    assert asking.complaints(wanted, server.ask, 60) == []
    assert server.asked == [["a", "b"], ["b"], ["b"]]


def test_what_stays_wrong_is_told_after_a_while() -> None:
    server = Server(a=[Answer(200)], b=[Answer(404)], c=[Answer(failure="reset")])
    wanted = [Expectation(question(name), 200) for name in "abc"]
    assert asking.complaints(wanted, server.ask, 0) == [
        "GET http://b/: 404, expected 200",
        "GET http://c/: no answer (reset), expected 200",
    ]
    assert asking.complaints([], server.ask, 60) == []


def test_what_is_asked_after_a_long_time_is_asked_again_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy host very many questions take longer than the patience with one of them."""
    now = 0.0

    def slowly(questions: Sequence[Question]) -> dict[Question, Answer]:
        nonlocal now
        now += 50
        return server.ask(questions)

    monkeypatch.setattr(asking.time, "monotonic", lambda: now)
    server = Server(a=[Answer(200)], b=[Answer(failure="nothing within 5 s"), Answer(200)])
    wanted = [Expectation(question(name), 200) for name in "ab"]
    assert asking.complaints(wanted, slowly, 3) == []
    before = {question("b"): Answer(200)}
    server = Server(b=[Answer(503), Answer(200)])
    assert asking.unlike(before, slowly, 3) == {}


def test_sites_of_others_are_asked_again_until_they_answer_as_before() -> None:
    before = {question(name): Answer(200, certificate="x") for name in "ab"}
    server = Server(a=[Answer(200, certificate="x")], b=[Answer(503), Answer(200, certificate="x")])
    assert asking.unlike(before, server.ask, 60) == {}
    assert server.asked == [["a", "b"], ["b"]]
    changed = Server(a=[Answer(200, certificate="y")], b=[Answer(200, certificate="x", body=b"the time")])
    assert asking.unlike(before, changed.ask, 0) == {question("a"): Answer(200, certificate="y")}


def test_a_site_that_somebody_has_changed_may_answer_as_it_does_where_apache_has_read_that() -> None:
    before = {question(name): Answer(200) for name in "ab"}
    fresh = {question("a"): Answer(302, "http://x/").words}
    server = Server(a=[Answer(302, "http://x/")], b=[Answer(302, "http://x/")])
    assert asking.unlike(before, server.ask, 0, fresh) == {question("b"): Answer(302, "http://x/")}
    assert asking.unlike(before, Server(a=[Answer(404)], b=[Answer(200)]).ask, 0, fresh) == {question("a"): Answer(404)}
    assert asking.unlike(before, Server(a=[Answer(200)], b=[Answer(200)]).ask, 0, fresh) == {}


def test_a_site_that_answers_by_chance_proves_nothing() -> None:
    steady, chance = Question("http", "a.tld", 80), Question("http", "b.tld", 80)
    rounds: list[int] = []

    def ask_all(questions: Sequence[Question]) -> dict[Question, Answer]:
        rounds.append(len(questions))
        return {steady: Answer(200), chance: Answer(302, f"http://b.tld/{len(rounds)}")}

    assert asking.settled([steady, chance], ask_all) == {steady: Answer(200)}
    assert rounds == [2, 2]


def test_sites_that_fail_or_come_too_late_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run holds up other runs, so that slow neighbours cannot be waited for one after the other."""
    now = [0.0]
    monkeypatch.setattr(asking.time, "monotonic", lambda: now[0])
    questions = [question(f"{number}.tld") for number in range(40)]
    asked: list[int] = []

    def ask_all(some: Sequence[Question]) -> dict[Question, Answer]:
        asked.append(len(some))
        now[0] += 2
        return {item: Answer(200) if item.host != "3.tld" else Answer(failure="timed out") for item in some}

    found = asking.settled(questions, ask_all, seconds=3)
    assert asked == [8, 8, 15]
    assert list(found) == [item for item in questions[:16] if item.host != "3.tld"]


def test_sites_of_others_that_did_not_work_before_are_not_asked() -> None:
    before = {question("a"): Answer(500), question("b"): Answer(failure="x")}
    server = Server(a=[Answer(200)])
    assert asking.unlike(before, server.ask, 60) == {}
    assert server.asked == [[]]


def test_listeners_are_looked_at_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[t.Any] = []
    monkeypatch.setattr(sockets, "listeners", lambda: looked.append(1) or [])
    asking.ask([question("a"), question("b")])
    assert looked == [1]
