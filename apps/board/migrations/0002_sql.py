"""The database's own share of the rules: who may vote, when, once, and that a decision is what the votes say.

A service that forgot one of them, and whoever else writes as the web side, is refused here. The count is made a second
time in SQL, from the votes; a resolution of a request needs a case that was decided in its favour.
"""

from django.db import migrations

MEMBERS = """
CREATE FUNCTION board_members(moment timestamptz) RETURNS SETOF bigint LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT held.user_id
    FROM public.accounts_user_groups AS held
    JOIN public.auth_group AS role ON role.id = held.group_id AND role.name = 'board_member'
    JOIN public.accounts_user AS person ON person.id = held.user_id AND person.is_active
    LEFT JOIN public.accounts_role_term AS term ON term.person_id = held.user_id AND term.group_id = held.group_id
    WHERE term.until IS NULL OR term.until > moment
$$;

CREATE FUNCTION board_eligible(of_case bigint, moment timestamptz) RETURNS SETOF bigint LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT seat.person_id FROM public.board_seat AS seat
    WHERE seat.case_id = of_case
      AND seat.person_id IN (SELECT public.board_members(moment))
      AND NOT EXISTS (
          SELECT FROM public.board_conflict AS apart
          WHERE apart.case_id = of_case AND apart.person_id = seat.person_id
      )
$$;
"""

VOTES = """
ALTER TABLE board_vote ADD CONSTRAINT board_vote_of_a_seat
    FOREIGN KEY (case_id, person_id) REFERENCES board_seat (case_id, person_id);
ALTER TABLE board_conflict ADD CONSTRAINT board_conflict_of_a_seat
    FOREIGN KEY (case_id, person_id) REFERENCES board_seat (case_id, person_id);

CREATE FUNCTION board_vote_fits() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.board_case AS asked
    WHERE asked.id = NEW.case_id AND asked.state = 'voting' AND asked.digest = NEW.digest
      AND asked.requester_id IS DISTINCT FROM NEW.person_id
    FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no case of this digest takes that vote' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.person_id NOT IN (SELECT public.board_eligible(NEW.case_id, NEW.cast_at)) THEN
        RAISE EXCEPTION 'person % has no vote in case %', NEW.person_id, NEW.case_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_vote_fits BEFORE INSERT ON board_vote FOR EACH ROW EXECUTE FUNCTION board_vote_fits();
"""

GATHERING = """
CREATE FUNCTION board_gathering() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.board_case AS gathered
    WHERE gathered.id = NEW.case_id AND gathered.state = 'convened' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'what the board votes on stays as it is' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_paper_gathered BEFORE INSERT ON board_paper
    FOR EACH ROW EXECUTE FUNCTION board_gathering();
CREATE TRIGGER board_condition_gathered BEFORE INSERT OR UPDATE ON board_condition
    FOR EACH ROW EXECUTE FUNCTION board_gathering();
"""

MOVES = """
CREATE FUNCTION board_case_moves() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    eligible bigint;
    in_favour bigint;
    against bigint;
    voted bigint;
    chairs text;
BEGIN
    IF OLD.state IN ('decided', 'lapsed') THEN
        RAISE EXCEPTION 'a case that is % stays as it is', OLD.state USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('convened', 'convened'), ('convened', 'voting'), ('voting', 'voting'), ('voting', 'decided'),
        ('convened', 'lapsed'), ('voting', 'lapsed')
    ) THEN
        RAISE EXCEPTION 'a case does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.state = 'voting' AND (
        NEW.question <> OLD.question OR NEW.facts <> OLD.facts OR NEW.digest <> OLD.digest
        OR NEW.vote_until IS DISTINCT FROM OLD.vote_until OR NEW.opened_at IS DISTINCT FROM OLD.opened_at
    ) THEN
        RAISE EXCEPTION 'what the board votes on stays as it is' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state = 'voting' AND (NEW.digest = '' OR NEW.vote_until IS NULL) THEN
        RAISE EXCEPTION 'a vote needs a digest and an end' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.state <> 'decided' THEN
        RETURN NEW;
    END IF;
    SELECT count(*) INTO eligible FROM public.board_eligible(NEW.id, NEW.ended_at);
    SELECT count(*), count(*) FILTER (WHERE vote.choice = 'for'), count(*) FILTER (WHERE vote.choice = 'against')
        INTO voted, in_favour, against
        FROM public.board_vote AS vote
        WHERE vote.case_id = NEW.id AND vote.digest = NEW.digest
          AND vote.person_id IN (SELECT public.board_eligible(NEW.id, NEW.ended_at));
    IF voted < greatest(
        (NEW.rules ->> 'quorum_least')::bigint, 2, ceil(eligible * (NEW.rules ->> 'quorum_share')::numeric / 100)
    ) THEN
        RAISE EXCEPTION 'case % lacks its quorum', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF voted < eligible AND NEW.ended_at < NEW.vote_until THEN
        RAISE EXCEPTION 'the vote in case % goes on', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    SELECT vote.choice INTO chairs
        FROM public.board_vote AS vote JOIN public.accounts_user AS chair ON chair.id = vote.person_id
        WHERE vote.case_id = NEW.id AND NEW.rules ->> 'tie' = 'chair' AND chair.username = NEW.rules ->> 'chair'
          AND vote.person_id IN (SELECT public.board_eligible(NEW.id, NEW.ended_at));
    IF (NEW.outcome = 'carried')
       <> (in_favour > against OR (in_favour = against AND chairs IS NOT DISTINCT FROM 'for')) THEN
        RAISE EXCEPTION 'that is not what the votes in case % say', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_case_moves BEFORE UPDATE ON board_case FOR EACH ROW EXECUTE FUNCTION board_case_moves();

CREATE FUNCTION board_case_begins() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state <> 'convened' THEN
        RAISE EXCEPTION 'a case begins convened' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_case_begins BEFORE INSERT ON board_case FOR EACH ROW EXECUTE FUNCTION board_case_begins();
"""

RESOLUTIONS = """
CREATE FUNCTION board_resolution_is_the_boards() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM public.board_case AS decided
        WHERE decided.id = NEW.case_id AND decided.kind = 'approval' AND decided.subject_id = NEW.approval_id
          AND decided.key = NEW.digest AND decided.state = 'decided' AND decided.outcome = 'carried'
    ) THEN
        RAISE EXCEPTION 'case % has not agreed to request %', NEW.case_id, NEW.approval_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER board_resolution_is_the_boards BEFORE INSERT ON approvals_resolution
    FOR EACH ROW EXECUTE FUNCTION board_resolution_is_the_boards();
"""

STAY = "".join(
    f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION append_only();\n"
    for table in ("board_rules", "board_seat", "board_conflict", "board_paper", "board_vote", "board_step")
) + "".join(
    f"CREATE TRIGGER {table}_stays BEFORE DELETE OR TRUNCATE ON {table}\n"
    "    FOR EACH STATEMENT EXECUTE FUNCTION append_only();\n"
    for table in ("board_case", "board_condition")
)


class Migration(migrations.Migration):
    dependencies = [
        ("board", "0001_initial"),
        ("approvals", "0004_the_board_decides"),
        ("accounts", "0002_role_terms_and_invitations"),
        ("audit", "0002_sql"),
    ]
    operations = [
        migrations.RunSQL(MEMBERS + VOTES + GATHERING + MOVES + RESOLUTIONS + STAY, migrations.RunSQL.noop)
    ]
