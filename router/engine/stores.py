"""What a store that fails does to the call: as `settings.on_store_error` says, and an event tells."""

from router import events as ev
from router.engine.run import Run
from router.errors import StoreError
from router.plan import StorePort
from router.ports import Hold


def bypass(run: Run, port: StorePort, step: str, error: StoreError) -> None:
    """Go on without this step of `port`. Raises `error` where the files say `closed`."""
    if not run.plan.settings.on_store_error.opens(port):
        raise error
    run.emit(ev.StoreBypassed, port=port, step=step, why=error.message)


async def free(run: Run, hold: Hold) -> None:
    """Give back a row that nothing was sent for, while its call ends for another reason, which must not be hidden: a
    ledger that can't do it now leaves the row to its lease."""
    try:
        await run.ports.ledger.release(hold.id, now_s=run.ports.clock.now_s(), wait_s=run.closing_s())
    except StoreError as error:
        run.emit(ev.SettleFailed, attempt=hold.id, why=error.message)
