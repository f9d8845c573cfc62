"""The names of the role's variables: what is misspelt, and what only begins in the same way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.input.variables import unknown

ROOT = Path(__file__).parents[3]


def test_all_misspelt_names_are_told_at_once_with_what_was_meant() -> None:
    given = {
        "mail_autoconfig_domain": "server.tld",
        "mail_autoconfig_domian": "other.tld",
        "mail_autoconfig_mailhost": "mail.server.tld",
        "mail_autoconfig_SETUP_PAGE": True,
        "mail_autoconfig_customers": [],
        "mail_autoconfig_": 1,
    }
    assert unknown(given) == [
        "mail_autoconfig_: is unknown",
        "mail_autoconfig_SETUP_PAGE: is unknown (did you mean mail_autoconfig_setup_page?)",
        "mail_autoconfig_customers: is unknown",
        "mail_autoconfig_domian: is unknown (did you mean mail_autoconfig_domain?)",
        "mail_autoconfig_mailhost: is unknown (did you mean mail_autoconfig_mail_host?)",
    ]


def test_what_the_module_has_and_the_role_passes_is_no_variable() -> None:
    assert unknown({"mail_autoconfig_setup_pages": []}) == [
        "mail_autoconfig_setup_pages: is unknown (did you mean mail_autoconfig_setup_page?)"
    ]


def test_names_of_others_are_left_alone() -> None:
    assert unknown({"__mail_autoconfig_domian": 1, "my_mail_autoconfig_domian": 1, "mail_auto": 1, "ansible_host": "x"}) == []


def test_own_names_pass_where_they_are_named() -> None:
    given = {"mail_autoconfig_customers": [], "mail_autoconfig_customer_a": 1, "mail_autoconfig_domian": 1}
    assert [line.partition(":")[0] for line in unknown(given, ["mail_autoconfig_customer_*"])] == [
        "mail_autoconfig_customers",
        "mail_autoconfig_domian",
    ]
    assert unknown(given, ["mail_autoconfig_custom*", "mail_autoconfig_domian"]) == []


def test_what_a_task_has_registered_passes() -> None:
    assert unknown({"mail_autoconfig_push": {"changed": False, "failed": False}}) == []
    assert unknown({"mail_autoconfig_push": {"server": "192.0.2.1"}}) == ["mail_autoconfig_push: is unknown"]


def test_only_the_value_of_an_unknown_name_is_looked_at() -> None:
    """Ansible would template ten thousand domains for it."""

    class Variables(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            looked_at.append(name)
            return super().__getitem__(name)

    looked_at: list[str] = []
    unknown(Variables(mail_autoconfig_providers=[], mail_autoconfig_domian="x", mail_autoconfig_result={}, other=1))
    assert looked_at == ["mail_autoconfig_domian"]


@pytest.mark.parametrize("place", ["playbooks", "roles", "README.md", "molecule"])
def test_every_name_of_the_collection_itself_is_known(place: str) -> None:
    path = ROOT / place
    files = [path] if path.is_file() else [file for file in path.rglob("*.*") if file.suffix in (".yml", ".j2", ".md")]
    assert files
    names = {
        name for file in files for name in re.findall(r"(?<![\w./-])mail_autoconfig_\w*\w(?=['\": |=}.,`)-])", file.read_text())
    }
    own = ["mail_autoconfig_domian"] if place == "README.md" else []
    assert unknown(dict.fromkeys(names), own) == []
