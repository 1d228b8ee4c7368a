"""Findings, restrictions and messages."""

from apps.responses.models.findings import Answered, Cause, Finding, FindingTransition, Silence
from apps.responses.models.messages import MailPreference, Notification, OutboxMessage
from apps.responses.models.restrictions import Acknowledgement, Gateway, ModelStatus, Restriction, RestrictionStep

__all__ = [
    "Acknowledgement",
    "Answered",
    "Cause",
    "Finding",
    "FindingTransition",
    "Gateway",
    "MailPreference",
    "ModelStatus",
    "Notification",
    "OutboxMessage",
    "Restriction",
    "RestrictionStep",
    "Silence",
]
