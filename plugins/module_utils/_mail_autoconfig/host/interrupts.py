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
def raised() -> t.Iterator[None]:
    """Raise Interrupted at the signals; they do what they did before at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals belong to the main thread
        return
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def held_back() -> t.Iterator[None]:
    """Pass over the signals: putting back is not to be interrupted. They are not blocked, because Apache would inherit that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda _number, _frame: None) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deferred() -> t.Iterator[None]:
    """Let the signals wait until the end, where they do what they would have done before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, _frame: waiting.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
