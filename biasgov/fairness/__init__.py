"""The statistical core: counts in, measurements and verdicts out. No framework, no database, no clock."""
