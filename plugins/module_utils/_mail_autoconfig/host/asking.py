"""Asking the Apache of this host over the loopback, as clients do: the right name in TLS and in Host.

PRIVATE to the collection. Certificates are not verified here, they are compared: whether clients trust one is another question.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import http.client
import socket
import ssl
import threading
import time
import typing as t

from ..questions import Answer, Expectation, Question, has_worked
from . import sockets

_AT_ONCE = 8
# How long the sites of others may be asked the first time, all together; those left then are not compared.
_OTHERS_SECONDS = 6.0
_PAUSE = 0.2
# What is read of an answer; ours are smaller.
_MOST = 1 << 20
# How long after a reload an answer may be another than it should be.
PATIENCE = 10.0

Ask = t.Callable[[t.Sequence[Question]], t.Mapping[Question, Answer]]


def ask(questions: t.Sequence[Question]) -> dict[Question, Answer]:
    """Ask all of them, a few at a time."""
    found = sockets.listeners()
    with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(questions, pool.map(lambda question: ask_one(question, found), questions)))


def ask_one(question: Question, found: t.Sequence[sockets.Listener]) -> Answer:
    """Ask once; a failure is an answer too."""
    ip = sockets.reachable(question.ip, question.port, found)
    if not ip:
        at = "" if question.ip == "*" else f" at {question.ip}"
        return Answer(failure=f"nothing listens on port {question.port}{at}")
    if question.scheme != "any":
        return _exchange(question, ip, question.scheme == "https")
    with contextlib.suppress(ssl.SSLError, ConnectionResetError):
        return _exchange(question, ip, True, raises=True)
    return _exchange(question, ip, False)


def _exchange(question: Question, ip: str, tls: bool, raises: bool = False) -> Answer:
    connection = http.client.HTTPConnection(question.host, question.port, timeout=question.seconds)
    is_late = threading.Event()
    try:
        stream = socket.create_connection((ip, question.port), question.seconds)
        with _ended_after(stream, question.seconds, is_late):
            connection.sock = _context().wrap_socket(stream, server_hostname=question.host) if tls else stream
            return _answer(connection, question, 443 if tls else 80)
    except ssl.SSLError as exc:
        if raises:
            raise
        return Answer(failure=_late(question, is_late) or f"TLS: {exc.reason or exc}")
    except (OSError, http.client.HTTPException) as exc:
        if raises and isinstance(exc, ConnectionResetError):
            raise
        return Answer(failure=_late(question, is_late) or str(exc) or type(exc).__name__)
    finally:
        if connection.sock:
            connection.sock.close()


def _late(question: Question, is_late: threading.Event) -> str:
    return f"nothing within {question.seconds:g} s" if is_late.is_set() else ""


@contextlib.contextmanager
def _ended_after(stream: socket.socket, seconds: float, is_late: threading.Event) -> t.Iterator[None]:
    """End a connection after a while: one that says a little again and again reaches no time limit of a single read.

    :arg is_late: set then; for whoever reads, it looks as if the other side had ended it
    """
    handle = stream.dup()

    def end() -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        handle.close()


def _answer(connection: http.client.HTTPConnection, question: Question, usual_port: int) -> Answer:
    shown = connection.sock.getpeercert(binary_form=True) if isinstance(connection.sock, ssl.SSLSocket) else None
    host = question.host if question.port == usual_port else f"{question.host}:{question.port}"
    headers = {"Host": host, "User-Agent": "mailops.autoconfig (asks whether this host answers)", "Connection": "close"}
    if question.body:
        headers["Content-Type"] = "text/xml"
    connection.request(question.method, question.path, question.body or None, headers)
    answer = connection.getresponse()
    body = b""
    # Of a stream without end the head says enough.
    with contextlib.suppress(OSError, http.client.HTTPException):
        body = answer.read(_MOST)
    return Answer(
        status=answer.status,
        location=answer.getheader("Location", ""),
        media_type=answer.getheader("Content-Type", ""),
        body=body,
        certificate=hashlib.sha256(shown).hexdigest() if shown else "",
    )


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(ssl.SSLError):
        # The sites of others may be older than what is allowed by default.
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def complaints(expectations: t.Sequence[Expectation], ask_all: Ask = ask, patience: float = PATIENCE) -> list[str]:
    """What is not answered as it should be, asked again for a while; empty if all is."""
    wrong = _unmet([(item.question, item) for item in expectations], lambda item, answer: item.met_by(answer), ask_all, patience)
    return [item.complaint(answer) for _question, item, answer in wrong]


_Wanted = t.TypeVar("_Wanted")


def _unmet(
    wanted: t.Sequence[tuple[Question, _Wanted]], is_met: t.Callable[[_Wanted, Answer], bool], ask_all: Ask, patience: float
) -> list[tuple[Question, _Wanted, Answer]]:
    """What is not answered as wanted, with the last answer.

    :arg patience: for how many seconds to ask again, after all were asked once: on a busy host very many take longer than that
    """
    pending, end = list(wanted), 0.0
    while True:
        answers = ask_all([question for question, _item in pending])
        pending = [(question, item) for question, item in pending if not is_met(item, answers[question])]
        end = end or time.monotonic() + patience
        if not pending or time.monotonic() >= end:
            return [(question, item, answers[question]) for question, item in pending]
        time.sleep(_PAUSE)


def settled(questions: t.Sequence[Question], ask_all: Ask = ask, seconds: float = _OTHERS_SECONDS) -> dict[Question, Answer]:
    """What is answered, asked twice: a site that answers otherwise from one request to the next can prove nothing later.

    Such are limits of requests, redirects to an address made by chance, an application that is just starting.

    :arg seconds: how long to go on with the first round; questions that are left then are left out, as those without an answer
    """
    end = time.monotonic() + seconds
    first: dict[Question, Answer] = {}
    for start in range(0, len(questions), _AT_ONCE):
        if time.monotonic() < end:
            first.update(ask_all(questions[start : start + _AT_ONCE]))
    second = ask_all([question for question, answer in first.items() if has_worked(answer)])
    return {question: answer for question, answer in second.items() if answer.words == first[question].words}


def unlike(
    before: t.Mapping[Question, Answer],
    ask_all: Ask = ask,
    patience: float = PATIENCE,
    fresh: t.Mapping[Question, str] | None = None,
) -> dict[Question, Answer]:
    """The sites that do not answer as before, asked again for a while, with what they answer now.

    :arg fresh: what a site may answer as well, in an answer's ``words``
    """
    right = [(question, (answer.words, (fresh or {}).get(question))) for question, answer in before.items() if has_worked(answer)]
    wrong = _unmet(right, lambda words, answer: answer.words in words, ask_all, patience)
    return {question: answer for question, _words, answer in wrong}
