"""For programs: everything that was found, as one JSON document."""

import json
from typing import Any

from router.tools.plain import plain
from router.tools.reports.report import Report


def as_json(report: Report) -> str:
    return json.dumps(document(report), indent=2, ensure_ascii=False)


def document(report: Report) -> dict[str, Any]:
    """Keys in the order in which they are read; `plan` is null where there are errors."""
    plan, counts = report.plan, report.counts
    return {
        "ok": not report.fails,
        "files": list(report.files),
        "errors": counts["error"],
        "warnings": counts["warning"],
        "notes": counts["note"],
        "problems": plain(report.problems),
        "plan": plan
        and {
            "digest": plan.digest,
            "prices_digest": plan.prices_digest,
            "policies": sorted(plan.policies),
            "targets": sorted(plan.targets),
            "tenants": sorted(plan.tenants),
        },
    }
