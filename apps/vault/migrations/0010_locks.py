"""Tables that are locked and never written: whoever may lock them is a privilege, and the compute side alone has it.

An advisory lock can be held by anybody who may connect, and the compute side would wait for them.
"""

from django.db import migrations

SQL = """
CREATE TABLE vault.entering (nothing boolean CHECK (false));
COMMENT ON TABLE vault.entering IS 'Locked by whoever enters the vault, see apps/vault/purpose.py; without rows';
CREATE TABLE vault.opening (nothing boolean CHECK (false));
COMMENT ON TABLE vault.opening IS 'Locked by the one process that opens uploads; without rows';
ALTER TABLE vault.entering ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.entering FORCE ROW LEVEL SECURITY;
ALTER TABLE vault.opening ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.opening FORCE ROW LEVEL SECURITY;
CREATE POLICY entering_empty ON vault.entering TO biasgov_compute USING (false);
CREATE POLICY opening_empty ON vault.opening TO biasgov_compute USING (false);
"""


class Migration(migrations.Migration):
    dependencies = [("vault", "0009_erasures_forgotten")]
    operations = [migrations.RunSQL(SQL, "DROP TABLE vault.entering, vault.opening")]
