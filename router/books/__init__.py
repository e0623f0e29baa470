"""The books: what the rows of the ledger tell (usage, forecast, advice, export, audit), and what is left of budgets.

Each is a function over a plan and ports, or over rows alone, that returns frozen dataclasses: both routers have it as a
method (`router.client.bookkeeping`), and the command line prints the same values.
"""
