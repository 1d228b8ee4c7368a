"""Hour cubes and runs that were kept long enough. Compute side; callers write the audit entry."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from apps.monitoring.models import MonitoringRun


def cubes_before(model_id: int, before: datetime) -> int:
    """How many hour cubes of a model there are before a moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cube.hour_cube WHERE model_id = %s AND hour < %s", [model_id, before])
        return int(cursor.fetchone()[0])


def cubes_drop(*, model_id: int, before: datetime) -> int:
    """Drop a model's hour cubes before a moment, and what was remembered of telling them; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM cube.told_edge WHERE model_id = %s AND at < %s", [model_id, before])
        cursor.execute("DELETE FROM cube.hour_cube WHERE model_id = %s AND hour < %s", [model_id, before])
        return int(cursor.rowcount)


def runs_before(model_id: int, before: datetime) -> int:
    """How many runs of a model there are of moments before one; those that a finding rests on stay when it is asked."""
    return MonitoringRun.objects.filter(model_id=model_id, as_of__lt=before).count()


def runs_drop_old(*, model_id: int, before: datetime) -> int:
    """Drop a model's runs of moments before one that no finding rests on, with their points; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT monitoring_drop_old(%s, %s)", [model_id, before])
        return int(cursor.fetchone()[0])
