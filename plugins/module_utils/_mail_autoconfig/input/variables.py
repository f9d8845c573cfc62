"""The names of the role's variables: which of the prefix it does not know. Pure.

PRIVATE to the collection.
"""

from __future__ import annotations

import collections.abc
import fnmatch
import typing as t

from . import reading
from .spec import OTHER_VARIABLES, ROLE_VARIABLES

PREFIX = "mail_autoconfig_"


def unknown(variables: t.Mapping[str, t.Any], own: t.Iterable[str] = ()) -> list[str]:
    """What the role would ignore, one line for each variable with the name that was probably meant.

    What a task has registered is nobody's wish: each result says whether it has ``changed`` anything, and no option does.

    :arg variables: all variables of a host, not templated; values are looked at only where the name is unknown
    :arg own: the administrator's own names, in which ``*`` may stand
    """
    known = {*ROLE_VARIABLES, *OTHER_VARIABLES}
    patterns = tuple(own)
    names = sorted(name for name in variables if name.startswith(PREFIX) and name[len(PREFIX) :] not in known)
    return [
        f"{name}: is unknown{_meant(name)}"
        for name in names
        if not _is_registered(variables[name]) and not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _meant(name: str) -> str:
    """Without the prefix, in which all names are alike."""
    found = reading.nearest(name[len(PREFIX) :], ROLE_VARIABLES)
    return f" (did you mean {PREFIX}{found}?)" if found else ""


def _is_registered(value: t.Any) -> bool:
    return isinstance(value, collections.abc.Mapping) and "changed" in value
