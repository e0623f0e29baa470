"""The ports, kept: what speaks to providers, stores, clocks and the environment. Each is imported when it is chosen."""
