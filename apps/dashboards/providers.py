"""All that can wait for a person, in the order in which the Inbox shows it."""

from apps.dashboards import tasks
from apps.dashboards.approvals import reading as approvals
from apps.dashboards.board import tasks as board
from apps.dashboards.complaints import listing as complaints
from apps.dashboards.incidents import tasks as incidents
from apps.dashboards.notifications import reading as notifications
from apps.dashboards.responses import reading as responses
from apps.dashboards.thresholds import reviewing as thresholds
from apps.dashboards.vault import reading as vault
from apps.dashboards.waiting import Provider

PROVIDERS: tuple[Provider, ...] = (
    board.TO_VOTE,
    approvals.TO_SIGN,
    responses.TO_CONFIRM,
    vault.TO_LOOK,
    incidents.TO_REPORT,
    complaints.TO_ANSWER,
    incidents.TO_DO,
    tasks.TO_ACKNOWLEDGE,
    notifications.TO_RESEND,
    thresholds.TO_REVIEW,
)
