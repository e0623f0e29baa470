"""What checks look at, of a plan that was built by hand."""

from router.plan import Plan
from router.policy.draft import Draft
from tests.policy.books import Book


def draft(whole: Plan) -> Draft:
    return Draft(
        documents=(),
        catalog=Book(),
        providers=whole.providers,
        targets=whole.targets,
        policies=whole.policies,
        tenants=whole.tenants,
    )
