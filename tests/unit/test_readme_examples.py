"""The read-me's tasks for modules of others, held against the options of those modules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

README = Path(__file__).parents[2] / "README.md"
MODULES = ("amazon.aws.route53", "community.dns.hetzner_dns_record_set", "community.dns.hosttech_dns_record_set")


def tasks() -> list[dict[str, Any]]:
    """All tasks in the read-me's examples."""
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)]
    return [task for block in blocks if isinstance(block, list) for task in block]


@pytest.fixture(scope="module")
def documentation() -> dict[str, Any]:
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
