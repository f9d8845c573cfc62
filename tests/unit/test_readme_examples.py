"""The read-me's tasks for modules of others, held against the options of those modules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mailops.autoconfig.plugins.module_utils._mail_autoconfig.dns import records as dns

README = Path(__file__).parents[2] / "README.md"
MODULES = ("amazon.aws.route53", "community.dns.hetzner_dns_record_set", "community.dns.hosttech_dns_record_set")


def tasks() -> list[dict[str, Any]]:
    """All tasks in the read-me's examples."""
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)]
    return [task for block in blocks if isinstance(block, list) for task in block]


@pytest.fixture(scope="module")
def documentation() -> dict[str, Any]:
    for collection in ("amazon.aws", "community.dns"):
        pytest.importorskip(f"ansible_collections.{collection}", reason=f"the collection {collection} is not installed")
    done = subprocess.run(["ansible-doc", "--json", *MODULES], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_task_has_options_that_the_module_knows(documentation: dict[str, Any], module: str) -> None:
    (options,) = [task[module] for task in tasks() if module in task]
    known = documentation[module]["doc"]["options"]
    assert set(options) <= set(known)
    required = {name for name, option in known.items() if option.get("required")}
    assert required <= set(options)
    assert known["value"]["type"] == "list"
    # Our text is as in a zone file; a module that takes plain text by default would publish the quotes.
    if "txt_transformation" in known:
        assert options["txt_transformation"] == "quoted"


def test_quoted_text_arrives_as_it_is_meant() -> None:
    """community.dns' own reader of what the tasks hand over."""
    conversion = pytest.importorskip("ansible_collections.community.dns.plugins.module_utils.conversion.txt")
    for text in ("v=UAAC1; a=sha256; d=abc/+=", 'path=/a"b\\c/', "path=/" + "long/" * 80):
        assert conversion.decode_txt_value(dns.character_strings(text), character_encoding="decimal") == text
