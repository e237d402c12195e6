"""The embedded stack: Cognito and DynamoDB on one loopback port, for demos and tests.

`LocalStack.start()` in `stack` is the door; everything else runs in the child process that it starts. Rotation of
refresh tokens, their expiry and revocation are modelled here, because ministack does not; so are the challenges of a
sign-in with their sessions, managed login's cookie and sign-up page, an outbox of codes, faults, gates and a clock that
tests advance. Nothing in the library imports this package, and importing it costs nothing.
"""
