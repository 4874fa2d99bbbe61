"""What policies ask of rollouts, together and apart."""

from datetime import timedelta

from control_plane.domain.staging import EVERYBODY, Staged, Staging, shortfalls, staging_violations, strictest

MINUTE = timedelta(minutes=1)


def test_of_several_policies_the_strictest_word_counts() -> None:
    assert strictest([]) is None
    asked = [
        Staging(("health", "bake"), bake=MINUTE, strategies=("canary", "percentage")),
        Staging(("acks",), first_weight=5_000, strategies=("percentage", "immediate")),
        Staging(bake=5 * MINUTE, first_weight=50_000),
    ]
    assert strictest(asked) == Staging(("bake", "acks", "health"), 5 * MINUTE, 5_000, ("percentage",))


def test_strategies_that_no_two_policies_have_in_common_leave_none() -> None:
    asked = strictest([Staging(strategies=("canary",)), Staging(strategies=("percentage",))])
    assert asked is not None
    assert asked.strategies == ()
    assert list(shortfalls(asked, Staged("canary"))) == ["its strategy is one of none"]


def test_a_plain_change_lacks_all_of_it_and_a_rollout_what_it_does_not_have() -> None:
    asked = Staging(("bake", "health"), MINUTE, 10_000, ("canary",))
    assert list(shortfalls(asked, None)) == ["it goes as a rollout"]
    assert list(shortfalls(asked, Staged("percentage", frozenset({"health"})))) == [
        "its strategy is one of canary",
        "it has a gate of the type bake",
        "it bakes for at least 60 s",
        "it exposes at most the weight 10,000 before its first gate",
    ]
    assert not list(shortfalls(asked, Staged("canary", frozenset({"bake", "health", "acks"}), MINUTE, 10_000)))
    assert not list(shortfalls(Staging(), Staged("immediate")))


def test_what_cannot_be_asked_for_is_told_where_it_stands() -> None:
    wrong = Staging(("bake", "luck"), timedelta(days=31), EVERYBODY + 1, ())
    pointers = [each.pointer for each in staging_violations("/staging", wrong)]
    assert pointers == ["/staging/gates/1", "/staging/strategies", "/staging/bake", "/staging/first_weight"]
    assert not list(staging_violations("/staging", Staging(("bake",), MINUTE, 1, ("canary",))))
