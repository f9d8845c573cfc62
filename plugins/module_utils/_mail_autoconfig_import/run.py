"""The whole of it: gather, choose, ask, propose.

PRIVATE to the collection.
"""

from __future__ import annotations

from .._mail_autoconfig_check.connections import Trust
from . import commands, connections, dovecot, files, postfix, proposal, users
from .commands import Runner
from .model import Domain, Facts, Program, Unknown, Username
from .options import Options
from .report import Data, report


def run(options: Options, runner: Runner | None = None) -> tuple[Data, tuple[str, ...]]:
    """The data of the result, and what is to be warned of. Raises OSError if the CA file cannot be used.

    :arg runner: in place of the host's commands
    """
    runner = runner or commands.runner(options.timeout)
    trust = Trust(options.ca_file).context() if options.ask else None
    facts = gather(options, runner)
    choices = proposal.choose(facts, options)
    named = [choice for choice in choices.chosen if choice.hostname]
    asked = [connections.ask(choice, runner, trust, options.timeout) for choice in named] if trust else []
    offered = {each.service: each.mechanisms for each in asked if each.mechanisms is not None}
    data = report(facts, choices, asked, proposal.propose(facts, choices, offered, options))
    return data, tuple(difference for each in asked for difference in each.differences)


def gather(options: Options, runner: Runner) -> Facts:
    """Ask the programs of the host. Never raises."""
    programs = (dovecot.gather(runner), postfix.gather(runner))
    uses = {(use.file, use.services, use.server_names): use for program in programs for use in program.certificates}
    certificates = tuple(filter(None, map(files.certificate, uses.values())))
    own = {program.hostname for program in programs}
    listed = (domain.name for program in programs for domain in program.domains if domain.name not in own)
    username, domains, unknown = _users(options, programs[0], (*options.domains, *listed), runner)
    found = {each.name: each for each in (*domains, *(each for program in programs for each in program.domains))}
    return Facts(
        programs=programs,
        certificates=certificates,
        username=username,
        domains=tuple(found.values()),
        unknown=(
            *(each for program in programs for each in program.unknown),
            *unknown,
            *(Unknown("certificates", each.problem, each.use.file) for each in certificates if each.problem),
        ),
    )


def _users(
    options: Options, dovecots: Program, known: tuple[str, ...], runner: Runner
) -> tuple[Username, tuple[Domain, ...], tuple[Unknown, ...]]:
    """What Dovecot says of its users, if it is here.

    :arg known: mail domains, those first that are meant
    """
    if not dovecots.version:
        return Username(), (), (Unknown("username", "only Dovecot is asked for user names, and it cannot be", "doveadm user"),)
    username, unknown = users.username(runner, options.address, *known[:1])
    domains, more = users.domains(runner)
    return username, domains, (*unknown, *more)
