"""The embedded stack: Cognito and DynamoDB on one loopback port, for demos and tests.

Start it with `LocalStack.start()` in `stack`; everything else runs in a child process. ministack provides Cognito and
DynamoDB. This package adds the rotation, expiry and revocation of refresh tokens, sign-in challenges, the cookie and the
sign-up page of managed login, an outbox of codes, fault injection, gates, and a clock that tests advance. No other part of the
library imports this package.
"""
