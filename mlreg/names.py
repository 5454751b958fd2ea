"""Names, references, semantic versions, and the safe display of text that came from outside.

A reference is one of

    name                    the model, or the one version that the verb implies
    name@1.2.0              a version; `v1.2` and `1.2` are read as 1.2.0
    name@latest             the highest release (a prerelease only if there is nothing else)
    name@champion           an alias
    model-3f9a0c55d1e2      a version's id
    models:/name/1.2.0      MLflow's spelling of the first two
    models:/name@champion
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from mlreg.errors import InvalidInput

if TYPE_CHECKING:
    from semver import Version as SemVer

LATEST = "latest"
MAX_NAME_BYTES = 128
MAX_VERSION_LENGTH = 128
MAX_TEXT_LENGTH = 10_000
MAX_VERSION_NUMBER = 2**63 - 1

_MODEL_ID = re.compile(r"model-[0-9a-f]{12}")
_PREFIX = re.compile(r"model-[0-9a-f]{4,11}")
_MODELS_URI = re.compile(r"models:/+([^/@]+)(?:[/@](.+))?")
_LENIENT = re.compile(r"v?(0|[1-9][0-9]*)(?:\.(0|[1-9][0-9]*))?(?:\.(0|[1-9][0-9]*))?([-+].+)?")
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")
# Letters that show nothing, and marks that show nothing or only choose a glyph. Both would make
# names that look alike; in other text the latter are at home, as in emoji.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_SELECTORS = frozenset(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10))))
_MORE_SELECTORS = frozenset(map(chr, range(0xE0100, 0xE01F0)))
_BLANK = _FILLERS | _SELECTORS | _MORE_SELECTORS


class Reference(NamedTuple):
    """A parsed reference: either an id, or a name with an optional selector behind the `@`."""

    name: str | None
    selector: str | None
    model_id: str | None

    def __str__(self) -> str:
        if self.model_id:
            return self.model_id
        return f"{self.name}@{self.selector}" if self.selector else str(self.name)


def parse_reference(text: str) -> Reference:
    """Read a reference; see the module's docstring for the grammar.

    Raises:
        InvalidInput: It is none; the message says why.
    """
    if _MODEL_ID.fullmatch(text):
        return Reference(None, None, text)
    if uri := _MODELS_URI.fullmatch(text):
        name, selector = uri.groups()
        return Reference(check_name(name), check_selector(selector) if selector else None, None)
    name, at, selector = text.partition("@")
    if at and not selector:
        raise InvalidInput(f"nothing follows the @ in {safe(text)}", hint=f"write {name}@1.0.0")
    return Reference(check_name(name), check_selector(selector) if at else None, None)


def check_selector(selector: str) -> str:
    """What stands behind the `@`: a version, `latest` or an alias.

    Raises:
        InvalidInput: It can be none of these.
    """
    if len(selector) > MAX_VERSION_LENGTH:
        raise InvalidInput(f"a version or alias has at most {MAX_VERSION_LENGTH} characters")
    if not (selector.isascii() and (_ALIAS.fullmatch(selector) or _LENIENT.fullmatch(selector))):
        raise InvalidInput(
            f"{safe(selector)} is neither a version nor an alias",
            hint="write name@1.2.0, name@latest or name@champion",
        )
    return selector


def is_version(selector: str) -> bool:
    """Whether a selector is to be read as a version, be it a valid one or not; else as an alias."""
    return _LENIENT.fullmatch(selector) is not None


def is_id(text: str) -> bool:
    """Whether a reference is the id of a version."""
    return _MODEL_ID.fullmatch(text) is not None


def is_id_prefix(text: str) -> bool:
    """Whether a reference may be the beginning of an id; a model may have such a name, too."""
    return _PREFIX.fullmatch(text) is not None


def check_name(text: str, what: str = "a model") -> str:
    """The name of a model, or of what else is named alike, in its stored form (NFC).

    Raises:
        InvalidInput: Empty, longer than 128 bytes, or with characters that a name cannot have.
    """
    if not text.strip():
        raise InvalidInput(f"the name of {what} must not be empty", hint="write it like sentiment")
    try:
        name = unicodedata.normalize("NFC", text)
        size = len(name.encode())
    except UnicodeEncodeError:
        raise InvalidInput(f"the name {safe(text)} is not valid Unicode") from None
    if size > MAX_NAME_BYTES:
        raise InvalidInput(f"the name of {what} has at most {MAX_NAME_BYTES} bytes, not {size}")
    if _MODEL_ID.fullmatch(name):
        raise InvalidInput(f"{name} has the form of an id and cannot be a name")
    wrong = next((c for c in name if not _in_name(c)), None)
    if wrong is not None or not (name[0].isalnum() or name[0] == "_") or name[-1] == ".":
        reason = f"the character {_shown(wrong)}" if wrong else "a dot, dash or mark at its edge"
        raise InvalidInput(
            f"{safe(name)} cannot be the name of {what}: it has {reason}",
            hint="use letters, digits, '.', '_' and '-'; the first is a letter, a digit or '_'",
        )
    return name


def _shown(char: str) -> str:
    return repr(char) if char == " " else _escape(char) if char in _BLANK else safe(char)


def _in_name(char: str) -> bool:
    # Letters and digits of every script, and the marks that compose them.
    if char in _BLANK:
        return False
    return char in "._-" or char.isalnum() or unicodedata.category(char) in {"Mn", "Mc"}


def name_key(name: str) -> str:
    """What makes two names the same: `Churn`, `churn` and full-width spellings collide."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def check_alias(text: str) -> str:
    """An alias such as `champion`.

    Raises:
        InvalidInput: It is `latest`, reads as a version, or has other characters.
    """
    if text == LATEST or _LENIENT.fullmatch(text) or not _ALIAS.fullmatch(text):
        raise InvalidInput(
            f"{safe(text)} cannot be an alias",
            hint="use letters, digits, '.', '_' and '-', and neither a version nor 'latest'",
        )
    return text


def check_key(text: object, what: str) -> str:
    """The name of a metric, a tag, a metadata or segment key or a feedback value."""
    if not (isinstance(text, str) and _KEY.fullmatch(text)):
        raise InvalidInput(
            f"{safe(str(text))} is not a name for a {what}",
            hint="use up to 64 letters, digits, '.', '_' and '-', the first a letter or '_'",
        )
    return text


def counted(number: int, noun: str) -> str:
    """So many of something: `1 input`, `2,000 inputs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def check_text(text: object, what: str, *, longest: int = MAX_TEXT_LENGTH) -> str:
    """Free text such as a description or a reason: valid Unicode of bounded length."""
    if not isinstance(text, str):
        raise InvalidInput(f"the {what} must be a text, not {safe(repr(text), longest=60)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"the {what} is not valid Unicode") from None
    if len(text) > longest:
        raise InvalidInput(f"the {what} has {len(text)} characters; at most {longest} are kept")
    if "\0" in text:
        raise InvalidInput(f"the {what} has a NUL character")
    return text


def parse_version(text: str) -> SemVer:
    """Read a semantic version; `v1.0` and `1` are completed to three numbers.

    Raises:
        InvalidInput: It is not SemVer 2.0 even so.
    """
    from semver import Version

    found = _LENIENT.fullmatch(text) if text.isascii() else None
    if found and len(text) <= MAX_VERSION_LENGTH:
        numbers = ".".join(part or "0" for part in found.groups()[:3])
        try:
            return Version.parse(numbers + (found[4] or ""))
        except ValueError:
            pass
    raise InvalidInput(
        f"{safe(text)} is not a semantic version",
        hint="write it like 1.2.0, 2.0.0-rc.1 or 1.0.0+build.5",
    )


def check_new_version(version: SemVer) -> SemVer:
    """A version that may be given out. Older ones may have larger numbers, and are found still.

    Raises:
        InvalidInput: A number in it is none that other programs could hold in 64 bits.
    """
    parts = (version.prerelease or "").split(".")
    numbers = [version.major, version.minor, version.patch, *(int(p) for p in parts if p.isdigit())]
    if max(numbers) > MAX_VERSION_NUMBER:
        raise InvalidInput(
            f"{max(numbers)} is too large for a version",
            hint=f"the largest number in one is {MAX_VERSION_NUMBER}",
        )
    return version


def precedence_key(version: SemVer) -> str:
    """Text that sorts, byte by byte, as SemVer 2.0 §11 orders versions (build metadata ignored)."""
    numbers = "".join(_number_key(str(n)) for n in (version.major, version.minor, version.patch))
    if version.prerelease is None:
        return numbers + "~"
    parts = version.prerelease.split(".")
    return numbers + "".join(f"0{_number_key(p)}" if p.isdigit() else f"1{p}!" for p in parts)


def _number_key(digits: str) -> str:
    # The length first, so that 10 sorts behind 9.
    return f"{len(digits):03d}{digits}!"


def safe(text: str, *, longest: int = 200) -> str:
    """Text from outside in a form that a terminal cannot be tricked by.

    Control, bidirectional and invisible characters, lone surrogates and line separators become
    visible escapes; the rest stays as it is. Longer text is cut with an ellipsis.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    if cut.isascii() and cut.isprintable():
        return cut
    return "".join(_visible(char) for char in cut)


def _visible(char: str) -> str:
    hidden = char not in _JOINERS and unicodedata.category(char) in _HIDDEN_CATEGORIES
    if hidden or char in _BIDI or char in _FILLERS:
        return _escape(char)
    return char


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
