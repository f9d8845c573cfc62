"""Programs that know one name server of a test's own, and no other."""

from __future__ import annotations

from pathlib import Path

# Gives a program, and nobody else, another /etc/resolv.conf: the first argument.
_WITH_RESOLVER = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"')


def with_name_server(directory: Path, address: str, attempts: int = 1) -> tuple[str, ...]:
    """What to put before a command, so that it asks the name server at an address (on port 53, as resolvers want it).

    :arg directory: where its ``resolv.conf`` is written
    :arg attempts: how often it asks before it gives up
    """
    file = directory / "resolv.conf"
    file.write_text(f"nameserver {address}\noptions attempts:{attempts} timeout:2\n")
    return (*_WITH_RESOLVER, str(file))
