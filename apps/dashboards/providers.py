"""All that can wait for a person, in the order in which the Inbox shows it."""

from apps.dashboards import tasks
from apps.dashboards.approvals import reading as approvals
from apps.dashboards.waiting import Provider

PROVIDERS: tuple[Provider, ...] = (approvals.TO_SIGN, tasks.TO_ACKNOWLEDGE)
