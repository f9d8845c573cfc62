"""dnspython may be missing or too old where the module runs: said in words, and every file can be imported without it."""

from __future__ import annotations

import importlib.util
import sys
import types

import dns.version
import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_check import library as of_check
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig_dns import library as of_updates


def loaded(library: types.ModuleType) -> types.ModuleType:
    """The module as a new interpreter would have it."""
    spec = importlib.util.spec_from_file_location("library_again", library.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("library", "part"), [(of_check, "dns.resolver"), (of_updates, "dns.update")])
def test_without_dnspython_the_reason_is_kept(monkeypatch: pytest.MonkeyPatch, library: types.ModuleType, part: str) -> None:
    monkeypatch.setitem(sys.modules, part, None)
    module = loaded(library)
    assert part in module.MISSING
    assert module.MISSING.startswith("Traceback")
    assert module.dns is None


@pytest.mark.parametrize("library", [of_check, of_updates])
@pytest.mark.parametrize(
    ("major", "minor", "is_enough"), [(1, 16, False), (2, 2, False), (2, 3, True), (2, 10, True), (3, 0, True)]
)
def test_a_version_that_nobody_has_tried_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, library: types.ModuleType, major: int, minor: int, is_enough: bool
) -> None:
    monkeypatch.setattr(dns.version, "MAJOR", major)
    monkeypatch.setattr(dns.version, "MINOR", minor)
    monkeypatch.setattr(dns.version, "version", f"{major}.{minor}")
    missing = loaded(library).MISSING
    assert missing == ("" if is_enough else f"dnspython is only {major}.{minor}")
