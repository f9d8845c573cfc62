"""Which key each certificate has in a configuration that others wrote.

PRIVATE to the collection. Apache tells the certificates of all virtual hosts (``DUMP_CERTS``), with macros and variables filled
in, but not their keys (``ssl_hook_ConfigTest`` in modules/ssl/ssl_engine_config.c). The keys stand in the text, which may have
variables; what these stand for is read off the certificate.
"""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t

from .directives import ConfigurationError, logical_lines, split_words

# ${NAME}, and a parameter of a macro, which begins with one of three characters (mod_macro).
_VARIABLE = re.compile(r"\$\{[^}]+\}|[$%@]\w+")
_SECTION = re.compile(r"<(/?)\s*(\w+)")


@dataclasses.dataclass(frozen=True)
class Template:
    """A certificate and its key as they are written, the key in the same file if none is named; ``place`` is file and line."""

    file: str
    key: str
    place: str


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate that a virtual host has, and its key: where the text leaves a choice, one of several."""

    file: str
    keys: tuple[str, ...]
    place: str


def templates(path: str, text: str) -> tuple[Template, ...]:
    """The pairs in a configuration file; none where it cannot be read, or a virtual host has TLS switched off."""
    scopes: list[_Scope] = [_Scope()]
    done: list[_Scope] = []
    try:
        for number, line in logical_lines(text):
            section = _SECTION.match(line)
            if section and section[2].lower() in ("virtualhost", "macro"):
                if not section[1]:
                    scopes.append(_Scope())
                elif len(scopes) > 1:
                    done.append(scopes.pop())
                continue
            name, _space, raw = line.partition(" ")
            scopes[-1] = scopes[-1].with_directive(name.lower(), split_words(raw), f"{path}:{number}")
    except ConfigurationError:
        return ()
    return tuple(template for scope in (*done, *scopes) for template in scope.templates())


@dataclasses.dataclass(frozen=True)
class _Scope:
    """What belongs together: the n-th key is that of the n-th certificate."""

    files: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    is_off: bool = False

    def with_directive(self, name: str, words: list[str], place: str) -> _Scope:
        value = words[0] if words else ""
        if name == "sslcertificatefile":
            return dataclasses.replace(self, files=(*self.files, (value, place)))
        if name == "sslcertificatekeyfile":
            return dataclasses.replace(self, keys=(*self.keys, value))
        if name == "sslengine":
            return dataclasses.replace(self, is_off=value.lower() == "off")
        return self

    def templates(self) -> t.Iterator[Template]:
        keys = (*self.keys, *(file for file, _place in self.files[len(self.keys) :]))
        for (file, place), key in zip(self.files, keys):
            if file and not self.is_off:
                yield Template(file, key, place)


def in_use(texts: t.Mapping[str, str], certificates: t.Iterable[str], root: str) -> tuple[Pair, ...]:
    """The pairs that are in use.

    :arg texts: configuration files, by path
    :arg certificates: as Apache tells them
    :arg root: its ServerRoot, for relative paths
    """
    literal: dict[str, list[Template]] = {}
    variable: list[Template] = []
    for template in (template for path, text in texts.items() for template in templates(path, text)):
        if _VARIABLE.search(template.file + template.key):
            variable.append(template)
        else:
            literal.setdefault(os.path.join(root, template.file), []).append(template)
    result: list[Pair] = []
    for certificate in dict.fromkeys(os.path.join(root, name) for name in certificates):
        exact = literal.get(certificate, [])
        result += [Pair(certificate, (os.path.join(root, template.key),), template.place) for template in exact]
        if not exact:
            keys = {key: template.place for template in variable for key in _filled(template, certificate, root)}
            if keys:
                result.append(Pair(certificate, tuple(keys), next(iter(keys.values()))))
    return tuple(dict.fromkeys(result))


def _filled(template: Template, certificate: str, root: str) -> t.Iterator[str]:
    """The key of a template with the values that its variables have in a certificate's path; none if it does not fit."""
    names: dict[str, str] = {}
    pattern = ""
    position = 0
    for variable in _VARIABLE.finditer(template.file):
        pattern += re.escape(template.file[position : variable.start()])
        known = variable.group() in names
        group = names.setdefault(variable.group(), f"v{len(names)}")
        pattern += f"(?P={group})" if known else f"(?P<{group}>.+?)"
        position = variable.end()
    pattern += re.escape(template.file[position:])
    if not template.file.startswith("/") and not _VARIABLE.match(template.file):
        pattern = re.escape(os.path.join(root, "")) + pattern
    matched = re.fullmatch(pattern, certificate)
    if matched and set(_VARIABLE.findall(template.key)) <= set(names):
        yield os.path.join(root, _VARIABLE.sub(lambda variable: matched[names[variable.group()]], template.key))
