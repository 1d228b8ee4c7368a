"""What can be done with cases of the ethics board. The writing verbs of this app, in one place."""

from apps.board.advancing import cases_advance
from apps.board.convening import (
    case_convene,
    condition_add,
    condition_drop,
    paper_add,
    question_change,
)
from apps.board.matters import ConditionOfCase, Decision, Matter, Subject, register, register_conditions
from apps.board.rules import rules_propose
from apps.board.voting import conflict_declare, vote_cast, voting_open

__all__ = [
    "ConditionOfCase",
    "Decision",
    "Matter",
    "Subject",
    "case_convene",
    "cases_advance",
    "condition_add",
    "condition_drop",
    "conflict_declare",
    "paper_add",
    "question_change",
    "register",
    "register_conditions",
    "rules_propose",
    "vote_cast",
    "voting_open",
]
