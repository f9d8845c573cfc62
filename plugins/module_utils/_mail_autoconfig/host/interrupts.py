"""Being told to stop: SIGTERM, SIGINT and SIGHUP become an exception, so that what was begun is put back.

PRIVATE to the collection.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import typing as t

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal told this process to stop. Like KeyboardInterrupt no Exception, so that nobody takes it for a failed step."""


def _interrupt(number: int, _frame: t.Any) -> None:
    raise Interrupted(f"the run was told to stop ({signal.Signals(number).name})")


@contextlib.contextmanager
def _handled(handler: t.Callable[[int, t.Any], t.Any]) -> t.Iterator[None]:
    """Give the signals a handler for a while; they belong to the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def raised() -> t.Iterator[None]:
    """Raise Interrupted at the signals; they do what they did before at the end."""
    with _handled(_interrupt):
        yield


@contextlib.contextmanager
def held_back() -> t.Iterator[None]:
    """Pass over the signals: putting back is not to be interrupted. They are not blocked, because Apache would inherit that."""
    with _handled(lambda _number, _frame: None):
        yield


@contextlib.contextmanager
def deferred() -> t.Iterator[None]:
    """Let the signals wait until the end, where they do what they would have done before."""
    waiting: list[int] = []
    try:
        with _handled(lambda number, _frame: waiting.append(number)):
            yield
    finally:
        if waiting:
            signal.raise_signal(waiting[0])
