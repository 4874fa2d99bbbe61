"""The quick reading of a query gives the same context, or the same refusal, as the careful one."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from agent.local_api.asked import Asked
from agent.local_api.contexts import asked_context, query_context
from agent.local_api.errors import ProblemError
from shared.domain.codec import Json
from shared.domain.context import EvaluationContext

OWN = {"agent.instance": "one"}
NAMES = st.sampled_from(
    (
        "targetingKey",
        "groups",
        "country",
        "wait",
        "agent.instance",
        "age:",
        "targetingKey:",
        "groups:",
        "",
        "xtargetingKey",
        "n" * 256,
    )
)
TEXTS = st.sampled_from(
    ("", "ada", "a,b", ",", "a,,b", "7", "true", "[1,2]", "a=b", "%41", "a+b", "x" * 1_025, ",".join("abcd" * 26))
)
PAIRS = st.builds(lambda name, sign, text: name + sign + text, NAMES, st.sampled_from(("=", "", "==")), TEXTS)
QUERIES = st.lists(PAIRS, max_size=6).map("&".join)


def outcome(of: Callable[[], EvaluationContext]) -> Json:
    try:
        return of()
    except ProblemError as error:
        return error.problem


@given(QUERIES)
@example("&".join(f"a{number}=1" for number in range(101)))
@example("&".join(["targetingKey=ada", *(f"groups=g{number}" for number in range(101))]))
@example("country=SE&targetingKey=ada&targetingKey=bo")
@example("country=SE&&targetingKey=ada&")
def test_both_ways_to_read_a_query_agree(query: str) -> None:
    asked = Asked("GET", "/v1/values/k", query, {})
    for _ in range(2):
        quick = outcome(lambda: asked_context(asked, OWN, "wait"))
        assert quick == outcome(lambda: query_context(asked.pairs(), OWN, "wait"))


def test_what_the_agent_says_of_itself_may_change() -> None:
    asked = Asked("GET", "/v1/values/k", "targetingKey=ada&country=SE", {})
    for instance in ("one", "two"):
        context = asked_context(asked, {"agent.instance": instance})
        assert context == EvaluationContext("ada", (), {"country": "SE", "agent.instance": instance})
