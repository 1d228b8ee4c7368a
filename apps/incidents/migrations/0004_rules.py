"""The database's own share of the rules: costs and steps stay, and nobody closes an incident alone.

A service that forgot one of them would be refused here.
"""

from django.db import migrations

APPEND_ONLY = ("incidents_complaintstep", "incidents_cost")
KEPT = ("incidents_complaint", "incidents_action", "incidents_clock", "incidents_affected")

CLOSING = """
CREATE FUNCTION incidents_incident_closes() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state = 'closed' AND OLD.state <> 'closed' AND (OLD.state <> 'closing' OR NOT EXISTS (
        SELECT FROM public.approvals_approval AS asked
        JOIN public.approvals_signature AS given ON given.approval_id = asked.id AND given.digest = asked.digest
        WHERE asked.kind = 'incident_closure' AND asked.subject = 'incident:' || NEW.id
          AND (asked.content ->> 'revision')::bigint = OLD.revision
    )) THEN
        RAISE EXCEPTION 'incident % is closed by the signature of a second person and in no other way', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.state IN ('closing', 'closed') AND (
        NEW.model_id, NEW.title, NEW.summary, NEW.causes, NEW.explanation, NEW.lessons, NEW.origin, NEW.cause_key
    ) IS DISTINCT FROM (
        OLD.model_id, OLD.title, OLD.summary, OLD.causes, OLD.explanation, OLD.lessons, OLD.origin, OLD.cause_key
    ) THEN
        RAISE EXCEPTION 'incident % is %; its content stays as it is', NEW.id, OLD.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incidents_incident_closes BEFORE UPDATE ON incidents_incident
    FOR EACH ROW EXECUTE FUNCTION incidents_incident_closes();
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0003_work_and_complaints"), ("approvals", "0002_sql"), ("audit", "0002_sql")]
    operations = [
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
                f"DROP TRIGGER {table}_append_only ON {table}",
            )
            for table in APPEND_ONLY
        ),
        *(
            migrations.RunSQL(
                f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION append_only()",
                f"DROP TRIGGER {table}_stays ON {table}",
            )
            for table in KEPT
        ),
        migrations.RunSQL(CLOSING, "DROP FUNCTION incidents_incident_closes CASCADE"),
    ]
