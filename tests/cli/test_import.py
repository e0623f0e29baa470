"""`router import litellm`."""

import json

import pytest

CONFIG = """\
model_list:
  - model_name: gpt-4o
    litellm_params:
      model: openai/gpt-4o
      api_key: os.environ/OPENAI_API_KEY
  - model_name: GPT 4
    litellm_params:
      model: azure/gpt-4o
      api_key: sk-Written0utInTheFile42
      api_base: https://ours.openai.azure.com
router_settings:
  fallbacks: [{gpt-4o: ["GPT 4"]}]
litellm_settings:
  max_budget: 100
  budget_duration: 30d
  telemetry: false
rate_limiting: {enabled: true}
"""


@pytest.fixture
def config(folder):
    (folder / "config.yaml").write_text(CONFIG)
    return folder / "config.yaml"


def test_it_writes_policies_that_pass_the_check(run, folder, config):
    told = run("import", "litellm", "config.yaml", "--output", "fresh").stdout
    assert "wrote fresh/providers.yaml" in told
    assert "wrote fresh/policies.yaml" in told
    assert "variables that they read: AZURE_API_KEY, OPENAI_API_KEY" in told
    assert run("check", "fresh", "--strict").stdout.startswith("fine: 2 policies, 2 targets, 0 tenants")


def test_the_report_begins_with_counts_and_with_what_is_dangerous(run, config):
    lines = run("import", "litellm", "config.yaml", "--output", "fresh").stdout.splitlines()
    assert lines[0] == (
        "config.yaml: 12 keys: imported 6, changed meaning 2, no effect in litellm 2, needs a database there 2"
    )
    assert lines[2:13] == [
        "look at these first",
        "  a secret is written out",
        "    model_list[].litellm_params.api_key: config.yaml:9",
        "        the key is written out: named here, not copied: `{env: AZURE_API_KEY}`",
        "        help: set AZURE_API_KEY; and replace the key, a secret in a file is no secret",
        "  money is not bounded as it reads",
        "    litellm_settings.max_budget: config.yaml:14",
        "        needs a database in litellm: spend is added up in litellm's database, and the config names none",
        "        help: `budgets: {everyone: {per_month: $100}}`, and `budget: {pool: everyone}` in each policy",
        "    litellm_settings.budget_duration: config.yaml:15",
        "        needs a database in litellm: the window of that budget",
    ]
    assert "    rate_limiting (enabled): config.yaml:17" in lines
    assert "  GPT 4 -> gpt-4" in lines


def test_a_secret_is_in_no_file_and_on_no_screen(run, folder, config):
    told = run("import", "litellm", "config.yaml", "--output", "fresh", "--report", "report.txt")
    files = [*(folder / "fresh").iterdir(), folder / "report.txt"]
    assert len(files) == 3
    assert "sk-Written" not in told.output + "".join(file.read_text() for file in files)


def test_a_folder_that_holds_policies_is_left_alone(run, folder, config):
    before = (folder / "policies" / "main.yaml").read_bytes()
    told = run("import", "litellm", "config.yaml", code=1).stderr
    assert told.startswith("error: `policies` holds policies already; nothing was written\nhelp: ")
    assert [each.name for each in (folder / "policies").iterdir()] == ["main.yaml"]
    assert (folder / "policies" / "main.yaml").read_bytes() == before


def test_force_replaces_files_of_the_same_names_alone(run, folder, config):
    run("import", "litellm", "config.yaml", "--output", "fresh")
    (folder / "fresh" / "policies.yaml").write_text("version: 1\n")
    (folder / "fresh" / "README.md").write_text("ours")
    run("import", "litellm", "config.yaml", "--output", "fresh", code=1)
    run("import", "litellm", "config.yaml", "--output", "fresh", "--force")
    assert "gpt-4o:" in (folder / "fresh" / "policies.yaml").read_text()
    assert (folder / "fresh" / "README.md").read_text() == "ours"


def test_a_folder_that_does_not_pass_after_all_is_told(run, folder, config):
    told = run("import", "litellm", "config.yaml", "--force", code=1)
    assert "duplicate-name" in told.stderr


def test_a_config_that_is_no_yaml_is_refused_where_it_breaks(run, folder):
    (folder / "config.yaml").write_text("model_list:\n - a: 1\n  - b: 2\n")
    told = run("import", "litellm", "config.yaml", "--output", "fresh", code=1).stdout
    assert told.startswith("config.yaml:3:3: error: not YAML: ")
    assert not (folder / "fresh").exists()


def test_a_config_that_is_not_there(run):
    told = run("import", "litellm", "gone.yaml", "--output", "fresh", code=1).stdout
    assert told.startswith("gone.yaml: error: can't be read")


def test_a_folder_is_no_config(run, folder):
    told = run("import", "litellm", str(folder), "--output", "fresh", code=1).stdout
    assert "error: this is a folder, and a config is one file" in told
    assert f"help: name the file in it: `router import litellm {folder}/config.yaml`" in told


def test_an_empty_map_has_no_report_to_look_at(run, folder):
    (folder / "config.yaml").write_text("{}\n")
    told = run("import", "litellm", "config.yaml", "--output", "fresh", code=1).stdout
    assert told == (
        "config.yaml:1:1: error: it has no `model_list`: there is nothing to call [nothing-to-import]\n"
        "    help: name the file that the proxy starts with\n"
    )


def test_nothing_to_call(run, folder):
    (folder / "config.yaml").write_text("litellm_settings: {num_retries: 1}\n")
    told = run("import", "litellm", "config.yaml", "--output", "fresh", code=1).stdout
    assert told.startswith("config.yaml:1:1: error: it has no `model_list`")
    assert "there is no policy that it would hold for" in told


def test_the_document_holds_every_key_once(run, config):
    shown = run("import", "litellm", "config.yaml", "--output", "fresh", "--format", "json")
    found = json.loads(shown.stdout)
    assert found["ok"] is True
    assert found["files"] == ["fresh/providers.yaml", "fresh/policies.yaml"]
    assert found["policies"] == {"gpt-4o": "gpt-4o", "GPT 4": "gpt-4"}
    keys = [key for each in found["findings"] for key in each["keys"]]
    assert sum(found["counts"].values()) == len(keys) == 12
    assert {"key": "rate_limiting.enabled", "file": "config.yaml", "line": 17, "column": 17} in keys


def test_the_report_in_a_file_has_the_form_that_was_asked_for(run, folder, config):
    run("import", "litellm", "config.yaml", "--output", "a", "--report", "a.txt")
    run("import", "litellm", "config.yaml", "--output", "b", "--report", "b.json", "--json")
    assert (folder / "a.txt").read_text().startswith("config.yaml: 12 keys: ")
    assert json.loads((folder / "b.json").read_text())["counts"]["imported"] == 6


def test_a_variable_can_be_given(run, folder):
    text = "model_list: [{model_name: a, litellm_params: {model: os.environ/MODEL}}]\n"
    (folder / "config.yaml").write_text(text)
    run("import", "litellm", "config.yaml", "--output", "fresh", code=1)
    run("import", "litellm", "config.yaml", "--output", "fresh", "--set", "MODEL=openai/gpt-4o")
    assert "openai/gpt-4o" in (folder / "fresh" / "policies.yaml").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import",), "missing command"),
        (("import", "litellm"), "missing argument 'CONFIG'"),
        (("import", "litellm", "c.yaml", "--set", "MODEL"), "`MODEL` is no NAME=VALUE"),
        (("import", "portkey", "c.yaml"), "no such command 'portkey'"),
        (("import", "litellm", "c.yaml", "--json", "--format", "text"), "choose one"),
    ],
)
def test_wrong_usage(run, arguments, message):
    assert message in run(*arguments, code=2).output


def test_importing_does_not_load_litellm(folder, config):
    import subprocess
    import sys

    program = (
        "import sys; from router.cli import main; "
        "code = main(['import', 'litellm', 'config.yaml', '--output', 'fresh']); "
        "sys.exit(code or 'litellm' in sys.modules)"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program], cwd=folder, capture_output=True, check=False
        ).returncode
        == 0
    )
