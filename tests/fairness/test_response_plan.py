"""The governed numbers of the response ladder."""

from __future__ import annotations

import json

import pytest

from biasgov.fairness.policy import DEFAULT_POLICY, Policy
from biasgov.fairness.response_plan import ResponsePlan


def test_the_defaults_are_those_of_the_design():
    plan = ResponsePlan()
    assert (plan.persist_after, plan.persist_window, plan.enhanced_minutes) == (3, "7d", 15)
    assert (plan.sustain_severity, plan.sustain_hours, plan.sustain_window) == ("high", 24, "30d")
    assert (plan.escalate_severity, plan.step_down_after, plan.restriction) == ("critical", 3, "confirm")


def test_a_policy_carries_its_ladder_through_json():
    policy = Policy.from_dict(
        {"ladder": {"restriction": "automatic", "calendar": "AU-NSW", "blocked_decision_types": ["decline"]}}
    )
    again = Policy.from_dict(json.loads(json.dumps(policy.to_dict())))
    assert again == policy
    assert again.ladder.blocked_decision_types == ("decline",)
    assert again.ladder.restriction == "automatic"


def test_a_policy_written_before_there_was_a_ladder_takes_the_defaults():
    body = DEFAULT_POLICY.to_dict()
    del body["ladder"]
    assert Policy.from_dict(body).ladder == ResponsePlan()


@pytest.mark.parametrize(
    ("ladder", "message"),
    [
        ([], "ladder must be a mapping"),
        ({"presist_after": 3}, "no presist_after"),
        ({"persist_after": 0}, "ladder.persist_after must be a whole number from 1"),
        ({"persist_after": 2.5}, "ladder.persist_after"),
        ({"persist_after": True}, "ladder.persist_after"),
        ({"persist_window": "14d"}, "ladder.persist_window must be one of"),
        ({"sustain_severity": "dire"}, "ladder.sustain_severity must be one of low"),
        ({"restriction": "never"}, "confirm, automatic"),
        ({"deadlines": {"low": 1}}, "exactly low, medium, high, critical"),
        ({"deadlines": 40}, "ladder.deadlines must be a mapping"),
        ({"deadlines": {"low": 1, "medium": 1, "high": 0, "critical": 1}}, "ladder.deadlines.high"),
        ({"calendar": "Australia"}, "like 'AU'"),
        ({"time_zone": "Mars/Olympus"}, "no time zone"),
        ({"time_zone": "../../etc/passwd"}, "no time zone"),
        ({"opens": 17, "closes": 9}, "before ladder.closes"),
        ({"blocked_decision_types": []}, "1 to 50"),
        ({"blocked_decision_types": "all"}, "must be a list"),
        ({"blocked_decision_types": ["two words"]}, "no name of a type"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused_with_the_reason(ladder, message):
    with pytest.raises(ValueError, match=message):
        Policy.from_dict({"ladder": ladder})


def test_severities_are_ordered():
    plan = ResponsePlan()
    assert plan.reaches("critical", "high")
    assert plan.reaches("high", "high")
    assert not plan.reaches("medium", "high")
