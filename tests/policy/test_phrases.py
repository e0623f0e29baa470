"""What is suggested: the nearest name, or what names there are, however many."""

from router.policy.phrases import MOST_NAMES, close_to, suggestion

MANY = [f"company-{company}/team-{team}" for company in range(100) for team in range(60)]


def test_the_nearest_name_is_found_among_few_and_among_many() -> None:
    typos = {"company-42/team-7x": "company-42/team-7", "xompany-42/team-17": "company-42/team-17"}
    for typo, meant in typos.items():
        assert close_to(typo, [meant, "acme"]) == meant
        assert close_to(typo, MANY) == meant
    assert close_to("compay-42/team-17", MANY) == "company-42/team-17"
    assert close_to("nothing like it", MANY) is None
    assert close_to("a", []) is None


def test_a_list_of_names_ends_somewhere() -> None:
    names = [f"p{number:04}" for number in range(MOST_NAMES + 7)]
    assert suggestion("zzz", names[:2], what="policies here:") == "policies here: p0000, p0001"
    told = suggestion("zzz", names, what="policies here:")
    assert told.endswith(f"{names[MOST_NAMES - 1]} and 7 more")
    assert suggestion("zzz", []) == ""
