"""Where Apache's files lie, what its commands are called, and how something is switched on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import commands
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host import debian as debians
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.platform import Link, Platform


def test_the_usual_instance_is_debians() -> None:
    debian = Debian()
    assert debian.main_file == "/etc/apache2/apache2.conf"
    assert debian.available("sites") == "/etc/apache2/sites-available"
    assert debian.enabled("mods") == "/etc/apache2/mods-enabled"
    assert debian.environment == {"LC_ALL": "C"}
    assert debian.control("-t") == ["apache2ctl", "-t"]
    assert debian.service("reload", "apache2.service") == ["systemctl", "reload", "apache2.service"]
    assert "install the package apache2" in debian.missing


def test_a_further_instance_is_named_to_every_command() -> None:
    debian = Debian("/etc/apache2-mail")
    assert debian.available("conf") == "/etc/apache2-mail/conf-available"
    assert debian.environment == {"LC_ALL": "C", "APACHE_CONFDIR": "/etc/apache2-mail"}


def test_what_a_module_knows_is_looked_up_in_its_program(tmp_path: Path) -> None:
    debian = Debian(str(tmp_path))
    (tmp_path / "mods-available").mkdir()
    program = tmp_path / "mod_md.so"
    (tmp_path / "mods-available/md.load").write_text(f"# Depends: watchdog\nLoadModule md_module {program}\n")
    program.write_bytes(b"ELF\0MDomain\0MDProfileMandatory\0")
    assert (debian.knows_directive("md", "MDomain"), debian.knows_directive("md", "MDProfile")) == (True, False)
    # Apache itself is the judge of what cannot be read.
    program.unlink()
    assert debian.knows_directive("md", "MDProfile")
    assert debian.knows_directive("none", "MDProfile")


def test_an_apache_is_reloaded_only_if_it_runs_and_its_configuration_is_sound(tmp_path: Path) -> None:
    commands_directory, pid_file, told = tmp_path / "bin", tmp_path / "the pid", tmp_path / "told"
    commands_directory.mkdir()
    apache = commands_directory / "apache2ctl"
    apache.write_text(f'#!/bin/sh\necho "$APACHE_CONFDIR $*" >>{told}\ntest "$1 $BROKEN" != "-t 1"\n')
    apache.chmod(0o755)

    def reload(**variables: str) -> tuple[int, list[str]]:
        told.write_text("")
        environment = {"PATH": f"{commands_directory}:{os.environ['PATH']}", **variables}
        done = subprocess.run(["sh", "-c", command], env=environment, check=False)
        return done.returncode, told.read_text().splitlines()

    command = Debian("/etc/apache2 mail").reload_when_sound("", str(pid_file))
    assert reload() == (0, [])
    pid_file.write_text(f"{os.getpid()}\n")
    assert reload() == (0, ["/etc/apache2 mail -t", "/etc/apache2 mail graceful"])
    assert reload(BROKEN="1") == (1, ["/etc/apache2 mail -t"])
    assert Debian().reload_when_sound("apache2.service", str(pid_file)) == (
        "if systemctl --quiet is-active apache2.service; then apache2ctl -t && systemctl reload apache2.service; fi"
    )


def test_what_renews_looks_at_the_usual_directory_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Which of the two counts is for the machine to say.
    for name in ("_CERTBOT_TIMERS", "_CERTBOT_CRON"):
        monkeypatch.setattr(debians, name, f"{tmp_path}/*certbot*")
    assert Debian().renews_lineages() is False
    (tmp_path / "certbot.timer").touch()
    assert Debian().renews_lineages() is True
    assert Debian(certbot_directory="/srv/letsencrypt").renews_lineages() is False


def test_links_end_as_debians_do() -> None:
    assert [Debian().suffix(kind) for kind in ("mods", "conf", "sites")] == [".load", ".conf", ".conf"]


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    mods = tmp_path / "mods-available"
    mods.mkdir()
    for name in ("ssl.load", "ssl.conf", "env.load"):
        (mods / name).touch()
    return Debian(str(tmp_path), str(tmp_path / "state"))


def test_a_module_is_loaded_before_it_is_configured(debian: Debian) -> None:
    """Not all of these files ask whether the module is there."""
    base = debian.config_directory
    assert debian.links("mods", "ssl") == [
        Link(f"{base}/mods-enabled/ssl.load", "../mods-available/ssl.load"),
        Link(f"{base}/mods-enabled/ssl.conf", "../mods-available/ssl.conf"),
    ]
    assert debian.links("mods", "env") == [Link(f"{base}/mods-enabled/env.load", "../mods-available/env.load")]
    for kind in ("sites", "conf"):
        assert debian.links(kind, "a") == [Link(f"{base}/{kind}-enabled/a.conf", f"../{kind}-available/a.conf")]


def test_a_module_says_what_it_needs_and_what_it_cannot_stand_beside(debian: Debian) -> None:
    path = Path(debian.available("mods"), "ssl.load")
    path.write_text("# Depends: setenvif mime socache_shmcb\n# Conflicts:  gnutls \nLoadModule ssl_module x.so\n")
    assert debian.requirements("ssl") == (("setenvif", "mime", "socache_shmcb"), ("gnutls",))
    assert debian.requirements("env") == debian.requirements("absent") == ((), ())


def test_the_notes_of_a2enmod_are_kept(debian: Debian, monkeypatch: pytest.MonkeyPatch) -> None:
    base = f"{debian.state_directory}/module"
    by_package = [(f"{base}/enabled_by_maint/ssl", False), (f"{base}/disabled_by_maint/ssl", False)]
    on = [(f"{base}/enabled_by_admin/ssl", True), (f"{base}/disabled_by_admin/ssl", False)]
    off = [(f"{base}/enabled_by_admin/ssl", False), (f"{base}/disabled_by_admin/ssl", True)]
    assert debian.note("mods", "ssl", True) == on + by_package
    assert debian.note("mods", "ssl", False) == off + by_package
    assert Debian().note("sites", "a", True)[0] == ("/var/lib/apache2/site/enabled_by_admin/a", True)
    monkeypatch.setenv("APACHE_STATE_DIRECTORY", "/elsewhere")
    assert Debian().note("conf", "a", True)[0] == ("/elsewhere/conf/enabled_by_admin/a", True)


def test_variables_are_those_of_envvars_or_debians(debian: Debian) -> None:
    def variables() -> list[str]:
        return commands.run(debian.variables(), debian.environment).output.splitlines()

    Path(debian.config_directory, "envvars").touch()
    assert variables() == ["www-data", "www-data", "/var/log/apache2", "/var/run/apache2/apache2.pid"]
    Path(debian.config_directory, "envvars").write_text(
        "echo noise\nexport APACHE_RUN_USER=web\nexport APACHE_RUN_GROUP=webs\nSUFFIX=-x\n"
        "export APACHE_LOG_DIR=/logs$SUFFIX\nexport APACHE_PID_FILE=/run/a$SUFFIX.pid\n"
    )
    assert variables() == ["web", "webs", "/logs-x", "/run/a-x.pid"]


def test_debian_is_a_platform(debian: Debian) -> None:
    members = {name for name in vars(Platform) if not name.startswith("_")}
    assert members <= set(dir(debian))


def test_the_timers_of_the_role_are_those_of_this_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debians, "_TIMERS", f"{tmp_path}/mail-autoconfig-{{}}-{{}}.timer")
    assert Debian().timers() == ()
    (tmp_path / "mail-autoconfig-certificates-apache2.timer").touch()
    (tmp_path / "mail-autoconfig-signing-apache2-b.timer").touch()
    assert Debian().timers() == ("certificates",)
    assert Debian("/etc/apache2-b").timers() == ("signing",)
