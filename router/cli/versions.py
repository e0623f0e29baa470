"""Which version of the router this is."""


def installed_version() -> str:
    """As installed; "" in a checkout that was never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("routewright")
    except PackageNotFoundError:
        return ""
