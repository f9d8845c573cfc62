"""Where Apache's files lie and what its commands are called."""

from __future__ import annotations

from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.host.debian import Debian


def test_the_usual_instance_is_debians() -> None:
    layout = Debian()
    assert layout.main_file == "/etc/apache2/apache2.conf"
    assert layout.available("sites") == "/etc/apache2/sites-available"
    assert layout.enabled("mods") == "/etc/apache2/mods-enabled"
    assert layout.environment == {"LC_ALL": "C"}
    assert layout.configtest == ["apache2ctl", "configtest"]


def test_a_further_instance_is_named_to_every_command() -> None:
    layout = Debian("/etc/apache2-mail")
    assert layout.available("conf") == "/etc/apache2-mail/conf-available"
    assert layout.environment == {"LC_ALL": "C", "APACHE_CONFDIR": "/etc/apache2-mail"}


def test_one_command_switches_all_names_of_a_kind() -> None:
    layout = Debian()
    assert layout.enable("sites", ["a", "b"]) == ["a2ensite", "-q", "a", "b"]
    assert layout.enable("conf", ["a"]) == ["a2enconf", "-q", "a"]
    assert layout.enable("mods", ["ssl"]) == ["a2enmod", "-q", "ssl"]
    assert layout.disable("sites", ["a"]) == ["a2dissite", "-q", "a"]
    assert layout.disable("conf", ["a", "b"]) == ["a2disconf", "-q", "a", "b"]


def test_links_end_as_debians_do() -> None:
    layout = Debian()
    assert [layout.suffix(kind) for kind in ("mods", "conf", "sites")] == [".load", ".conf", ".conf"]
