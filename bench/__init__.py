"""What a call costs: `python -m bench` measures this router beside litellm, interleaved, against one local upstream."""
