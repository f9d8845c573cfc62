"""After everything of ours was taken away: as if we had never been there."""

from __future__ import annotations

from typing import Any

from testinfra.host import Host


def test_every_site_answers_as_before(changed_answers: dict[str, Any]) -> None:
    assert changed_answers == {}


def test_apaches_directory_is_as_before(changed_files: dict[str, Any]) -> None:
    assert changed_files == {}


def test_nothing_of_ours_is_left(host: Host) -> None:
    assert host.run("find /var/www/autoconfig -mindepth 1").stdout == ""


def test_apache_can_start_again(host: Host) -> None:
    assert host.service("apache2").is_running
    assert host.run("apache2ctl configtest").rc == 0
