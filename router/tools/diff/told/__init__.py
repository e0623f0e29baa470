"""A difference, told: for people, for programs, for GitHub."""
