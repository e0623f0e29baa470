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
