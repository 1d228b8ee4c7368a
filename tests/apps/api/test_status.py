"""The status of a model over HTTP: signed, cacheable, acknowledged."""

from __future__ import annotations

import pytest

from apps.common import clock
from apps.registry.spec import ModelSpec
from apps.responses import selectors
from apps.responses.models import Gateway
from apps.responses.services import restriction_confirm
from biasgov.client.status import public_key, verify
from tests.apps.api.door import Caller, caller, problem
from tests.apps.responses.worlds import answer, look
from tests.cast import person

ADDRESS = "models/hiring/status"


@pytest.fixture
def gateway(spec: ModelSpec) -> Caller:
    return caller("read")


def restrict(spec: ModelSpec) -> None:
    now = clock.now()
    answer(spec, look(spec, window="30d", severity="medium", as_of=now), at=now)
    found = selectors.restriction_of(spec.id)
    assert found is not None
    restriction_confirm(restriction_id=found.id, person=person("officer"))


def test_a_model_without_findings_is_free_and_says_so_signed(spec: ModelSpec, gateway: Caller) -> None:
    given = gateway.send("GET", ADDRESS)
    assert given.status_code == 200
    content = given.json()
    assert (content["tier"], content["restriction"], content["sequence"]) == ("none", None, 0)
    assert verify(content, [public_key(selectors.status_public_key())], model="hiring").tier == "none"


def test_a_restriction_is_told_with_its_reason(spec: ModelSpec, gateway: Caller) -> None:
    restrict(spec)
    content = gateway.send("GET", ADDRESS).json()
    assert set(content["restriction"]) == {"id", "blocked_decision_types", "since", "reason"}
    assert (content["tier"], content["restriction"]["blocked_decision_types"]) == ("restrict", ["*"])


def test_what_is_known_is_not_sent_again_and_what_changed_is(spec: ModelSpec, gateway: Caller) -> None:
    with clock.frozen(clock.now()):
        first = gateway.send("GET", ADDRESS)
        etag = first["ETag"]
        assert etag == f'"{first.json()["etag"]}"'
        assert first["Cache-Control"] == "private, max-age=2"
        again = gateway.send("GET", ADDRESS, If_None_Match=f'"other", W/{etag}')
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
        restrict(spec)
        assert gateway.send("GET", ADDRESS, If_None_Match=etag).status_code == 200


def test_an_acknowledgement_is_noted_in_the_tokens_name(spec: ModelSpec, gateway: Caller) -> None:
    restrict(spec)
    number = gateway.send("GET", ADDRESS).json()["sequence"]
    noted = gateway.send("POST", f"{ADDRESS}/ack", {"gateway": "eu-1", "sequence": number}).json()
    assert (noted["gateway"], noted["current"]) == ("eu-1", True)
    found = selectors.restriction_of(spec.id)
    assert found is not None
    assert (noted["restriction_id"], found.acknowledged_at is not None) == (found.id, True)
    gateway.send("POST", f"{ADDRESS}/ack", {"sequence": number})
    assert Gateway.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"gateway": "eu-1", "sequence": 9}, "sequence"),
        ({"gateway": "eu-1", "sequence": -1}, "sequence"),
        ({"gateway": "eu-1\u0007", "sequence": 0}, "gateway"),
        ({"gateway": "eu-1"}, ""),
        ({"gateway": "eu-1", "sequence": 0, "restriction": 1}, ""),
    ],
)
def test_a_wrong_acknowledgement_is_refused_by_field(
    spec: ModelSpec, gateway: Caller, body: dict[str, object], field: str
) -> None:
    document = problem(gateway.send("POST", f"{ADDRESS}/ack", body), 422)
    assert field in document["errors"][0]["field"]
    assert not Gateway.objects.exists()
