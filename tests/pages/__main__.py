"""Prints anew what is generated from code: `python -m tests.pages`."""

from tests.pages.generated import CHECKOUT, GENERATED

for path, printed in GENERATED.items():
    text = printed()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(CHECKOUT)} was out of date")  # noqa: T201 - a script
