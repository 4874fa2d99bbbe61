"""What an app/environment's entries yield, by the compiled program, and why, by the interpreter."""

from shared.domain.codec import Json, canonical
from shared.domain.context import ANYBODY, EvaluationContext
from shared.domain.entry import Entry, Kind
from shared.domain.program import Program
from shared.domain.references import MAX_FOLLOWED
from shared.domain.resolution import Arm, Effective, ErrorCode, Reason, Resolution
from shared.domain.scope import Level

NOW = 1_000_000
ALICE, BOB = EvaluationContext("alice"), EvaluationContext("bob")


def effective(kind: str, value: Json = None, rollout: Json = None, key: str = "k", **more: Json) -> Effective:
    text = b"" if kind in (Kind.MASK, Kind.INHERIT) else canonical(value)
    entry = Entry(key, kind, text, 1, 1, rollout=b"" if rollout is None else canonical(rollout))
    return Effective(Level.ENVIRONMENT, entry, **more)


def exposure(**members: Json) -> Json:
    defaults = {
        "schema": 1,
        "id": "r1",
        "strategy": "percentage",
        "phase": "progressing",
        "step": 0,
        "kind": "value",
        "candidate": "new",
        "salt": "s",
        "unit": "targetingKey",
        "weights": [[0, 100_000]],
    }
    return defaults | members


def one(entry: Effective, context: EvaluationContext = ANYBODY, now_ms: int = NOW) -> Resolution | None:
    return Program.of({"k": entry}).evaluate("k", context, now_ms)


def told(entry: Effective, context: EvaluationContext = ANYBODY, now_ms: int = NOW) -> tuple[Json, ...]:
    found = one(entry, context, now_ms)
    assert found is not None
    return found.value, found.variant, found.reason, found.error, found.arm


def test_a_plain_value_is_the_same_for_everybody() -> None:
    program = Program.of({"k": effective(Kind.VALUE, 7)})
    assert program.evaluate("k", ALICE, NOW) is program.constant("k")
    assert told(effective(Kind.VALUE, 7)) == (b"7", None, Reason.STATIC, None, None)
    assert program.evaluate("other", ALICE, NOW) is None


def test_everybody_is_exposed_from_the_moment_on() -> None:
    entry = effective(Kind.VALUE, "old", exposure(weights=[[NOW, 100_000]]))
    assert told(entry, now_ms=NOW - 1) == (b'"old"', "baseline", Reason.DEFAULT, None, Arm.BASELINE)
    assert told(entry, now_ms=NOW) == (b'"new"', "candidate", Reason.STATIC, None, Arm.CANDIDATE)


def test_the_bucket_decides_for_a_share() -> None:
    entry = effective(Kind.VALUE, "old", exposure(weights=[[0, 50_000]]))
    arms = {f"u{n}": told(entry, EvaluationContext(f"u{n}"))[4] for n in range(100)}
    assert 30 < list(arms.values()).count(Arm.CANDIDATE) < 70
    assert told(entry, EvaluationContext("u1"))[2] is Reason.SPLIT
    assert told(entry) == (b'"old"', "baseline", Reason.DEFAULT, ErrorCode.TARGETING_KEY_MISSING, Arm.BASELINE)


def test_whoever_is_not_exposed_sees_what_less_specific_scopes_say() -> None:
    below = Effective(Level.GLOBAL, Entry("k", Kind.VALUE, b"1", 1, 1))
    entry = effective(Kind.INHERIT, rollout=exposure(weights=[[NOW, 100_000]]), below=below)
    found = one(entry, now_ms=0)
    assert found is not None
    assert (found.value, found.effective, found.arm, found.rollout) == (b"1", below, Arm.BASELINE, "r1")
    assert one(effective(Kind.INHERIT, rollout=exposure(weights=[[NOW, 100_000]])), now_ms=0) is None


def test_equal_outcomes_are_one_object() -> None:
    program = Program.of({"k": effective(Kind.VALUE, "old", exposure(weights=[[0, 99_999]]))})
    assert program.evaluate("k", ALICE, NOW) is program.evaluate("k", BOB, NOW)


def test_what_is_not_understood_yields_its_baseline_and_says_so() -> None:
    program = Program.of({"k": effective(Kind.VALUE, "old", exposure(schema=2))})
    found = program.evaluate("k", ALICE, NOW)
    assert found is not None
    assert (found.value, found.reason) == (b'"old"', Reason.STATIC)
    assert "/schema" in program.unsupported["k"]


def test_a_program_after_a_change_leaves_the_others_alone() -> None:
    before = Program.of({"a": effective(Kind.VALUE, 1), "b": effective(Kind.VALUE, 2)})
    after = before.after({"a": effective(Kind.VALUE, 3)}, ["a", "b"])
    assert before.resolutions(["a", "b"], ANYBODY, NOW).keys() == {"a", "b"}
    assert {key: each.value for key, each in after.resolutions(["a", "b"], ANYBODY, NOW).items()} == {"a": b"3"}


def test_references_are_followed_up_to_a_limit() -> None:
    last = {"attribute": "targetingKey", "op": "eq", "values": ["alice"]}
    for length, right in ((MAX_FOLLOWED, b"true"), (MAX_FOLLOWED + 1, b"false")):
        configs = {
            f"s{n}": effective(Kind.SEGMENT, {"when": last if n == length else {"segment": f"s{n + 1}"}}, key=f"s{n}")
            for n in range(1, length + 1)
        }
        rules = [{"when": {"segment": "s1"}, "serve": "on"}]
        configs["k"] = effective(Kind.FLAG, {"variants": {"on": True, "off": False}, "default": "off", "rules": rules})
        program = Program.of(configs)
        explanation = program.explain("k", ALICE, NOW)
        found = program.evaluate("k", ALICE, NOW)
        assert found is not None
        assert explanation is not None
        assert explanation.resolution is not None
        assert found.value == explanation.resolution.value == right


def test_plain_values_are_one_object_each_also_after_other_changes() -> None:
    before = Program.of({"a": effective(Kind.VALUE, 1)})
    assert before.evaluate("a", ALICE, NOW) is not None
    after = before.after({"a": effective(Kind.VALUE, 1), "b": effective(Kind.VALUE, 2)}, ["b"])
    assert before.evaluate("a", ALICE, NOW) is before.constant("a") is before.evaluate("a", BOB, NOW)
    assert after.constant("a") is before.constant("a")
