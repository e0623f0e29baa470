"""Answers of a given form: made into objects, or told what is wrong and asked for again."""

from dataclasses import replace

from router import events as ev
from router.decide.fit import is_too_long
from router.decide.step import Failure, Try
from router.decide.structured import repair, text_of
from router.engine.run import Run
from router.errors import Attempt
from router.plan import Candidate, Route
from router.values import Kind, Misfit, Output, Reply


def formed(run: Run, route: Route, step: Try, reply: Reply) -> Reply | Failure:
    """The reply with its object; or why not, and then the transcript has grown where the model can be asked again."""
    output, candidate = run.request.output, route.candidates[step.index]
    if output is None:
        return reply
    try:
        return _with_object(output, reply, text_of(reply.message, candidate.method or "schema"))
    except Misfit as misfit:
        return _misfit(run, candidate, step, output, reply, misfit)


def of_another(run: Run, reply: Reply) -> Reply | None:
    """The same of an answer that another call was given; None where it has not the form."""
    output = run.request.output
    if output is None:
        return reply
    try:
        return _with_object(output, reply, reply.text)
    except Misfit:
        return None


def _with_object(output: Output, reply: Reply, text: str) -> Reply:
    """Whichever way it was asked for, the JSON is the text of the answer. Raises Misfit."""
    made = output.read(text)
    if reply.text == text and not reply.tool_calls:
        return replace(reply, object=made)
    message = {"role": "assistant", "content": text}
    first = {**reply.choices[0], "message": message, "finish_reason": "stop"}
    return replace(
        reply, object=made, message=message, choices=(first, *reply.choices[1:]), finish_reason="stop"
    )


def _misfit(
    run: Run, candidate: Candidate, step: Try, output: Output, reply: Reply, misfit: Misfit
) -> Failure:
    repairable = reply.finish_reason != "length" and _grown(run, candidate, reply, misfit)
    faults = len(misfit.faults)
    run.emit(ev.OutputMisfit, target=reply.target, form=output.name, faults=faults, repairable=repairable)
    count = "1 fault" if faults == 1 else f"{faults} faults"
    run.attempts.append(
        Attempt(
            target=reply.target,
            key=step.key,
            kind=Kind.INVALID_OUTPUT,
            message=f"the answer has not the form of `{output.name}`: {count}",
            cost_nusd=reply.cost_nusd or 0,
        )
    )
    return Failure(index=step.index, key=step.key, kind=Kind.INVALID_OUTPUT, repairable=repairable)


def _grown(run: Run, candidate: Candidate, reply: Reply, misfit: Misfit) -> bool:
    """Whether the transcript with this answer, and what is wrong with it, still fits; then it is kept."""
    name = candidate.target.name
    before = run.repairs.get(name, ())
    run.repairs[name] = (*before, *repair(reply.message, misfit.faults))
    if is_too_long(candidate, run.estimate(candidate)):
        run.repairs[name] = before
        return False
    return True
