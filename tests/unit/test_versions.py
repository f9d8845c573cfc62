"""The versions of ansible-core that the collection promises are those that it is tried with."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

from tools.matrix import VERSIONS

PROJECT = Path(__file__).parents[2]
OLDEST = min(VERSIONS, key=lambda version: [int(part) for part in version.split(".")])


def test_the_oldest_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load((PROJECT / "meta/runtime.yml").read_text()) == {"requires_ansible": f">={OLDEST}.0"}
    role = yaml.safe_load((PROJECT / "roles/mail_autoconfig/meta/main.yml").read_text())
    assert role["galaxy_info"]["min_ansible_version"] == OLDEST
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["ansible"] == [f"ansible-core>={OLDEST}"]
    for readme in ("README.md", "roles/mail_autoconfig/README.md"):
        assert f"ansible-core {OLDEST} or newer" in (PROJECT / readme).read_text(), readme


def test_ansible_lint_takes_every_version_that_is_tried_for_supported() -> None:
    configuration = yaml.safe_load((PROJECT / ".ansible-lint").read_text())
    assert configuration["supported_ansible_also"] == [f"{version}." for version in VERSIONS]
