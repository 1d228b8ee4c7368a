"""What an auditor needs to check the audit log by themselves: no Django, no database, no server.

`merkle` is the tree and its proofs (RFC 9162), `encoding` the bytes that an entry's leaf hash covers, `heads` the
signed tree heads and their file, `stamps` the RFC 3161 time stamps on them.
"""
