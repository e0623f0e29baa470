"""From a LiteLLM proxy config to policies, with a report that has a line for every key of it.

Nothing here imports litellm: what its keys do is in `facts*.py`, as of litellm 1.109.1.
"""
