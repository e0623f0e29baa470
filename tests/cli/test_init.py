"""`router init`."""


def test_what_it_writes_passes_strictly(run, folder):
    told = run("init", "fresh").stdout
    assert run("check", "fresh", "--strict").stdout.startswith("fine: 1 policy, 2 targets")
    assert "wrote fresh/cheap-fast.yaml" in told
    assert "router explain cheap-fast" in told
    assert "export ROUTER_POLICIES=fresh" in told


def test_what_it_tells_to_do_next_works(run, folder, monkeypatch):
    run("init", "fresh")
    monkeypatch.setenv("ROUTER_POLICIES", "fresh")
    run("explain", "cheap-fast")
    assert "made-up" in run("complete", "cheap-fast", "Hello", "--fake").stdout
    run("usage")


def test_its_cases_pass_and_leave_nothing_out(run, folder):
    run("init", "fresh")
    assert run("test", "fresh", "--fail-under", "100").stdout.endswith("fine: 5 cases, 6 calls in 1 file\n")


def test_nothing_is_ever_overwritten(run, folder):
    before = (folder / "policies" / "main.yaml").read_bytes()
    told = run("init", code=1).stderr
    assert told.startswith("error: `policies` holds policies already; nothing was written\nhelp: ")
    assert [each.name for each in (folder / "policies").iterdir()] == ["main.yaml"]
    assert (folder / "policies" / "main.yaml").read_bytes() == before


def test_a_folder_with_other_things_is_fine(run, folder):
    (folder / "fresh").mkdir()
    (folder / "fresh" / "README.md").write_text("ours")
    run("init", "fresh")
    names = {each.name for each in (folder / "fresh").iterdir()}
    assert names == {"README.md", "cheap-fast.yaml", "cheap-fast.cases.yaml", "providers.yaml"}


def test_the_document_names_the_files(document):
    assert document("init", "fresh") == {
        "folder": "fresh",
        "files": ["fresh/providers.yaml", "fresh/cheap-fast.yaml", "fresh/cheap-fast.cases.yaml"],
    }
