"""The SRP arithmetic against two clients that share no code with it: pycognito and srptools."""

import base64
import hashlib
import hmac
import secrets

import pytest
from pycognito.aws_srp import AWSSRP, generate_hash_device
from srptools import SRPContext

from cognito_session.core.crypto.srp import GROUP, SrpExchange, claim_key, number_bytes, verifier

GROUP_KEY, DEVICE_KEY = "-abc1234", "us-east-1_0f0a7f9e-aaaa-4bbb-8ccc-0123456789ab"
IDENTITY = GROUP_KEY + DEVICE_KEY


def srptools_context(password):
    multiplier = hashlib.sha256(b"\0" + bytes.fromhex(f"{GROUP:x}") + b"\2").hexdigest()
    return SRPContext(IDENTITY, password, prime=f"{GROUP:x}", generator="02", hash_func=hashlib.sha256, multiplier=multiplier)


@pytest.mark.parametrize("_round", range(8))
def test_a_verifier_is_the_one_that_pycognito_makes(_round):
    """For the same group key, device key, password and salt the verifier is pycognito's, byte for byte."""
    password, config = generate_hash_device(GROUP_KEY, DEVICE_KEY)
    salt = int.from_bytes(base64.b64decode(config["Salt"]))
    assert base64.b64encode(number_bytes(verifier(IDENTITY, password, salt))).decode() == config["PasswordVerifier"]


def test_a_verifier_is_the_one_that_srptools_makes():
    """srptools, which knows SRP and nothing of Cognito, computes the same verifier over the same salt."""
    password, salt = "a device's password", secrets.randbits(127) | 1 << 127
    context = srptools_context(password)
    exponent = context.get_common_password_hash(b"\0" + salt.to_bytes(16))
    assert verifier(IDENTITY, password, salt) == context.get_common_password_verifier(exponent)


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")  # pycognito's own, from Python 3.12 on
@pytest.mark.parametrize("_round", range(8))
def test_a_signature_is_the_one_that_pycognito_makes(_round):
    """With the same private exponent, the signature over a challenge's parameters is pycognito's."""
    password = base64.b64encode(secrets.token_bytes(40)).decode()
    client = AWSSRP(
        username="u",
        password="p",
        pool_id="us-east-1_abc",
        client_id="c",
        client=object(),
        device_key=DEVICE_KEY,
        device_group_key=GROUP_KEY,
        device_password=password,
    )
    parameters = {
        "USERNAME": "u",
        "SALT": secrets.token_hex(16),
        "SRP_B": f"{secrets.randbits(3071):x}",
        "SECRET_BLOCK": base64.b64encode(secrets.token_bytes(64)).decode(),
    }
    answer = client.process_device_challenge(parameters)
    ours = SrpExchange(client.small_a_value)
    assert ours.public == f"{client.large_a_value:x}"
    made = ours.signature(
        IDENTITY,
        password,
        salt=parameters["SALT"],
        server_public=parameters["SRP_B"],
        block=parameters["SECRET_BLOCK"],
        timestamp=answer["TIMESTAMP"],
    )
    assert made == answer["PASSWORD_CLAIM_SIGNATURE"]


def test_the_shared_secret_is_the_one_that_srptools_makes():
    """Srptools as the server, over the same verifier and exponents, arrives at the secret that the signature proves."""
    password, salt, mine, theirs = "pw", secrets.randbits(120), secrets.randbits(384), secrets.randbits(384)
    context, exchange = srptools_context(password), SrpExchange(mine)
    stored = verifier(IDENTITY, password, salt)
    public = context.get_server_public(password_verifier=stored, server_private=theirs)
    assert context.get_client_public(client_private=mine) == int(exchange.public, 16)
    scramble = int.from_bytes(hashlib.sha256(number_bytes(int(exchange.public, 16)) + number_bytes(public)).digest())
    shared = context.get_server_premaster_secret(
        password_verifier=stored, server_private=theirs, client_public=int(exchange.public, 16), common_secret=scramble
    )
    block = base64.b64encode(b"block").decode()
    made = exchange.signature(IDENTITY, password, salt=f"{salt:x}", server_public=f"{public:x}", block=block, timestamp="now")
    message = IDENTITY.encode() + b"block" + b"now"
    assert base64.b64decode(made) == hmac.digest(claim_key(shared, scramble), message, "sha256")


@pytest.mark.parametrize("public", ["0", f"{GROUP:x}", f"{2 * GROUP:x}", "-1", "zz", "", "f" * 2000])
def test_a_hostile_server_value_is_refused(public):
    """SRP_B of 0 modulo the group would let a server pass without the verifier; it is refused, as is what is no number."""
    with pytest.raises(ValueError, match=r"SRP|int\(\)|invalid literal"):
        SrpExchange(3).signature(IDENTITY, "pw", salt="ab", server_public=public, block="", timestamp="")


def test_a_secret_exponent_does_not_show():
    """The private exponent is in no repr."""
    assert "12345" not in repr(SrpExchange(12345))
