"""Feeding through the real API: complete, from where it left off, and harmless when repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.accounts.selectors import owners_of, people_with_role
from apps.api.services import token_issue
from apps.demo import feed
from apps.demo.claims_triage import ClaimsTriage
from apps.demo.client import ApiClient, Sent
from apps.demo.errors import ApiError
from apps.demo.feed import Feeder
from apps.demo.memory import recall
from apps.demo.people import OWNER, PEOPLE, people_create
from apps.demo.run import SCOPES
from apps.demo.security_triage import SecurityTriage
from apps.inference.selectors import heartbeats
from apps.registry.selectors import model_spec, version_details
from apps.vault.selectors import queue

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


class YoungClaims(ClaimsTriage):
    """Began three hours ago; labels follow after an hour."""

    population = 300
    label_delay = timedelta(0)

    def __init__(self, anchor):
        super().__init__(anchor)
        self.first = (anchor - 3 * HOUR).replace(minute=0, second=0, microsecond=0)


class YoungTriage(SecurityTriage):
    """Began three hours ago, was updated an hour ago and ends now."""

    population = 100
    per_day = 240

    def __init__(self, anchor):
        super().__init__(anchor)
        self.first = (anchor - 3 * HOUR).replace(minute=0, second=0, microsecond=0)
        self.updated_at = anchor.replace(minute=0, second=0, microsecond=0) - HOUR
        self.last = anchor


@pytest.fixture
def world(live_server, monkeypatch, tmp_path):
    monkeypatch.setattr(feed, "SOURCES", {"claims-triage": YoungClaims, "security-triage": YoungTriage})
    people_create("four green lamps 7")
    token = token_issue(actor="system:demo", name="demo", scopes=SCOPES)
    with ApiClient(live_server.url, token) as client:
        yield client, tmp_path


def fed(world, until):
    client, home = world
    memory = recall(home, "here")
    memory.anchor = NOW
    feeder = Feeder(client, memory, home)
    feeder.register(owner=OWNER.username)
    feeder.attributes()
    return feeder, feeder.history(until)


def received():
    ids = {slug: model_spec(slug).id for slug in feed.SOURCES}
    beats = heartbeats(list(ids.values()))
    return {slug: beats[key].received for slug, key in ids.items() if key in beats}


def expected(until):
    made = {slug: make(NOW) for slug, make in feed.SOURCES.items()}
    return {slug: sum(1 for _ in source.events(source.first, until)) for slug, source in made.items()}


def test_everything_goes_in_once_and_a_second_feed_goes_on_where_the_first_ended(world):
    half = NOW - HOUR
    _, first = fed(world, half)
    assert first.accepted > 0
    assert received() == expected(half)
    _, again = fed(world, half)
    assert again == Sent()
    fed(world, NOW)
    assert received() == expected(NOW)


def test_a_feed_that_forgot_its_place_repeats_itself_without_harm(world):
    _, first = fed(world, NOW)
    (world[1] / "demo.json").unlink()
    _, again = fed(world, NOW)
    assert again == Sent(accepted=0, duplicates=first.accepted)
    assert received() == expected(NOW)


def test_the_live_feed_sends_only_what_has_happened_since(world):
    feeder, _ = fed(world, NOW - HOUR)
    more = feeder.catch_up(NOW)
    assert more.duplicates == 0
    assert received() == expected(NOW)
    assert feeder.catch_up(NOW) == Sent()


def test_attributes_are_sealed_for_those_who_told_them(world):
    fed(world, NOW - 2 * HOUR)
    told = sum(1 for make in feed.SOURCES.values() for _ in make(NOW).subjects())
    assert queue().subjects == told < YoungClaims.population + YoungTriage.population


def test_models_belong_to_their_owner_and_versions_know_their_release(world):
    fed(world, NOW - HOUR)
    spec = model_spec("security-triage")
    assert [person.username for person in owners_of(spec.id)] == [OWNER.username]
    assert spec.words.decision == ("rated low priority", "rated high priority")
    newest, oldest = version_details(spec.id)
    source = YoungTriage(NOW)
    assert (newest["version"], newest["released_at"]) == ("2.3.1", source.updated_at)
    assert (oldest["version"], oldest["released_at"]) == ("2.3.0", source.first)
    assert newest["registered_at"] >= NOW


def test_a_release_in_the_future_is_refused(world):
    fed(world, NOW - HOUR)
    with pytest.raises(ApiError, match="released_at") as caught:
        world[0].version_register("security-triage", {"version": "9", "environment": {}, "released_at": NOW + HOUR})
    assert caught.value.status == 422


def test_every_role_has_its_person_and_the_board_has_three(db):
    assert people_create("four green lamps 7") == len(PEOPLE)
    assert people_create("four green lamps 7") == 0
    for role in {person.role for person in PEOPLE}:
        names = [person.username for person in PEOPLE if person.role == role]
        assert [found.username for found in people_with_role(role)] == sorted(names)
        assert len(names) == (3 if role == "board_member" else 1)
