"""register, attach, next, list, show, compare, alias, archive, delete."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlreg.registry import Registry
from tests.cli.conftest import Run


def test_init_makes_a_registry_and_says_where(run: Run, tmp_path: Path) -> None:
    assert run("init", "--json").json == {
        "folder": str(tmp_path),
        "registry": str(tmp_path / ".mlreg"),
    }
    again = run("init")
    assert (again.code, again.out) == (4, "")
    assert again.err.startswith("error: there is a registry in ")
    assert run("init", "x" * 300).code == 2


def test_a_registered_version_has_what_was_said_about_it(mlreg: Run, artifact: Path) -> None:
    version = mlreg(
        "register", "sentiment@1.0.0", artifact, "--accuracy", "0.85", "--metric", "f1=.8",
        "--meta", "rows=1000", "--meta", "by=Ana", "--tag", "nightly", "--description", "First",
        "--json",
    ).json  # fmt: skip
    assert version["version"] == "1.0.0"
    assert version["metrics"] == {"accuracy": 0.85, "f1": 0.8}
    assert version["metadata"] == {"rows": 1000, "by": "Ana"}
    assert version["tags"] == ["nightly"]
    assert version["signature"]["input"] == "text"
    assert version["status"] == "inactive"


def test_a_lenient_version_is_completed_and_that_is_said(mlreg: Run) -> None:
    done = mlreg("register", "m@v1.2")
    assert done.code == 0
    assert "v1.2 read as 1.2.0" in done.err
    assert "m@1.2.0" in done.out


def test_bump_counts_up_from_the_highest_release(mlreg: Run) -> None:
    mlreg("register", "m@1.2.3")
    assert mlreg("register", "m", "--bump", "minor", "--field", "version").out == "1.3.0\n"
    assert mlreg("next", "m", "--json").json == {
        "model": "m", "latest": "1.3.0", "major": "2.0.0", "minor": "1.4.0", "patch": "1.3.1",
    }  # fmt: skip


def test_a_file_that_is_not_there_is_refused(mlreg: Run) -> None:
    refused = mlreg("register", "m@1.0.0", "nowhere.joblib")
    assert (refused.code, refused.out) == (2, "")
    assert len(refused.err.splitlines()) <= 3


def test_metadata_can_get_its_artifact_once(mlreg: Run, artifact: Path) -> None:
    mlreg("register", "m@1.0.0")
    assert mlreg("attach", "m@1.0.0", artifact, "--no-check", "--json").json["flavor"] == "sklearn"
    assert mlreg("attach", "m@1.0.0", artifact, "--no-check").code == 4


def test_list_shows_status_traffic_and_requests(serving: Run) -> None:
    header, first, second = serving("list").out.splitlines()
    assert header.split() == ["version", "status", "traffic", "accuracy", "requests"]
    assert first.split() == ["sentiment@1.0.0", "active", "80", "%", "85.0", "%", "0"]
    assert second.split()[0] == "sentiment@2.0.0"
    assert serving("list", "sentiment", "--status", "archived", "--json").json == {"models": []}
    assert serving("list", "--field", "models.version").out == "1.0.0\n2.0.0\n"


def test_an_empty_registry_says_what_to_do(mlreg: Run) -> None:
    assert "mlreg register" in mlreg("list").out


def test_show_knows_versions_models_and_ids(serving: Run) -> None:
    version = serving("show", "sentiment@latest", "--json").json
    assert version["version"] == "2.0.0"
    assert serving("show", version["model_id"], "--field", "version").out == "2.0.0\n"
    assert "digest:" in serving("show", "sentiment@1.0.0").out
    model = serving("show", "sentiment", "--json").json
    assert [v["version"] for v in model["versions"]] == ["1.0.0", "2.0.0"]
    assert "80 %" in serving("show").out


def test_compare_shows_offline_metrics_side_by_side(serving: Run) -> None:
    shown = serving("compare", "sentiment@1.0.0", "sentiment@2.0.0")
    assert "+0.05" in shown.out
    assert "not both have answered yet" in shown.out


def test_an_alias_moves_and_can_be_removed(serving: Run) -> None:
    assert "has the alias challenger" in serving("alias", "sentiment@2.0.0", "challenger").out
    serving("alias", "sentiment@1.0.0", "challenger")
    assert serving("show", "sentiment@challenger", "--field", "version").out == "1.0.0\n"
    assert serving("alias", "sentiment@challenger", "--delete").code == 0
    assert serving("show", "sentiment@challenger").code == 3
    assert serving("alias", "sentiment@1.0.0").code == 2


def test_an_archived_version_can_be_restored(mlreg: Run) -> None:
    mlreg("register", "m@1.0.0")
    assert mlreg("archive", "m@1.0.0", "--field", "status").out == "archived\n"
    assert mlreg("archive", "m@1.0.0", "--restore").out == "m@1.0.0 is inactive\n"


def test_a_serving_version_can_be_neither_archived_nor_deleted(serving: Run) -> None:
    assert serving("archive", "sentiment@1.0.0").code == 4
    assert serving("delete", "sentiment@1.0.0", "--yes").code == 4


def test_deleting_needs_a_yes_where_nobody_can_be_asked(mlreg: Run) -> None:
    mlreg("register", "m@1.0.0")
    refused = mlreg("delete", "m@1.0.0")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert mlreg("delete", "m@1.0.0", "--dry-run").out == "m@1.0.0 would be deleted\n"
    assert mlreg("delete", "m@1.0.0", "--yes").out == "m@1.0.0 is deleted\n"
    assert mlreg("show", "m@1.0.0").code == 3


@pytest.mark.parametrize(
    "wrong",
    [
        ("--accuracy", "nan"), ("--accuracy", "1e400"), ("--accuracy", "1_0"), ("--accuracy", "2"),
        ("--metric", "f1"), ("--metric", "f1=inf"), ("--metric", "=1"), ("--meta", "novalue"),
        ("--bump", "huge"), ("--input", "image"), ("--tag", ""), ("--parent", "9.9.9"),
    ],
)  # fmt: skip
def test_a_wrong_detail_is_refused(mlreg: Run, wrong: tuple[str, str]) -> None:
    refused = mlreg("register", "m@1.0.0", *wrong)
    assert refused.code in (2, 3)
    assert refused.out == ""
    assert 1 <= len(refused.err.splitlines()) <= 3
    assert mlreg("list", "--json").json == {"models": []}


def test_a_metric_given_twice_is_refused(mlreg: Run) -> None:
    refused = mlreg("register", "m@1.0.0", "--metric", "f1=1", "--metric", "f1=2")
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: f1 was given twice")


def test_what_gives_labels_that_nobody_knows_gives_a_label(mlreg: Run, registry: Registry):
    from sklearn.cluster import KMeans

    groups = KMeans(2, n_init=1).fit([[0.0], [1.0], [9.0]])
    registry.versions.register("groups@1.0.0", groups)
    assert "a label, by KMeans" in mlreg("show", "groups@1.0.0").out


def test_a_version_is_edited_by_its_reference_and_a_model_by_its_name(mlreg: Run):
    assert mlreg("register", "m@1.0.0", "--tag", "draft").code == 0
    said = mlreg(
        "edit", "m@1.0.0", "--description", "on March", "--tag", "nightly", "--untag", "draft",
        "--metric", "auc=0.93", "--json",
    )  # fmt: skip
    assert said.code == 0, said.err
    found = said.json
    assert (found["description"], found["tags"]) == ("on March", ["nightly"])
    assert found["metrics"] == {"auc": 0.93}
    assert mlreg("edit", "-m", "m", "--value-better", "clicks=up").code == 0
    refused = mlreg("edit", "m@1.0.0", "--value-better", "clicks=up", "--tag", "x")
    assert refused.code == 2
    assert mlreg("edit", "m@1.0.0").code == 2
    assert mlreg("next", "m", "--pre", "rc", "--field", "minor").out == "1.1.0-rc.1\n"
    registered = mlreg("register", "m", "--bump", "minor", "--pre", "rc", "--field", "version")
    assert registered.out == "1.1.0-rc.1\n"
    assert mlreg("show", found["model_id"][:13], "--field", "version").out == "1.0.0\n"


def test_a_draft_of_a_test_is_deleted(serving: Run):
    words = ("--control", "sentiment@1.0.0", "--treatment", "sentiment@2.0.0", "--mde", "0.1")
    assert serving("abtest", "create", "tone", *words).code == 0
    assert serving("abtest", "delete", "tone", "--dry-run").out == "tone would be deleted\n"
    assert serving("abtest", "delete", "tone").out == "tone is deleted\n"
    assert serving("abtest", "delete", "tone").code == 3
