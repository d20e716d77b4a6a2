"""The ledger is append-only, and a sealed posting sums to 0 in each currency.

PostgreSQL asks once more at commit (deferred constraint triggers), so that no path, sealed or
not, leaves an unbalanced posting. SQLite has no deferred triggers: sealing asks there.
"""

from django.db import migrations

UNBALANCED = """
    SELECT 1 FROM billing_ledgerentry e JOIN billing_ledgeraccount a ON a.id = e.account_id
    WHERE e.transaction_id = NEW.{key} GROUP BY a.currency HAVING SUM(e.amount_nusd) <> 0
"""

POSTGRESQL = f"""
CREATE FUNCTION billing_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE FUNCTION billing_ledger_entry_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sealed FROM billing_ledgertransaction WHERE id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'the posting is sealed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_ledger_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sealed OR NOT NEW.sealed OR (NEW.id, NEW.kind, NEW.ref, NEW.created_at, NEW.actor, NEW.memo)
        IS DISTINCT FROM (OLD.id, OLD.kind, OLD.ref, OLD.created_at, OLD.actor, OLD.memo) THEN
        RAISE EXCEPTION 'a posting is only ever sealed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS ({UNBALANCED.format(key='id')}) THEN
        RAISE EXCEPTION 'the posting does not sum to 0' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_ledger_born_open() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sealed THEN
        RAISE EXCEPTION 'a posting is sealed after its entries' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_ledger_entry_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS ({UNBALANCED.format(key='transaction_id')}) THEN
        RAISE EXCEPTION 'the posting does not sum to 0' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION billing_ledger_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (SELECT sealed FROM billing_ledgertransaction WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'the posting was never sealed' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_refuse();
CREATE TRIGGER ledger_entry_insert BEFORE INSERT ON billing_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_entry_insert();
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON billing_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_ledger_entry_balanced();
CREATE TRIGGER ledger_transaction_born_open BEFORE INSERT ON billing_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_born_open();
CREATE TRIGGER ledger_transaction_seal BEFORE UPDATE ON billing_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_seal();
CREATE TRIGGER ledger_transaction_kept BEFORE DELETE ON billing_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION billing_ledger_refuse();
CREATE CONSTRAINT TRIGGER ledger_transaction_sealed AFTER INSERT ON billing_ledgertransaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_ledger_sealed();
"""

POSTGRESQL_BACK = """
DROP TRIGGER ledger_entry_append_only ON billing_ledgerentry;
DROP TRIGGER ledger_entry_insert ON billing_ledgerentry;
DROP TRIGGER ledger_entry_balanced ON billing_ledgerentry;
DROP TRIGGER ledger_transaction_born_open ON billing_ledgertransaction;
DROP TRIGGER ledger_transaction_seal ON billing_ledgertransaction;
DROP TRIGGER ledger_transaction_kept ON billing_ledgertransaction;
DROP TRIGGER ledger_transaction_sealed ON billing_ledgertransaction;
DROP FUNCTION billing_ledger_refuse(), billing_ledger_entry_insert(), billing_ledger_seal(),
    billing_ledger_born_open(), billing_ledger_entry_balanced(), billing_ledger_sealed();
"""

SQLITE = {
    "ledger_entry_no_update": """
        BEFORE UPDATE ON billing_ledgerentry
        BEGIN SELECT RAISE(ABORT, 'billing_ledgerentry is append-only'); END""",
    "ledger_entry_no_delete": """
        BEFORE DELETE ON billing_ledgerentry
        BEGIN SELECT RAISE(ABORT, 'billing_ledgerentry is append-only'); END""",
    "ledger_entry_insert": """
        BEFORE INSERT ON billing_ledgerentry
        WHEN (SELECT sealed FROM billing_ledgertransaction WHERE id = NEW.transaction_id)
        BEGIN SELECT RAISE(ABORT, 'the posting is sealed'); END""",
    "ledger_transaction_born_open": """
        BEFORE INSERT ON billing_ledgertransaction WHEN NEW.sealed
        BEGIN SELECT RAISE(ABORT, 'a posting is sealed after its entries'); END""",
    "ledger_transaction_seal": f"""
        BEFORE UPDATE ON billing_ledgertransaction
        BEGIN
            SELECT RAISE(ABORT, 'a posting is only ever sealed')
            WHERE OLD.sealed OR NOT NEW.sealed
                OR (NEW.id, NEW.kind, NEW.ref, NEW.created_at, NEW.actor, NEW.memo)
                IS NOT (OLD.id, OLD.kind, OLD.ref, OLD.created_at, OLD.actor, OLD.memo);
            SELECT RAISE(ABORT, 'the posting does not sum to 0')
            WHERE EXISTS ({UNBALANCED.format(key='id')});
        END""",
    "ledger_transaction_kept": """
        BEFORE DELETE ON billing_ledgertransaction
        BEGIN SELECT RAISE(ABORT, 'billing_ledgertransaction is append-only'); END""",
}


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL, None)
    elif schema_editor.connection.vendor == "sqlite":
        for name, body in SQLITE.items():
            schema_editor.execute(f"CREATE TRIGGER {name} {body}", None)


def delete(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL_BACK, None)
    elif schema_editor.connection.vendor == "sqlite":
        for name in SQLITE:
            schema_editor.execute(f"DROP TRIGGER {name}", None)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_charge'),
    ]

    operations = [migrations.RunPython(create, delete)]
