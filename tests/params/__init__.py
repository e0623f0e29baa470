"""Makes `router/adapters/param_table.json` of litellm's own answers, and compares it with them."""
