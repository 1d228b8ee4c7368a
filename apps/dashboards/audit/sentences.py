"""What an entry of the log says, in a plain sentence: who did what to what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.accounts.roles import ROLES
from apps.accounts.selectors import names_by_username
from apps.audit.selectors import EntryView
from apps.registry.selectors import names_of as model_names

FAMILIES: dict[str, str] = {
    "person": "sign-ins and accounts",
    "second_factor": "second factors",
    "recovery_codes": "recovery codes",
    "identity": "company sign-ins",
    "invitation": "invitations",
    "override": "decisions that people overruled",
    "role": "roles given and taken",
    "ownership": "owners of models",
    "token": "API tokens",
    "model": "models registered",
    "version": "versions registered",
    "policy": "threshold policies",
    "assessment": "assessments imported",
    "run": "runs stored",
    "runs": "runs dropped",
    "vault": "reads and changes of the vault",
    "finding": "findings",
    "cause": "causes",
    "silence": "silenced alerts",
    "status": "status of models",
    "restriction": "restrictions",
    "gateway": "gateways",
    "message": "messages to people",
    "alarm": "alarms",
    "approval": "requests for signature",
    "retraining": "training sets",
    "incident": "incidents",
    "complaint": "complaints",
    "case": "cases of the board",
    "board": "rules of the board",
    "preference": "how people are told",
    "export": "exports and evidence taken away",
    "audit": "this log itself",
}
"""The families of kinds, by the part of an action in front of its dot."""

_SYSTEMS = {
    "system:compute": "The compute side",
    "system:pipeline": "The pipeline",
    "system:audit": "The keeper of this log",
    "system:responses": "The response ladder",
    "anonymous": "Somebody who was not signed in",
}
_PROGRAMS = {"token": "The API token {}", "operator": "{}, by a command,", "system": "The system ({})"}
_THINGS = {
    "approval": "request {}",
    "cause": "cause {}",
    "message": "message {}",
    "token": "the API token {}",
    "vault-upload": "upload {}",
    "vault-erasure": "erasure {}",
    "vault-key": "data key {}",
    "vault-key-encryption": "key-encryption key {}",
    "audit-verification": "check {}",
    "retraining": "training set {}",
    "channel": "the channel {}",
    "register": "the register of {}",
    "report": "the report on {}",
}
_WHOLES = {
    "audit:tree-heads": "the signed tree heads",
    "audit:log": "the audit log",
    "vault": "the vault",
    "board:rules": "the rules of the board",
    "monitoring:runs": "stored runs",
    "no such account": "an account that does not exist",
}

_ACTS: dict[str, str] = {
    "person.signed_in": "signed in with {by}",
    "person.signed_out": "signed out",
    "person.sign_in_failed": "failed to sign in as {object}",
    "person.sign_in_refused": "was refused as {object}: {reason}",
    "person.locked_out": "was locked out of {object} after too many attempts",
    "person.confirmed": "confirmed that it is them, with {by}",
    "person.confirmation_failed": "failed to confirm that it is them",
    "person.created": "made an account for {object}",
    "person.invited": "invited {object}",
    "person.password_set": "set a password",
    "person.password_changed": "changed their password",
    "person.deactivated": "closed the account of {object}",
    "person.reactivated": "opened the account of {object} again",
    "second_factor.failed": "failed with the second factor of {object}",
    "second_factor.reset": "took the second factors of {object} away",
    "identity.linked": "linked a company account to {object}",
    "identity.unlinked": "took the company account of {object} away",
    "role.granted": "gave {object} the role {role}",
    "role.revoked": "took the role {role} from {object}",
    "ownership.granted": "made {to} an owner of {object}",
    "ownership.revoked": "took {object} from its owner {from}",
    "token.issued": "issued {object} with the scopes {scopes}",
    "token.revoked": "revoked {object}",
    "model.registered": "registered {object}",
    "version.registered": "registered version {version} of {object}",
    "policy.published": "published a threshold policy for {object}",
    "run.stored": "stored runs of {object}",
    "run.recompute_asked": "asked to have {object} computed again",
    "run.recomputed": "computed {object} again: {outcome}",
    "runs.superseded_dropped": "dropped {runs} replaced runs that nothing refers to",
    "vault.attributes_read": "read the attributes of {subjects} people in memory for {object} ({purpose})",
    "vault.upload_sealed": "received {object} with the sealed attributes of {subjects} people",
    "vault.erasure_requested": "asked for {object} of a person's attributes",
    "finding.acknowledged": "acknowledged {object}",
    "silence.set": "silenced alerts until {until}: {reason}",
    "status.changed": "changed the status of {object} to {tier}",
    "status.acknowledged": "acknowledged the status of {object}",
    "preference.changed": "changed how they are told",
    "message.resent": "sent {object} again",
    "message.all_resent": "sent {messages} messages of {object} again",
    "approval.submitted": "submitted {object} for signature",
    "approval.signature_given": "signed {object}",
    "approval.rejected": "rejected {object}",
    "approval.withdrawn": "withdrew {object}",
    "restriction.confirmed": "confirmed {object}",
    "incident.opened": "opened {object}",
    "export.taken": "took {what} of {object} away",
    "audit.exported": "took an export of the log with {entries} entries: {what}",
    "audit.verification_requested": "asked for a check of the whole log",
    "audit.verified_intact": "checked {entries} entries and the signed heads: the log is intact",
    "audit.verified_broken": "checked {entries} entries and the signed heads: THE LOG IS NOT INTACT",
    "audit.heads_begun": "began to sign tree heads",
    "audit.heads_begun_anew": "began tree heads anew: {reason}",
    "audit.key_changed": "signs tree heads with another key from here on",
}
"""Acts in the active voice. Every other kind is told as what happened to its object."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """`lead` + `object` + `tail` is the sentence; the object stands by itself so that it can be a link."""

    lead: str
    object: str
    tail: str

    def __str__(self) -> str:
        return f"{self.lead}{self.object}{self.tail}"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of people and models that a page speaks of; two queries."""

    people: Mapping[str, str]
    models: Mapping[str, str]

    @classmethod
    def of(cls, entries: Iterable[EntryView]) -> Names:
        said = [part for entry in entries for part in (entry.actor, entry.subject, *_told(entry.detail))]
        return cls(
            names_by_username({part[5:] for part in said if part.startswith("user:")}),
            model_names({part[6:] for part in said if part.startswith("model:")} | {each.model for each in entries}),
        )


def sentence(entry: EntryView, names: Names) -> Sentence:
    """What the entry says."""
    who, what = actor_name(entry.actor, names), object_name(entry.subject, names)
    act = _ACTS.get(entry.action)
    if act is None:
        _, _, event = entry.action.partition(".")
        return Sentence("", what[:1].upper() + what[1:], f": {event.replace('_', ' ')}, by {_within(who)}.")
    lead, mark, tail = act.partition("{object}")
    told = defaultdict(lambda: "–", {name: _words(value, names) for name, value in entry.detail.items()})
    if "role" in entry.detail:
        told["role"] = ROLES.get(str(entry.detail["role"]), told["role"])
    return Sentence(
        f"{who} {lead.format_map(told)}", what if mark else "", f"{tail.format_map(told)}.".replace("..", ".")
    )


def actor_name(actor: str, names: Names) -> str:
    """`user:ines` -> `Ines Ibarra`; `token:feed` -> `The API token feed`."""
    kind, _, name = actor.partition(":")
    if actor in _SYSTEMS:
        return _SYSTEMS[actor]
    if kind == "user":
        return names.people.get(name) or name
    return _PROGRAMS.get(kind, "{}").format(name or kind)


def object_name(subject: str, names: Names) -> str:
    """`finding:12` -> `finding 12`; `model:hiring` -> `Hiring`."""
    kind, _, name = subject.partition(":")
    if subject in _WHOLES:
        return _WHOLES[subject]
    if kind == "model":
        return names.models.get(name) or f"the model {name}"
    if kind == "user":
        return names.people.get(name) or name
    return _THINGS.get(kind, kind.replace("_", " ").replace("-", " ") + " {}").format(name).strip()


def kind_name(action: str) -> str:
    """`finding.` -> `findings`; `finding.closed` -> `findings: closed`."""
    family, _, event = action.partition(".")
    title = FAMILIES.get(family, family.replace("_", " "))
    return f"{title}: {event.replace('_', ' ')}" if event else title


def _within(who: str) -> str:
    """A name as it stands within a sentence."""
    return who[0].lower() + who[1:] if who.startswith(("The ", "Somebody ")) else who.rstrip(",")


def _words(value: Any, names: Names) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, list):
        return ", ".join(_words(each, names) for each in value) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    return actor_name(text, names) if text.startswith("user:") else text[:200]


def _told(detail: Mapping[str, Any]) -> list[str]:
    return [value for value in detail.values() if isinstance(value, str) and value.startswith("user:")]
