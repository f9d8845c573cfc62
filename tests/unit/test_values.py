"""What one room hands to another stays as it was made: nobody down the way can change what a report says later."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing as t

import pytest
from ansible_collections.mailops.autoconfig.plugins.module_utils import (
    _mail_autoconfig,
    _mail_autoconfig_dns,
    _mail_autoconfig_import,
)


def _values(package: t.Any) -> t.Iterator[type]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(found.name)
        for item in vars(module).values():
            if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__ == module.__name__:
                yield item


PACKAGES = (_mail_autoconfig, _mail_autoconfig_dns, _mail_autoconfig_import)
VALUES = {f"{item.__module__}.{item.__name__}": item for package in PACKAGES for item in _values(package)}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_cannot_be_changed_once_it_is_made(name: str) -> None:
    item = VALUES[name]
    value = item.__new__(item)
    for field in dataclasses.fields(item):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field.name, None)
