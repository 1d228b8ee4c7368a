"""The Celery application, its two queues and the whole beat schedule.

The schedule only wakes the pipeline: what must happen is a row in PostgreSQL (a dirty hour, a run not answered
yet, an unsent message) that each task finds by itself, so a lost message costs a minute and nothing else.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "biasgov.settings")

app = Celery("biasgov")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["apps.pipeline", "apps.api"])

app.conf.task_routes = {
    "compute.*": {"queue": "compute"},
    "governance.*": {"queue": "governance"},
}

app.conf.beat_schedule = {
    "open sealed uploads": {"task": "compute.open_uploads", "schedule": 20.0, "options": {"expires": 20}},
    "open what people were given access to": {
        "task": "compute.answer_accesses",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "count dirty hours and evaluate windows": {
        "task": "compute.sweep",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "evaluate every model on the hour": {
        "task": "compute.evaluate_due",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "count overrides by group": {"task": "compute.count_overrides", "schedule": 900.0, "options": {"expires": 900}},
    "run proposed thresholds over the past": {
        "task": "compute.backtest",
        "schedule": 20.0,
        "options": {"expires": 20},
    },
    "compute runs again that people asked for": {
        "task": "compute.recompute",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "rotate data keys": {"task": "compute.rotate_keys", "schedule": 3600.0, "options": {"expires": 600}},
    "drop superseded runs": {"task": "compute.drop_superseded", "schedule": 3600.0, "options": {"expires": 600}},
    "let go of what was kept long enough": {
        "task": "compute.retention",
        "schedule": 86400.0,
        "options": {"expires": 3600},
    },
    "order the audit log and sign its head": {
        "task": "compute.seal_audit_log",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "answer new runs": {"task": "governance.respond", "schedule": 10.0, "options": {"expires": 10}},
    "enforce deadlines": {"task": "governance.enforce_deadlines", "schedule": 60.0, "options": {"expires": 60}},
    "deliver messages": {"task": "governance.deliver", "schedule": 5.0, "options": {"expires": 5}},
    "write daily digests": {"task": "governance.write_digests", "schedule": 300.0, "options": {"expires": 300}},
    "watch freshness": {"task": "governance.watch", "schedule": 60.0, "options": {"expires": 60}},
    "let requests expire or become effective": {
        "task": "governance.advance_approvals",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "convene the board, open and end votes": {
        "task": "governance.advance_board",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "end accesses and announce what was opened": {
        "task": "governance.advance_accesses",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "check the audit log": {"task": "governance.verify_audit_log", "schedule": 10.0, "options": {"expires": 10}},
    "forget uploads that were cut off": {
        "task": "governance.forget_uploads",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "forget which forms were sent": {
        "task": "governance.forget_forms",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    "forget old answers": {"task": "governance.forget_answers", "schedule": 3600.0, "options": {"expires": 600}},
}
