"""How long to wait before a retry."""

from router.plan import RetryRule


def retry_delay_s(
    retry: RetryRule, failed_sends: int, retry_after_s: float | None, *, left_s: float, draw: float
) -> float | None:
    """Seconds to wait after `failed_sends` failed sends to one target; None: do not wait, go to the next target.

    A Retry-After is obeyed to the letter, and above min(retry.max_s, left_s) means the next target. A backoff is drawn
    from the upper half of its step (equal jitter) and stays within [0, max_s].
    """
    if retry_after_s is not None:
        return None if retry_after_s > min(retry.max_s, left_s) else max(0.0, retry_after_s)
    ceiling_s = min(retry.max_s, step_s(retry, failed_sends))
    delay_s = ceiling_s * (0.5 + 0.5 * draw)
    return None if delay_s >= left_s else delay_s


def step_s(retry: RetryRule, failed_sends: int) -> float:
    """The step of the backoff before cap and jitter; `failed_sends` from 1."""
    match retry.backoff:
        case "constant":
            return retry.base_s
        case "linear":
            return retry.base_s * failed_sends
        case "exponential":
            return retry.base_s * 2.0 ** min(failed_sends - 1, 60)
        case "fibonacci":
            return retry.base_s * _fibonacci(failed_sends)


def _fibonacci(n: int) -> int:
    previous, current = 0, 1
    for _ in range(min(n, 90) - 1):
        previous, current = current, previous + current
    return current


def worst_wait_s(retry: RetryRule) -> float:
    """The longest that all waits of one target can take together, Retry-After included."""
    return retry.max_s * (retry.attempts - 1)
