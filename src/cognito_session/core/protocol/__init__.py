"""What a request decides. The rules are in docs/protocol.md; each file names the section that it implements.

Reading order; each file imports only `core/`, `core/crypto/` and files above it:
session, record, generation, conditions, row_code, ports, steps, context, write_attempts, sealing, authenticity, authenticate,
row_search, writes, device_tracking, device_cookie, unrevoked_tokens, sign_out, devices, data, served,
session_creation, establish, commit, refresh, resolve.
"""
