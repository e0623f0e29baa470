"""`router schema`."""

import json

from router.resources import resource


def test_it_is_the_schema_that_ships(run, document):
    shipped = json.loads(resource("schemas/router.schema.json").read_text(encoding="utf-8"))
    assert json.loads(run("schema").stdout) == shipped
    assert document("schema") == shipped


def test_it_says_where_it_is(run, document):
    path = run("schema", "--path").stdout.rstrip("\n")
    assert path == str(resource("schemas/router.schema.json"))
    assert document("schema", "--path") == {"path": path}


def test_case_files_have_one_of_their_own(run, document):
    shipped = resource("schemas/cases.schema.json")
    assert document("schema", "--cases") == json.loads(shipped.read_text(encoding="utf-8"))
    assert run("schema", "--cases", "--path").stdout == f"{shipped}\n"
    assert "--local is for the schema of policy files" in run("schema", "--cases", "--local", code=2).stderr


def test_the_local_one_knows_the_names_of_these_policies(document):
    told = document("schema", "--local")
    assert told["definitions"]["rule"]["properties"]["policy"]["enum"] == ["fast", "night"]
    assert told["definitions"]["tenant"]["properties"]["policies"]["items"]["enum"] == ["fast", "night"]


def test_it_may_go_into_a_file(run, folder):
    printed = run("schema", "--local").stdout
    told = run("schema", "--local", "--output", "policies/local.schema.json").stdout
    assert (
        told == "policies/local.schema.json: the schema with 2 policies, 2 providers, 2 targets, 3 tenants\n"
    )
    assert (folder / "policies" / "local.schema.json").read_text(encoding="utf-8") == printed
    assert "fine: 2 policies" in run("check").stdout


def test_broken_files_give_what_names_they_have(run, folder):
    (folder / "policies" / "broken.yaml").write_text("version: 1\npolicies: {half: {targets: [\n")
    (folder / "policies" / "wrong.yaml").write_text("policies: {third: {}}\n")
    told = run("schema", "--local")
    assert told.stderr == "policies/broken.yaml: not readable, so its names are missing\n"
    assert json.loads(told.stdout)["definitions"]["rule"]["properties"]["policy"]["enum"] == [
        "fast",
        "night",
        "third",
    ]


def test_a_folder_that_is_not_there_is_told(run):
    assert "nowhere" in run("schema", "--local", "--policies", "nowhere").stderr
    assert "`nope/x.json` can't be written" in run("schema", "--output", "nope/x.json", code=2).stderr
    assert "--path" in run("schema", "--path", "--local", code=2).stderr
