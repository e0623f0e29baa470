"""Declarative LLM routing: policies in YAML, checked, compiled, and run."""
