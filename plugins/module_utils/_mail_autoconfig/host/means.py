"""What a run reaches the host with, besides commands and files.

PRIVATE to the collection. Each has one real kind; the unit tests, which have no Apache, put others in their place.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ..certificates import Certificate, PairFacts
from ..orders import Addresses
from . import asking, certbot, certificates, commands, managed, twin
from .commands import Runner
from .platform import Platform
from .server import Server

Inspect = t.Callable[[Certificate, Runner], PairFacts]
# From the path of a certificate.
ReadNames = t.Callable[[str], tuple[str, ...]]
# From the platform, the runner, and the paths of the file with the process number and of the error log.
MakeServer = t.Callable[[Platform, Runner, str, str], Server]
# With the arguments of twin.run.
RunInTwin = t.Callable[..., twin.Outcome]
Resolve = t.Callable[[t.Sequence[str]], t.Mapping[str, Addresses]]


@dataclasses.dataclass(frozen=True)
class Means:
    """How certificates and their names are looked at, Apache's processes are found, it is asked, and changes are rehearsed.

    :ivar resolve: asks DNS, ``addresses`` tells those of this host
    :ivar is_there: whether a program can be run
    :ivar call: runs certbot
    :ivar progress: is told how far a run is that waits
    :ivar patience: how long answers may be wrong after a reload, in seconds
    """

    inspect: Inspect = certificates.inspect
    names: ReadNames = certificates.names
    server: MakeServer = Server
    ask: asking.Ask = asking.ask
    twin: RunInTwin = twin.run
    resolve: Resolve = managed.resolve
    addresses: t.Callable[[], t.Collection[str]] = managed.own_addresses
    is_there: t.Callable[[str], bool] = commands.is_there
    call: certbot.Call = commands.run
    progress: t.Callable[[str], None] = managed.tell
    patience: float = asking.PATIENCE


USUAL = Means()
