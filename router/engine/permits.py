"""Request rates and concurrency at the limiter: of a request under its id, of an attempt under its own."""

from router import events as ev
from router.decide.reserve import Amounts
from router.engine import shadows
from router.engine.run import LEASE_S, Run
from router.engine.stores import bypass
from router.errors import StoreError
from router.ports import LimitFull, Take


async def take(run: Run, id: str, amounts: Amounts, *, target: str | None = None) -> LimitFull | None:
    """Take all of it under `id`, or nothing, and say which limit is full. `target` is that of an attempt. Raises
    StoreError where the limiter is closed."""
    takes = [Take(limit=limit, amount=amount) for limit, amount in amounts]
    now_s = run.ports.clock.now_s()
    try:
        admission = await run.ports.limiter.admit(
            id, takes, now_s=now_s, lease_s=LEASE_S, wait_s=run.left_s()
        )
    except StoreError as error:
        bypass(run, "limiter", "admit", error)
        return None
    except BaseException:  # cancelled on the way: it may have been admitted
        run.permits.add(id)
        await give_back(run, id)
        raise
    if admission.full is not None:
        return admission.full
    shadows.tell_admission(run, admission, now_s, target)
    if any(limit.unit == "concurrent_requests" for limit, _ in amounts):
        run.permits.add(id)
    run.emit(ev.Admitted, limits=tuple(limit.text for limit, _ in amounts))
    return None


async def renew(run: Run, *, until_s: float) -> None:
    """Of whatever this request holds. Raises StoreError."""
    for held in tuple(run.permits):
        await run.ports.limiter.renew(held, lease_until_s=until_s, wait_s=run.left_s())


async def keep(run: Run) -> None:
    """Between two attempts, and while it waits: renew what the request holds, where it is time. What is taken from here
    on has a lease of its own, which begins later."""
    if run.permits and run.renew_in_s() > 0:
        return
    run.leased_s = run.ports.clock.mono_s()
    try:
        await renew(run, until_s=run.ports.clock.now_s() + LEASE_S)
    except StoreError as error:
        run.emit(ev.RenewFailed, attempt=run.request.id, why=error.message)


async def pause(run: Run, delay_s: float) -> None:
    """Wait for `delay_s`, and keep what the request holds meanwhile."""
    while run.permits and (step_s := max(0.0, run.renew_in_s())) < delay_s:
        await run.ports.clock.sleep(step_s)
        await keep(run)
        delay_s -= step_s
    await run.ports.clock.sleep(delay_s)


async def give_back(run: Run, id: str) -> None:
    """A limiter that can't take concurrency back now leaves it to the lease: the answer, or the error, stands."""
    if id not in run.permits:
        return
    run.permits.discard(id)
    try:
        await run.ports.limiter.release(id, wait_s=run.closing_s())
    except StoreError as error:
        run.emit(ev.ReleaseFailed, why=error.message)


async def give_all_back(run: Run) -> None:
    """Of the request, and of the attempt that it ended with: of both, though cancelled at the first."""
    if not run.permits:
        return
    try:
        await give_back(run, next(iter(run.permits)))
    finally:
        await give_all_back(run)
