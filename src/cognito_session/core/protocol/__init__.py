"""What a request decides. The rules are in docs/protocol.md; each file names the section that it implements.

Reading order; each file imports only `core/`, `core/crypto/` and files above it:
session, record, generation, searched, conditions, row_code, ports, steps, context, attempts, sealing, authenticity,
authenticate, lookup, writes, quiet_writes, device_tracking, device_cookie, presenting, pending_revocations, sign_out, devices,
data, landing, establish, commit, refresh, resolve.
"""
