"""What our sites are to the Apache that has them, and to what else it has."""

from __future__ import annotations

from tests.conftest import Playbook
from tools.private_apache import PrivateApache


def virtual_hosts(apache: PrivateApache, *defines: str) -> str:
    """What Apache says of its virtual hosts."""
    return apache.command("apache2ctl", *(f"-D{name}" for name in defines), "-t", "-D", "DUMP_VHOSTS").stdout


def test_apache_tells_its_configuration_with_and_without_ours(
    apache: PrivateApache, playbook: Playbook, certificate: dict[str, str]
) -> None:
    apache.add_site("zoo", f"<VirtualHost *:{apache.http_port}>\nServerName zoo.tld\n</VirtualHost>\n")
    before = virtual_hosts(apache)
    options = {**apache.module_options(), **certificate, "domain": "server.tld", "well_known": True}
    assert not playbook.module(options)["failed"]
    assert "autoconfig.server.tld" in virtual_hosts(apache)
    assert virtual_hosts(apache, "MAIL_AUTOCONFIG_OFF") == before
