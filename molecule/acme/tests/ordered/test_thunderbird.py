"""A real Thunderbird, which trusts the authority, ends with settings that came over HTTPS."""

from __future__ import annotations

from pathlib import Path

from testinfra.host import Host

from tests.conftest import need
from tools.thunderbird import Thunderbird


def test_it_ends_with_the_settings_over_https(host: Host, authority: str, tmp_path: Path) -> None:
    need("thunderbird", "unshare")
    root = tmp_path / "root.pem"
    root.write_bytes(host.file(authority).content)
    names = ["autoconfig.server.tld", "autodiscover.server.tld"]
    with Thunderbird(tmp_path) as thunderbird:
        thunderbird.trust(root)
        thunderbird.resolve(names, host.check_output("hostname -i"))
        found = thunderbird.discover("user@server.tld")
    assert found["source"] == "xml-from-isp-https"
    assert [(found[way]["hostname"], found[way]["port"]) for way in ("incoming", "outgoing")] == [
        ("mail.server.tld", 993),
        ("mail.server.tld", 465),
    ]
