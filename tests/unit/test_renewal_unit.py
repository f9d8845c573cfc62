"""The unit of systemd that the role installs: when it has Apache use what it has renewed."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import jinja2
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache import managed_domains
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.apache.common import file_bytes

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/mail_autoconfig/templates/certificates.service.j2"
NAMES = ("autoconfig.server.tld", "autodiscover.server.tld")


class Host:
    """The directories that the unit looks at."""

    def __init__(self, directory: Path) -> None:
        self.store, self.apache = directory / "md", directory / "apache2"
        for part in ("available", "enabled"):
            (self.apache / f"conf-{part}").mkdir(parents=True)

    def manage(self, *domains: tuple[str, ...], host: str = "autoconfig.server.tld") -> None:
        """Have mod_md told of certificates, in a file that is enabled by a link.

        :arg host: by which the file is named
        """
        sets = [managed_domains.ManagedDomain(names) for names in domains]
        nodes = managed_domains.definitions(sets, managed_domains.AcmeOptions(), 80, 443)
        name = f"{managed_domains.file_name(host)}.conf"
        (self.apache / "conf-available" / name).write_bytes(file_bytes(nodes))
        (self.apache / "conf-enabled" / name).symlink_to(f"../conf-available/{name}")

    def stage(self, name: str) -> None:
        """Put a certificate where mod_md has what comes with the next reload."""
        (self.store / "staging" / name).mkdir(parents=True)
        (self.store / "staging" / name / "pubcert.pem").write_text("PEM")

    def reloads(self) -> bool:
        """Whether the unit would go on to the reload, as far as files decide that."""
        text = jinja2.Template(TEMPLATE.read_text()).render(
            mail_autoconfig_result={"certificate_store": str(self.store)},
            mail_autoconfig_config_directory=str(self.apache),
            mail_autoconfig_service="apache2",
        )
        text = text.replace("\\\n", " ")  # systemd.syntax(7)
        (command,) = re.findall(r"^ExecCondition=(/bin/sh .*)$", text, re.MULTILINE)
        words = shlex.split(command.replace("$$", "$").replace("%%", "%"))  # systemd.service(5), systemd.unit(5)
        ran = subprocess.run(words, check=False, capture_output=True, text=True)
        assert (ran.stdout, ran.returncode in (0, 1)) == ("", True), ran
        return ran.returncode == 0


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("domain", [NAMES, NAMES[:1]])
def test_a_renewed_certificate_of_a_managed_domain_is_worth_a_reload(host: Host, domain: tuple[str, ...]) -> None:
    host.manage(("autoconfig.other.tld",), domain)
    host.stage("autoconfig.gone.tld")
    assert not host.reloads()
    host.stage(NAMES[0])
    assert host.reloads()


def test_that_which_signs_is_worth_one_by_itself(host: Host) -> None:
    host.manage(NAMES)
    host.manage(("profiles.server.tld",), host="profiles.server.tld")
    host.stage("profiles.server.tld")
    assert host.reloads()


@pytest.mark.parametrize("name", ["autoconfig.server.tl", "autoconfig.server.tldx", "autoconfigxserver.tld", NAMES[1]])
def test_what_is_left_of_a_domain_that_is_managed_no_more_is_not(host: Host, name: str) -> None:
    host.manage(NAMES)
    host.stage(name)
    assert not host.reloads()


def test_nothing_staged_or_nothing_managed_is_not(host: Host) -> None:
    (host.store / "staging").mkdir(parents=True)
    host.manage(NAMES)
    assert not host.reloads()
    host.stage(NAMES[0])
    assert host.reloads()
    for path in (host.apache / "conf-enabled").iterdir():
        path.unlink()
    assert not host.reloads()
