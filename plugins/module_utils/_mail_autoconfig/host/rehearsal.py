"""A dress rehearsal: the change is made first in a twin of the host, by the code that will make it for real.

PRIVATE to the collection. What Apache refuses there never reaches the live host. Where the twin cannot be made, or where even the
unchanged configuration does not start in it, a failure would prove nothing: then the rehearsal says why there was none, and never
stands in the way.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
import typing as t

from ..apache.common import OFF
from ..plan import Current, Plan
from ..questions import Answer, Question, has_worked
from . import sockets
from .commands import Runner
from .means import USUAL, Means
from .platform import Platform, Variables
from .server import Server, ServerError, is_apache
from .transaction import ApplyError, Inspection, Transaction

# What a started Apache may take in the twin, times what it took without the change.
_TIMES_AS_LONG = 5
_AT_LEAST_SECONDS = 8.0
_WHOLE_SECONDS = 180.0
BROKEN_AT_RELOAD = "Apache would end at a reload: its configuration is broken already, before any change of ours; mend it first"
# What mod_ssl says of a certificate or key that it cannot use, wherever it runs.
_FATAL = "[ssl:emerg]"
# Nobody else asks this Apache, so that its answers settle soon.
_PATIENCE = 3.0
_LOG_DIRECTIVE = re.compile(r'^\s*(?:ErrorLog|CustomLog|TransferLog|GlobalLog|ForensicLog|\w*Log)\s+"?(/[^"|\s]+)', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """How it went.

    :ivar rehearsed: whether there was one that proves something
    :ivar reason: why not
    :ivar fresh: what the sites of others answered there before the change, in an answer's ``words``
    """

    rehearsed: bool
    reason: str = ""
    fresh: t.Mapping[Question, str] = dataclasses.field(default_factory=dict)


class Rehearser:
    """Rehearses changes of one instance of Apache."""

    def __init__(
        self,
        platform: Platform,
        run: Runner,
        live: Server,
        variables: Variables,
        state_directory: str,
        means: Means = USUAL,
    ) -> None:
        self._platform = platform
        self._run = run
        self._live = live
        self._variables = variables
        self._state = state_directory
        self._means = means

    def rehearse(self, plan: Plan, current: Current, inspection: Inspection, texts: t.Iterable[str]) -> Rehearsal:
        """Make a change in a twin. Raises ApplyError if Apache or its answers are not as they should be there.

        :arg texts: the configuration, from which the names of logs are taken: opening a large one would copy it
        """
        logs = {match for text in texts for match in _LOG_DIRECTIVE.findall(text) if os.path.isfile(match)}
        outcome = self._means.twin(
            lambda: self._in_twin(plan, current, inspection),
            empty_directories=[self._variables.log_directory],
            empty_files=sorted(path for path in logs if not path.startswith(f"{self._variables.log_directory}/")),
            writable=sorted({os.path.dirname(path) for path in plan.write} | {self._state, self._platform.config_directory}),
            remove=[self._live.pid_file],
            timeout=_WHOLE_SECONDS,
        )
        if not outcome.ran:
            return Rehearsal(False, outcome.reason)
        if outcome.value["broken"]:
            raise ApplyError(BROKEN_AT_RELOAD, outcome.value["broken"], rehearsed=True)
        if outcome.value["unproven"]:
            return Rehearsal(False, outcome.value["unproven"])
        if outcome.value["error"]:
            message = f"{outcome.value['error']} (in a rehearsal: nothing was changed)"
            raise ApplyError(message, outcome.value["details"], rehearsed=True)
        taken = [f"port {port}: {holder}" for port, holder in _taken(outcome.value["ports"])]
        if taken:
            raise ApplyError(
                "with this change Apache would listen where another program does, and could not start (nothing was changed)",
                "\n".join(taken),
                rehearsed=True,
            )
        words = dict(zip(inspection.neighbours, outcome.value["fresh"]))
        return Rehearsal(True, fresh={question: said for question, said in words.items() if said})

    def _in_twin(self, plan: Plan, current: Current, inspection: Inspection) -> dict[str, t.Any]:
        """What happens in the twin: start as it is, change, reload, ask; as data."""
        # In the twin nobody manages services, and nobody outside may be asked to.
        os.environ["APACHE_STARTED_BY_SYSTEMD"] = "1"
        server = self._means.server(self._platform, self._run, self._live.pid_file, self._live.error_log)
        begun = time.monotonic()
        try:
            server.start()
        except ServerError as exc:
            return _not_started(server, exc)
        server.reload_seconds = max(_AT_LEAST_SECONDS, _TIMES_AS_LONG * (time.monotonic() - begun))
        try:
            means = dataclasses.replace(self._means, patience=min(_PATIENCE, self._means.patience))
            transaction = Transaction(self._platform, self._run, server, self._state, means)
            done = transaction.carry_out(plan, current, inspection, keep=True)
        except ApplyError as exc:
            return _result(error=str(exc), details=exc.details)
        return _result(
            ports=sorted({listener.port for listener in sockets.listeners()}),
            # What fails in the twin, whose applications run elsewhere, must not fail on the host.
            said=[
                answer.words if has_worked(answer) else ""
                for answer in (done.before.get(question, Answer()) for question in inspection.neighbours)
            ],
        )


def _not_started(server: Server, exc: ServerError) -> dict[str, t.Any]:
    """Why it does not start as it is; a fault of others is told from one of ours, and from what the twin lacks.

    With a certificate that it cannot use Apache goes on running until somebody reloads it, which must not be us.
    """
    said = " ".join(f"{exc}: {exc.details}".split())
    if _FATAL in exc.details:
        try:
            server.start(arguments=("-D", OFF, "-k", "start"))
        except ServerError as without_ours:
            if _FATAL in without_ours.details:
                return _result(unproven=said[:400], broken=without_ours.details)
    return _result(unproven=f"even as it is, Apache does not start in a twin of this host: {said[:400]}")


def _result(
    unproven: str = "",
    broken: str = "",
    error: str = "",
    details: str = "",
    ports: t.Sequence[int] = (),
    said: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    return {"unproven": unproven, "broken": broken, "error": error, "details": details, "ports": list(ports), "fresh": list(said)}


def _taken(ports: t.Iterable[int]) -> t.Iterator[tuple[int, str]]:
    """The ports that another program than Apache has on the host itself; the network of the twin was its own."""
    for port in ports:
        pid, program = sockets.holder(port)
        if pid and not is_apache(program):
            yield port, f"{program} (process {pid})"
