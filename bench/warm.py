"""The warm comparisons, one process, interleaved: prints what|ours|theirs|budget, times in microseconds."""

import os
import statistics
import sys
import time
from functools import partial

import boto3
import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from cognito_session import Active, SessionManager
from cognito_session.core.cookie import Cookie
from cognito_session.core.crypto import access_token as token_module
from cognito_session.core.crypto import aead as seal
from cognito_session.core.crypto.credential import SealedCredential
from cognito_session.core.protocol.authenticate import identify
from cognito_session.drivers.sync import run
from cognito_session.http.request import headers_of

TOKEN, ROUNDS = sys.argv[1], int(sys.argv[2])
sessions = SessionManager.from_env(cookie="token", cookie_name="token")
header = f"token={TOKEN}"
sealed_sessions = SessionManager.from_env(session_table=os.environ["SEALED_TABLE"])
sealed_header = os.environ["SEALED_COOKIE"]
pool = os.environ["USER_POOL_ID"]
region = pool.split("_")[0]
dynamodb = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
jwks = jwt.PyJWKClient(f"{os.environ['AWS_ENDPOINT_URL']}/{pool}/.well-known/jwks.json")
public_key = jwks.get_signing_key_from_jwt(TOKEN).key
issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool}"


def ours():
    if not isinstance(sessions.resolve(header), Active):
        raise SystemExit("not active")


def ours_sealed():
    if not isinstance(sealed_sessions.resolve(sealed_header), Active):
        raise SystemExit("not active")


def theirs():
    claims = jwt.decode(TOKEN, public_key, ["RS256"], issuer=issuer)
    item = dynamodb.get_item(TableName=os.environ["SESSION_TABLE"], Key={"sub": {"S": claims["sub"]}}, ConsistentRead=True)[
        "Item"
    ]
    if item["state"]["S"] != "active":
        raise SystemExit("not active")


def compare(what, first, second, *, calls, clock, budget):
    mine, other = [], []
    for _ in range(ROUNDS):
        for function, found in ((first, mine), (second, other)):
            began = clock()
            for _ in range(calls):
                function()
            found.append((clock() - began) / calls * 1e6)
    print(f"{what}|{statistics.median(mine)}|{statistics.median(other)}|{budget}")


head, payload, signature = TOKEN.split(".")
signed, raw_signature = f"{head}.{payload}".encode(), token_module._decoded(signature)
keys = sessions.ports.keys.keys(None)
rules = sessions.context.rules


def raw():
    public_key.verify(raw_signature, signed, padding.PKCS1v15(), hashes.SHA256())


def verify_again():
    token_module.verify(TOKEN, keys, rules)


def verify_new():
    token_module._verified.__wrapped__(TOKEN, keys.find(token_module.key_id(TOKEN)), rules)


sealed_value = sealed_header.partition("=")[2]
ring = sealed_sessions.ports.keyrings.keyring(newer=False)
bound = {"pool": pool, "client_id": rules.client_id, "cookie_name": sealed_sessions.context.cookie.name}


def open_sealed():
    seal.open_cookie(ring, sealed_value, **bound)


def identify_sealed():
    if not isinstance(run(identify(sealed_sessions.context, sealed_header), sealed_sessions.ports), SealedCredential):
        raise SystemExit("not opened")


for function in (ours, ours_sealed, theirs, verify_new, open_sealed, identify_sealed, raw):
    for _ in range(20):
        function()
compare("warm check with DynamoDB read, CPU (us)", ours, theirs, calls=50, clock=time.process_time, budget=0.30)
compare("warm check with DynamoDB read, wall (us)", ours, theirs, calls=50, clock=time.perf_counter, budget="")
compare("warm sealed check with DynamoDB read, CPU (us)", ours_sealed, theirs, calls=50, clock=time.process_time, budget=0.30)
compare("verify a new token / raw RSA verify (us)", verify_new, raw, calls=200, clock=time.process_time, budget=3)
compare("verify a repeated token / raw RSA verify (us)", verify_again, raw, calls=2000, clock=time.process_time, budget=0.5)
compare("sealed cookie opened / raw RSA verify (us)", open_sealed, raw, calls=2000, clock=time.process_time, budget=0.5)
compare(
    "the same from the Cookie header on, by the driver (us)",
    identify_sealed,
    raw,
    calls=2000,
    clock=time.process_time,
    budget=0.5,
)
cookie = Cookie("token")
worst = {
    "backslashes": 'x="' + "\\" * 65_000,
    "semicolons": ";" * 65_000 + "token",
    "names": "token" * 13_000,
    "pairs": "token=\x01;" * 8_000,
}
for name, text in worst.items():
    compare(
        f"64 kB Cookie header of {name} / 5 ms (us)",
        partial(cookie.candidates, text),
        lambda: time.sleep(0.005),
        calls=3,
        clock=time.perf_counter,
        budget=1,
    )
compare(
    "40,000 headers of one name / 50 ms (us)",
    lambda: headers_of(("x", "") for _ in range(40_000)),
    lambda: time.sleep(0.05),
    calls=1,
    clock=time.perf_counter,
    budget=1,
)
