"""What would end Apache at its next reload, whoever asks for it.

PRIVATE to the collection. Apache reads certificates and opens logs behind its configtest, and ends if it cannot. A rehearsal
shows that; where there is none, the files of others are looked at here. What only may be wrong is passed over.
"""

from __future__ import annotations

import os
import re
import typing as t

from ..apache import key_pairs
from ..apache.directives import ConfigurationError, logical_lines, split_words
from ..apache.key_pairs import Pair
from ..certificates import Certificate
from . import certificates

# A program that knows passphrases. Debian's own asks a person, who is not there at a reload.
_PASSPHRASE_PROGRAM = re.compile(
    r'^\s*SSLPassPhraseDialog\s+"?(?:exec:(?!\S*/ask-for-passphrase\b)|\|)', re.IGNORECASE | re.MULTILINE
)
_OPENS_LOG = ("customlog", "transferlog")


def found(
    texts: t.Mapping[str, str], active: t.Sequence[str], root: str, log_directory: str, since: float | None
) -> tuple[str, ...]:
    """What is certainly wrong.

    :arg texts: the configuration of others, by path
    :arg active: certificates in use, as Apache tells them
    :arg root: Apache's ServerRoot
    :arg log_directory: what ``${APACHE_LOG_DIR}`` stands for
    :arg since: when Apache has read its configuration; None if it does not run
    """
    everything = "\n".join(texts.values())
    problems = []
    for pair in key_pairs.in_use(texts, active, root):
        complaints = [_complaint(pair, key, everything, since) for key in pair.keys]
        if all(complaints):
            problems.append(f"{pair.place}: the certificate {pair.file}: {complaints[0]}")
    for path, text in texts.items():
        problems += [f"{path}:{number}: {problem}" for number, problem in _logs(text, root, log_directory)]
    return tuple(problems)


def _complaint(pair: Pair, key: str, configuration: str, since: float | None) -> str:
    """Why a pair cannot be loaded; empty if it can, or if that cannot be told."""
    heads = []
    for path in (pair.file, key):
        try:
            with open(path, "rb") as stream:
                heads.append(stream.read(1 << 16))
        except OSError as exc:
            return f"{path} cannot be read ({exc.strerror})"
    if any(head.startswith(b"\x30") for head in heads):
        return ""  # DER, which Apache's OpenSSL reads, and ours does not
    if b"ENCRYPTED" in heads[1]:
        # What a program told it, or somebody typed at its start, it still knows at a reload, unless the key is another one.
        is_new = since is not None and os.stat(key).st_mtime > since
        if is_new and not _PASSPHRASE_PROGRAM.search(configuration):
            return f"the key {key} is new and has a passphrase, for which Apache would wait"
        return ""
    return certificates.refused(Certificate(pair.file, key), is_weak_allowed="SECLEVEL" in configuration)


def _logs(text: str, root: str, log_directory: str) -> t.Iterator[tuple[int, str]]:
    """Access logs whose directory is not there. Sections that may not hold are passed over."""
    depth = 0
    try:
        for number, line in logical_lines(text):
            if re.match(r"</?\s*(?!VirtualHost\b)", line, re.IGNORECASE):
                depth += -1 if line.startswith("</") else 1
                continue
            name, _space, raw = line.partition(" ")
            words = split_words(raw.replace("${APACHE_LOG_DIR}", log_directory))
            if depth or name.lower() not in _OPENS_LOG or not words or words[0].startswith("|") or re.search(r"[$%@]", words[0]):
                continue
            directory = os.path.dirname(os.path.join(root, words[0]))
            if not os.path.isdir(directory):
                yield number, f"the directory of the log {words[0]} does not exist"
    except ConfigurationError:
        return
