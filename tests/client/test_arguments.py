"""What type checkers know of a call is what a call may say."""

from inspect import signature

import pytest

import router
from router import AsyncRouter, Router
from router.client.arguments import ARGUMENTS, CallArguments, Own, Params, StreamArguments
from router.decide.params import CHAT_PARAMS


def test_every_parameter_has_a_type_and_no_other_is_known() -> None:
    assert set(Params.__annotations__) == set(CHAT_PARAMS)
    assert StreamArguments.__optional_keys__ == {*Own.__annotations__, *CHAT_PARAMS}
    assert CallArguments.__optional_keys__ == StreamArguments.__optional_keys__ | {"raise_errors"}
    assert not {*ARGUMENTS} & {*CHAT_PARAMS}


@pytest.mark.parametrize("name", ["complete", "stream"])
def test_all_ways_to_call_say_the_same(name: str) -> None:
    ways = [getattr(Router, name), getattr(AsyncRouter, name)]
    whole = [list(signature(way).parameters.values())[1:] for way in ways]
    whole += [list(signature(getattr(router, way)).parameters.values()) for way in (name, f"a{name}")]
    assert all(each == whole[0] for each in whole)
    assert "Arguments" in str(whole[0][-1])
