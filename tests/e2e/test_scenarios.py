"""The scenarios in molecule/, each as one test: create, prepare, check, converge, idempotence, verify."""

from __future__ import annotations

import subprocess


def verdict(done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong, short enough to read."""
    return "" if done.returncode == 0 else done.stdout[-6000:]


def test_default(default_scenario: subprocess.CompletedProcess[str]) -> None:
    assert verdict(default_scenario) == ""


def test_existing_sites(existing_sites_scenario: subprocess.CompletedProcess[str]) -> None:
    assert verdict(existing_sites_scenario) == ""


def test_setup_page(setup_page_scenario: subprocess.CompletedProcess[str]) -> None:
    assert verdict(setup_page_scenario) == ""


def test_dns(dns_scenario: subprocess.CompletedProcess[str]) -> None:
    assert verdict(dns_scenario) == ""
