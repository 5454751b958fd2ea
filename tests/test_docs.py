"""The documentation is complete, fresh, and does what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg import errors
from scripts import docs
from tests import guides

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GUIDES = [p for p in PAGES if p.exists() and not p.read_text().startswith(docs.HEADER)]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_guide_does_what_it_shows(guide: Path, tmp_path: Path) -> None:
    found = guides.problems(guide, tmp_path)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("page", docs.PAGES)
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    assert (ROOT / "docs" / page).read_text() == docs.PAGES[page](), "run: make docs"


def test_every_command_has_help_with_an_example() -> None:
    lacking = [name for name, text in docs.helps() if f"$ {name}" not in text]
    assert not lacking


def test_every_parameter_has_help() -> None:
    assert not list(docs.parameters_without_help())


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    codes = {error.code for error in docs.subclasses(errors.MlregError)}
    assert not [code for code in codes if f"`{code}`" not in page]


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in docs.subclasses(errors.MlregError)]
    assert len(codes) == len(set(codes))


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert not [name for name in docs.setting_names() if f"`{name}`" not in page]


GUIDE = """
```console
$ NAME=world
$ echo "hello $NAME"
hello world
$ false
$ echo $?
1
```

```python
open("made.txt", "w").write("by Python")
print("made", "it")
```

```text
made it
```

```console no-run
$ exit 9
```

```console
$ cat made.txt
by ...
$ printf 'a\\nb\\nc\\n'
a
...
$ for i in 1 2; do
>   echo "took $i.5 ms, model-00000000000$i"
> done
took 99 ms, model-abcdefabcdef
took 7 ms, model-3f9a00000000
```
"""


@pytest.mark.process
def test_a_true_guide_passes(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(GUIDE)
    assert guides.problems(tmp_path / "guide.md", tmp_path) == []


@pytest.mark.process
@pytest.mark.parametrize(
    ("lie", "complaint"),
    [
        ("$ echo one\ntwo\n", "it printed:\none"),
        ("$ echo one\none\nmore\n", "the guide shows:\none\nmore"),
        ("$ false\n", "ended with 1"),
        ("$ exit 3\n", "never ended"),
        ("```\n```python\nprint(1)\n```\n```text\n2\n", "the guide shows:\n2"),
    ],
)
def test_a_guide_that_lies_is_reported_with_its_line(
    tmp_path: Path, lie: str, complaint: str
) -> None:
    (tmp_path / "guide.md").write_text(f"# Title\n\n```console\n{lie}```\n")
    (found,) = guides.problems(tmp_path / "guide.md", tmp_path)
    assert found.startswith(("guide.md:4: $ ", "guide.md:6: $ python"))
    assert complaint in found
