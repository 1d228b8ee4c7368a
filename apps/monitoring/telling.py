"""One moment of a model after the other: what may be told depends on what was told before."""

from __future__ import annotations

from datetime import datetime

from apps.monitoring.cubes import Hours
from apps.monitoring.holding import Holder, Holding, nothing_held
from apps.monitoring.ledger import Shape, ledger_of, ledger_store
from apps.monitoring.storing import alone
from apps.monitoring.tables import lattice
from apps.registry.spec import ModelSpec


class Telling:
    """The windows of one moment, on their way out. To be made and finished in one transaction.

    From its making until the transaction ends nobody else tells anything of the model.
    """

    def __init__(self, spec: ModelSpec, moment: datetime) -> None:
        alone(spec.id)
        self._spec, self._holder = spec, None
        if not spec.public_data:
            schema = spec.schema()
            shape = Shape.of(schema, lattice(schema, spec.plan()))
            self._holder = Holder(ledger_of(spec.id, shape, around=moment), moment, Hours(spec.id, schema).counted)

    @property
    def holding(self) -> Holding:
        """What hides figures because of what was told before."""
        return self._holder or nothing_held

    def finish(self) -> None:
        """Remember what is told now."""
        if self._holder is not None:
            ledger_store(self._spec.id, self._holder.after, self._holder.moments)
