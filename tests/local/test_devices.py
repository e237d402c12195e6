"""The stack's devices, as pycognito and boto3 use them: confirm, prove by SRP, list, update, forget."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from pycognito.aws_srp import AWSSRP, generate_hash_device

PASSWORD = "Correct-Horse-9"


class Client:
    """A user of a pool, seen through boto3 and pycognito."""

    def __init__(self, stack, **pool):
        self.pool = stack.create_pool(**pool)
        self.user = stack.create_user(self.pool, "alice", PASSWORD, email="alice@example.com")
        self.boto = boto3.client(
            "cognito-idp",
            endpoint_url=self.pool.url,
            region_name=self.pool.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def srp(self, **device):
        return AWSSRP(
            username="alice",
            password=PASSWORD,
            pool_id=self.pool.user_pool_id,
            client_id=self.pool.client_id,
            client_secret=self.pool.client_secret,
            client=self.boto,
            **device,
        )

    def new_device(self, **srp):
        """The AWSSRP arguments of a device that pycognito has made and boto3 confirmed, and the tokens of its sign-in."""
        result = self.srp(**srp).authenticate_user()["AuthenticationResult"]
        new = result["NewDeviceMetadata"]
        password, config = generate_hash_device(new["DeviceGroupKey"], new["DeviceKey"])
        answer = self.boto.confirm_device(
            AccessToken=result["AccessToken"],
            DeviceKey=new["DeviceKey"],
            DeviceName="a browser",
            DeviceSecretVerifierConfig=config,
        )
        assert answer["UserConfirmationNecessary"] is self.pool_prompts
        device = {"device_key": new["DeviceKey"], "device_group_key": new["DeviceGroupKey"], "device_password": password}
        return device, result

    @property
    def pool_prompts(self):
        pool = self.boto.describe_user_pool(UserPoolId=self.pool.user_pool_id)["UserPool"]
        return pool["DeviceConfiguration"]["DeviceOnlyRememberedOnUserPrompt"]


def code_of(call, **given):
    with pytest.raises(ClientError) as refused:
        call(**given)
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


@pytest.fixture(params=[False, True], ids=["public", "confidential"])
def tracked(stack, request):
    """A user of a pool that tracks devices."""
    return Client(stack, device_tracking=True, client_secret=request.param)


@pytest.fixture
def public(stack):
    """The same with a public app client, because pycognito sends no secret hash for a device."""
    return Client(stack, device_tracking=True)


def test_a_remembered_device_proves_itself_to_pycognito(public):
    """Pycognito's own DEVICE_SRP_AUTH and DEVICE_PASSWORD_VERIFIER sign in on the same device, with no new one issued."""
    device, _ = public.new_device()
    again = public.srp(**device).authenticate_user()["AuthenticationResult"]
    assert "NewDeviceMetadata" not in again
    refreshed = public.boto.get_tokens_from_refresh_token(
        RefreshToken=again["RefreshToken"], ClientId=public.pool.client_id, DeviceKey=device["device_key"]
    )
    assert refreshed["AuthenticationResult"]["AccessToken"]


def test_a_wrong_device_password_is_refused(public):
    """A device whose password does not fit its verifier does not sign in."""
    device, _ = public.new_device()
    client = public.srp(**{**device, "device_password": "wrong"})
    assert code_of(client.authenticate_user)[0] == "NotAuthorizedException"


def test_an_unknown_device_does_not_exist(tracked):
    """A sign-in that names a forgotten device is ResourceNotFoundException, which says "Device"."""
    device, tokens = tracked.new_device()
    tracked.boto.forget_device(AccessToken=tokens["AccessToken"], DeviceKey=device["device_key"])
    code, message = code_of(tracked.srp(**device).authenticate_user)
    assert (code, message) == ("ResourceNotFoundException", "Device does not exist.")


def test_devices_are_listed_shown_updated_and_forgotten(public):
    """ListDevices by pages, GetDevice with its name, UpdateDeviceStatus, ForgetDevice; a second ConfirmDevice is refused."""
    made = [public.new_device() for _ in range(3)]
    token, keys = made[0][1]["AccessToken"], [device["device_key"] for device, _ in made]
    page = public.boto.list_devices(AccessToken=token, Limit=2)
    rest = public.boto.list_devices(AccessToken=token, PaginationToken=page["PaginationToken"])
    assert [each["DeviceKey"] for each in page["Devices"] + rest["Devices"]] == keys
    assert "PaginationToken" not in rest
    shown = public.boto.get_device(AccessToken=token, DeviceKey=keys[1])["Device"]
    assert {"Name": "device_name", "Value": "a browser"} in shown["DeviceAttributes"]
    assert code_of(public.boto.confirm_device, AccessToken=token, DeviceKey=keys[0])[0] == "DeviceKeyExistsException"
    public.boto.update_device_status(AccessToken=token, DeviceKey=keys[0], DeviceRememberedStatus="not_remembered")
    again = public.srp(**made[0][0]).authenticate_user()["AuthenticationResult"]
    assert "NewDeviceMetadata" in again  # a device that is not remembered counts for nothing at sign-in
    public.boto.forget_device(AccessToken=token, DeviceKey=keys[2])
    assert code_of(public.boto.get_device, AccessToken=token, DeviceKey=keys[2])[0] == "ResourceNotFoundException"


def test_a_pool_that_prompts_remembers_on_request(stack):
    """DeviceOnlyRememberedOnUserPrompt: confirmed devices refresh, but prove themselves only after UpdateDeviceStatus."""
    client = Client(stack, device_tracking="prompt")
    device, tokens = client.new_device()
    assert stack.refresh(client.pool, tokens["RefreshToken"], DeviceKey=device["device_key"])
    assert "NewDeviceMetadata" in client.srp(**device).authenticate_user()["AuthenticationResult"]
    client.boto.update_device_status(
        AccessToken=tokens["AccessToken"], DeviceKey=device["device_key"], DeviceRememberedStatus="remembered"
    )
    assert "NewDeviceMetadata" not in client.srp(**device).authenticate_user()["AuthenticationResult"]


@pytest.mark.parametrize("instead", [True, False])
def test_a_remembered_device_replaces_the_second_factor(stack, instead):
    """ChallengeRequiredOnNewDevice: a remembered device is not asked for a code; without it, it is."""
    client = Client(stack, device_tracking="instead_of_mfa" if instead else True, mfa="OPTIONAL")
    device, _ = client.new_device()
    stack.set_mfa(client.pool, "alice", "EMAIL_OTP", preferred="EMAIL_OTP")
    given = {"USERNAME": "alice", "PASSWORD": PASSWORD}
    asked = {"ClientId": client.pool.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
    assert client.boto.initiate_auth(**asked, AuthParameters=given)["ChallengeName"] == "EMAIL_OTP"
    named = client.boto.initiate_auth(**asked, AuthParameters={**given, "DEVICE_KEY": device["device_key"]})
    assert named["ChallengeName"] == ("DEVICE_SRP_AUTH" if instead else "EMAIL_OTP")


def test_without_tracking_there_are_no_devices(stack):
    """A pool without DeviceConfiguration issues no device and refuses the operations on devices."""
    client = Client(stack)
    tokens = client.srp().authenticate_user()["AuthenticationResult"]
    assert "NewDeviceMetadata" not in tokens
    assert code_of(client.boto.list_devices, AccessToken=tokens["AccessToken"])[0] == "InvalidUserPoolConfigurationException"


def test_auth_factors_of_a_user(stack):
    """GetUserAuthFactors names first and second factors; a token that is none is refused."""
    client = Client(stack, mfa="OPTIONAL")
    tokens = client.srp().authenticate_user()["AuthenticationResult"]
    stack.set_mfa(client.pool, "alice", "EMAIL_OTP", preferred="EMAIL_OTP")
    found = client.boto.get_user_auth_factors(AccessToken=tokens["AccessToken"])
    assert (found["Username"], found["PreferredMfaSetting"], found["UserMFASettingList"]) == (
        "alice",
        "EMAIL_OTP",
        ["EMAIL_OTP"],
    )
    assert found["ConfiguredUserAuthFactors"] == ["PASSWORD", "EMAIL_OTP", "WEB_AUTHN"]
    assert code_of(client.boto.get_user_auth_factors, AccessToken="none")[0] == "NotAuthorizedException"


@pytest.mark.parametrize("preferred", ["at once", "asked for", "chosen"])
def test_a_password_is_proved_by_srp_within_user_auth(tracked, preferred):
    """USER_AUTH accepts pycognito's SRP proof of a password, as a preferred challenge with or without SRP_A, or as a choice."""
    client, named = tracked.srp(), {}
    if tracked.pool.client_secret:
        named = {"SECRET_HASH": tracked.pool.secret_hash("alice")}
    public, asked = f"{client.large_a_value:x}", {"ClientId": tracked.pool.client_id}
    wish = {} if preferred == "chosen" else {"PREFERRED_CHALLENGE": "PASSWORD_SRP"}
    shown = {"SRP_A": public} if preferred == "at once" else {}
    begun = tracked.boto.initiate_auth(
        **asked, AuthFlow="USER_AUTH", AuthParameters={"USERNAME": "alice", **named, **wish, **shown}
    )
    if preferred != "at once":
        name = "SELECT_CHALLENGE" if preferred == "chosen" else "PASSWORD_SRP"
        assert begun["ChallengeName"] == name
        answer = {"ANSWER": "PASSWORD_SRP"} if preferred == "chosen" else {}
        begun = tracked.boto.respond_to_auth_challenge(
            **asked,
            ChallengeName=name,
            Session=begun["Session"],
            ChallengeResponses={"USERNAME": "alice", "SRP_A": public, **named, **answer},
        )
    assert begun["ChallengeName"] == "PASSWORD_VERIFIER"
    proof = client.process_challenge(begun["ChallengeParameters"], {"USERNAME": "alice"})
    done = tracked.boto.respond_to_auth_challenge(
        **asked, ChallengeName="PASSWORD_VERIFIER", ChallengeResponses={**proof, **named}
    )
    assert done["AuthenticationResult"]["RefreshToken"]


def test_the_discovery_document_names_the_revocation_endpoint(stack, app):
    """The discovery document has revocation_endpoint, which answers (RFC 8414 2, RFC 7009)."""
    pool = stack.create_pool()
    document = app.get(f"/{pool.user_pool_id}/.well-known/openid-configuration").json()
    assert document["revocation_endpoint"] == document["token_endpoint"].replace("/token", "/revoke")
    answer = app.form("/oauth2/revoke", {"client_id": pool.client_id, "token": "unknown"})
    assert answer.status_code == 200
