"""Hosts of mail servers, as their programs described themselves: recorded on Debian 12 (Dovecot 2.3) and 13 (2.4).

``stock-*`` are the distribution's own configurations with users of the system, ``virtual-*`` have users with full addresses in a
file, a certificate by name, and domains in MySQL. Each has ports 465 and 587 with Postfix.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import typing as t
from pathlib import Path

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.commands import Result
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import import options, run
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_import.model import Facts

RECORDED = Path(__file__).parent / "recorded"
NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))
ADDRESS = "anna@server.tld"
Data = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Host:
    """What each command prints, by the command as one types it."""

    commands: t.Mapping[str, Result] = dataclasses.field(repr=False)

    def __call__(self, arguments: t.Sequence[str]) -> Result:
        """The runner of the library."""
        command = " ".join(map(shlex.quote, arguments))
        if command not in self.commands:
            raise FileNotFoundError(command)
        return self.commands[command]

    def command(self, beginning: str) -> str:
        """The one command that begins like this."""
        (found,) = (each for each in self.commands if each.startswith(beginning))
        return found

    def saying(self, beginning: str, output: str, status: int = 0) -> Host:
        """The same with another answer to a command."""
        known = [each for each in self.commands if each.startswith(beginning)]
        command = known[0] if known else beginning
        return Host({**self.commands, command: Result(status, output, "")})

    def changed(self, beginning: str, *changes: tuple[str, str]) -> Host:
        """The same with other words in the answer to a command, each of which has to be there."""
        result = self.commands[self.command(beginning)]
        output = result.output
        for old, new in changes:
            assert old in output, f"{old!r} is not in {output!r}"
            output = output.replace(old, new)
        return Host({**self.commands, self.command(beginning): result._replace(output=output)})

    def without(self, program: str) -> Host:
        """The same without a program."""
        return Host({command: result for command, result in self.commands.items() if command.split()[0] != program})

    def facts(self, **wanted: t.Any) -> Facts:
        """What is found out, without asking over the network."""
        return run.gather(options.read({"address": ADDRESS, **wanted}), self)

    def result(self, **wanted: t.Any) -> Data:
        """The result of the module, without asking over the network."""
        data, warnings = run.run(options.read({"address": ADDRESS, "ask": False, **wanted}), self)
        assert warnings == ()
        # As Ansible carries it.
        return dict(json.loads(json.dumps(data)))


def recorded(name: str, certificates: Path) -> Host:
    """A recorded host whose certificates lie elsewhere."""
    told = json.loads((RECORDED / f"{name}.json").read_text())
    return Host(
        {
            command: Result(each["status"], each["output"].replace("/etc/letsencrypt/live", str(certificates)), each["errors"])
            for command, each in told.items()
        }
    )


def unknown(data: Data, what: str) -> list[str]:
    """Why something could not be told."""
    return [each["why"] for each in data["unknown"] if each["what"] == what]
