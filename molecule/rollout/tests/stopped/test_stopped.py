"""The first two hosts are served, the third is as before, and nobody has touched the fourth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

SERVED = ("mailops-rollout1", "mailops-rollout2")


def test_the_play_says_where_it_stopped(rollout: dict[str, Any], recap: dict[str, dict[str, int]]) -> None:
    assert rollout["rc"] != 0
    failed = {host: counts["failed"] for host, counts in recap.items()}
    assert failed == {"mailops-rollout1": 0, "mailops-rollout2": 0, "mailops-rollout3": 1}


def test_the_first_two_are_served(inventory_hostname: str, document: dict[str, Any]) -> None:
    assert ("<clientConfig" in document.get("body", "")) == (inventory_hostname in SERVED)


def test_the_others_are_as_before(host: Host, inventory_hostname: str, differences: Callable[[str], dict[str, Any]]) -> None:
    if inventory_hostname in SERVED:
        assert [key for key in differences("answers") if "shop.example" in key] == []
    else:
        assert (differences("answers"), differences("files")) == ({}, {})
        assert not host.file("/var/www/autoconfig").exists


def test_nobody_came_to_the_fourth(host: Host, inventory_hostname: str) -> None:
    if inventory_hostname == "mailops-rollout4":
        assert not host.file("/var/lib/mail_autoconfig").exists


def test_apache_runs(host: Host) -> None:
    assert host.service("apache2").is_running
