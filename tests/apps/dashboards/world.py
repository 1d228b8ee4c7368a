"""Models with real runs: events through the door, attributes sealed, everything computed by the pipeline."""

from __future__ import annotations

from datetime import datetime

from apps.common import clock
from apps.pipeline.answering import answer_waiting
from apps.registry.spec import ModelSpec
from tests.apps.pipeline.world import NOW, company, compute, people, send_attributes, send_events


def watched(slug: str = "hiring", *, n: int = 1200, seed: int = 1, at: datetime = NOW) -> ModelSpec:
    """A model whose women are invited about half as often as its men, counted, evaluated and answered at `at`."""
    with clock.frozen(at):
        spec = company(slug)
        frame = people(n, seed=seed, before=at, unknown=0.05, labelled=0.8)
        send_events(spec, frame)
        send_attributes(frame)
        compute()
        answer_waiting()
    return spec
