"""The board's rules change by its own decision: the database takes no others, whoever inserts them."""

from django.db import migrations

AGREED = """
CREATE FUNCTION board_rules_are_agreed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (public.approvals_is_signed(NEW.approval_id, 'board_rules') AND EXISTS (
        SELECT FROM public.approvals_approval AS asked WHERE asked.id = NEW.approval_id AND asked.content = NEW.rules
    )) THEN
        RAISE EXCEPTION 'the board has not agreed to these rules' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_rules_are_agreed BEFORE INSERT ON board_rules
    FOR EACH ROW EXECUTE FUNCTION board_rules_are_agreed();
"""


class Migration(migrations.Migration):
    dependencies = [("board", "0002_sql"), ("approvals", "0005_no_way_around")]
    operations = [migrations.RunSQL(AGREED, migrations.RunSQL.noop)]
