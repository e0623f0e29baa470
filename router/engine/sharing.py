"""Identical calls that are under way at once: one is sent, and the others wait for its answer.

Only calls that the cache may serve are shared, so whoever may not be served from there is never shared with either. An
answer is shared as it came, cut or filtered too, though the cache keeps none such: it is what each would be given now.
A stream waits for who leads, and never leads: its answer would come as fast as its reader reads.
"""

from copy import deepcopy
from dataclasses import replace

from router import events as ev
from router.decide import outcome
from router.engine import answers, objects, permits
from router.engine.run import Run
from router.plan import Route
from router.ports import Seat
from router.values import Reply


def seat_of(run: Run, route: Route, key: str | None) -> Seat | None:
    """None: this call goes alone."""
    if key is None:
        return None
    flight = run.ports.flight
    return flight.follow(key) if route.streams else flight.join(key, since=run.landings)


async def answer_of_another(run: Run, route: Route, key: str | None, seat: Seat | None) -> Reply | None:
    """The answer that another call was given meanwhile; None: this one is to be sent. Raises DeadlineExceeded."""
    if seat is None:
        return None
    if seat.came_late and (stored := await answers.stored_reply(run, route, key)) is not None:
        return stored
    reply = await _landed(run, route, seat)
    if reply is None or reply.target not in {each.target.name for each in route.candidates}:
        return None
    reply = objects.of_another(run, reply)  # an object of its own: callers may change theirs
    if reply is None:
        return None
    run.emit(ev.AnswerShared, target=reply.target, of_request=reply.request_id)
    return replace(
        own(reply),
        request_id=run.request.id,
        cost_nusd=0 if reply.cost_nusd is not None else None,
        cached=True,
        trace=(),
    )


def own(reply: Reply) -> Reply:
    """The same, with a message that nobody else has: callers may change theirs."""
    message, choices = deepcopy((reply.message, reply.choices))
    return replace(reply, message=message, choices=choices)


async def _landed(run: Run, route: Route, seat: Seat) -> Reply | None:
    """What the seat is told in the time of the request, which keeps what it holds meanwhile."""
    while True:
        left_s = route.total_s - run.elapsed_s()
        step_s = min(left_s, max(0.0, run.renew_in_s())) if run.permits else left_s
        try:
            return await seat.landed(step_s)
        except TimeoutError:
            if left_s <= step_s:
                raise outcome.still_waiting(route) from None
        await permits.keep(run)
