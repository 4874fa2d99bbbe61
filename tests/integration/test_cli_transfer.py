"""`trimtab export`, `import` and `snapshots` against the real API and real files."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.rig.api import serving_api
from tests.rig.cli import Cli


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        await api.register("shop", "staging")
        await api.register("blog", "prod")
        trimtab = Cli(api)
        await trimtab("put", "log.level", '"no"')
        await trimtab("put", "db.pool", "20", "--app", "shop")
        await trimtab("put", "db.password", "hunter2", "--app", "shop", "--sensitive")
        await trimtab("put", "db.pool", "40", "--app", "shop", "--env", "prod")
        yield trimtab


@pytest.fixture
async def other(other_url: str) -> AsyncIterator[Cli]:
    async with serving_api(other_url) as api:
        yield Cli(api)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(each.relative_to(directory)): each.read_bytes() for each in directory.rglob("*") if each.is_file()}


async def test_a_tree_is_written_once_and_then_only_where_something_changed(trimtab: Cli, tmp_path: Path) -> None:
    tree = tmp_path / "configs"
    said = await trimtab("export", str(tree))
    first = contents(tree)
    assert sorted(first) == [
        "apps/blog/app.yaml",
        "apps/blog/environments/prod.yaml",
        "apps/shop/app.yaml",
        "apps/shop/environments/prod.yaml",
        "apps/shop/environments/staging.yaml",
        "global.yaml",
        "trimtab.yaml",
    ]
    assert len(said.lines) == 6
    assert first["apps/shop/app.yaml"] == (
        b"configs:\n  db.password:\n    sensitive: true\n  db.pool:\n    value: 20\n"
    )
    again = await trimtab("export", str(tree))
    assert (again.output, contents(tree)) == ("", first)
    await trimtab("put", "db.pool", "50", "--app", "shop", "--env", "prod")
    changed = await trimtab("export", str(tree))
    assert changed.lines == ["written  apps/shop/environments/prod.yaml"]


async def test_edited_files_are_imported_after_a_preview_and_a_question(trimtab: Cli, tmp_path: Path) -> None:
    tree = tmp_path / "configs"
    await trimtab("export", str(tree))
    file = tree / "apps/shop/environments/prod.yaml"
    file.write_text("# More load\nconfigs:\n  db.pool: {value: 60}\n  new: {value: [1, 2], owner: shop}\n")
    refused = await trimtab("export", str(tree), code=1)
    assert "--overwrite" in refused.errors
    tried = await trimtab("import", str(tree), "--dry-run")
    assert "updated\tshop/prod\tdb.pool\tvalue\t" in tried.lines
    assert "created\tshop/prod\tnew\t\t" in tried.lines
    assert (await trimtab("import", str(tree), stdin="n\n", code=1)).errors
    done = await trimtab("import", str(tree), "-m", "more load", stdin="y\n")
    assert "revision 5" in done.output
    assert (await trimtab("get", "db.pool", "--app", "shop", "--env", "prod")).output == "60\n"
    assert "keeps what is there" not in done.output
    said = await trimtab("export", str(tree))
    assert said.output == ""
    assert file.read_text().startswith("# More load")
    assert (await trimtab("import", str(tree), "--yes")).lines == ["5 unchanged"]


async def test_what_others_changed_since_the_export_is_told(trimtab: Cli, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    await trimtab("export", str(file))
    await trimtab("put", "db.pool", "21", "--app", "shop")
    refused = await trimtab("import", str(file), "--yes", code=1)
    assert "app.shop db.pool: it was changed since the document was taken" in refused.errors
    await trimtab("import", str(file), "--yes", "--on-conflict", "overwrite")
    assert (await trimtab("get", "db.pool", "--app", "shop", "--env", "staging")).output == "20\n"


@pytest.mark.parametrize("name", ["tree", "all.yaml", "all.json"])
async def test_an_export_makes_the_same_elsewhere(trimtab: Cli, other: Cli, tmp_path: Path, name: str) -> None:
    path, copy = tmp_path / name, tmp_path / f"copy-{name}"
    await trimtab("export", str(path))
    assert "--create-missing" in (await other("import", str(path), code=1, stdin="y\n")).errors
    await other("import", str(path), "--create-missing", "--yes")
    await other("put", "db.password", "hunter3", "--app", "shop", "--sensitive")
    await other("export", str(copy))
    if path.is_dir():
        first, second = contents(path), contents(copy)
        del first["trimtab.yaml"], second["trimtab.yaml"]
        assert first == second
    else:
        lines = [each.read_text().splitlines() for each in (path, copy)]
        assert [line for line in lines[0] if "installation" not in line and "revision" not in line] == [
            line for line in lines[1] if "installation" not in line and "revision" not in line
        ]


async def test_files_of_others_are_neither_deleted_nor_overwritten(trimtab: Cli, tmp_path: Path) -> None:
    tree = tmp_path / "configs"
    (tree / "apps/shop").mkdir(parents=True)
    (tree / "apps/shop/README.md").write_text("ours")
    (tree / "global.yaml").write_text("precious: 1\n")
    assert "global.yaml" in (await trimtab("export", str(tree), code=1)).errors
    assert contents(tree) == {"apps/shop/README.md": b"ours", "global.yaml": b"precious: 1\n"}
    await trimtab("export", str(tree), "--overwrite")
    assert "of everything" in (await trimtab("export", str(tree), "--app", "shop", code=1)).errors
    await trimtab("export", "--app", "shop", str(tmp_path / "one"))
    assert min(contents(tmp_path / "one")) == "apps/shop/app.yaml"


async def test_a_misplaced_or_wrong_file_is_named(trimtab: Cli, tmp_path: Path) -> None:
    tree = tmp_path / "configs"
    await trimtab("export", str(tree))
    (tree / "apps/shop/prod.yaml").write_text("configs: {}\n")
    assert "apps/shop/prod.yaml" in (await trimtab("import", str(tree), code=2)).errors
    (tree / "apps/shop/prod.yaml").unlink()
    (tree / "global.yaml").write_text("configs: {a: {value: no}}\n")
    assert "global.yaml: line 1, column 22" in (await trimtab("import", str(tree), code=2)).errors
    assert (await trimtab("import", str(tmp_path / "nothing.yaml"), code=2)).errors


async def test_an_export_to_the_screen_can_be_piped(trimtab: Cli) -> None:
    assert (await trimtab("export", "-", "--app", "blog")).lines[-1] == "        configs: {}"


async def test_named_snapshots_are_made_listed_and_forgotten(trimtab: Cli) -> None:
    await trimtab("snapshots", "create", "before-sale", "--description", "All was well")
    await trimtab("snapshots", "create", "early", "--revision", "1")
    listed = (await trimtab("snapshots", "list")).lines
    assert [line.split("\t")[:2] for line in listed] == [["before-sale", "4"], ["early", "1"]]
    assert (await trimtab("snapshots", "show", "early", "--json")).document["revision"] == 1
    place = ("--app", "shop", "--env", "prod")
    assert "+\tdb.password" in (await trimtab("compare", "shop/prod@early", "shop/prod")).output
    assert "log.level" in (await trimtab("effective", *place, "--snapshot", "early")).output
    await trimtab("restore", *place, "--to-snapshot", "early", "-m", "back")
    assert (await trimtab("effective", *place)).output.count("\n") == 1
    await trimtab("snapshots", "delete", "early")
    assert "early" in (await trimtab("snapshots", "show", "early", code=1)).errors
