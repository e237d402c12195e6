"""Configuration: each variable missing, empty, malformed, spelled twice, overruled by a keyword."""

from __future__ import annotations

import pytest

from cognito_session.configuration import Configuration
from cognito_session.core.errors import ConfigurationError
from cognito_session.core.protocol import writes
from cognito_session.core.protocol.record import SessionKey, SessionRecord
from cognito_session.core.protocol.session import Reason

POOL = "eu-central-1_AbCdEf123"
COMPLETE = {"SESSION_TABLE": "sessions", "CLIENT_ID": "abc123", "USER_POOL_ID": POOL}
REQUIRED = list(COMPLETE)
ALSO_PREFIXED = ["CLIENT_ID", "CLIENT_SECRET", "USER_POOL_ID"]
VALUES = {**COMPLETE, "PARTITION_KEY": "pk", "SORT_KEY": "sk", "CLIENT_SECRET": "hush-hush"}
OTHERS = {
    "SESSION_TABLE": "other-table",
    "CLIENT_ID": "other456",
    "USER_POOL_ID": "us-gov-west-1_Zz9",
    "PARTITION_KEY": "other_pk",
    "SORT_KEY": "other_sk",
    "CLIENT_SECRET": "other-secret",
}


def read(*, prefix: str = "", keywords: dict[str, str | None] | None = None, **environ: str | None) -> Configuration:
    """The configuration of a complete environment with these changes; None removes a variable."""
    names = {**{prefix + name: value for name, value in COMPLETE.items()}, **environ}
    present = {name: value for name, value in names.items() if value is not None}
    return Configuration.from_env(present, prefix=prefix, **(keywords or {}))


def field(configuration: Configuration, variable: str) -> str | None:
    """The value that a variable has become."""
    return getattr(configuration, variable.lower())


def test_three_variables_are_enough():
    """Table, client and pool; the key is sub, there is no sort key and no secret."""
    assert read() == Configuration("sessions", "abc123", POOL, partition_key="sub", sort_key=None, client_secret=None)


@pytest.mark.parametrize("variable", VALUES)
def test_every_variable_is_read(variable):
    """Each variable ends up in the field of its name."""
    assert field(read(**{variable: VALUES[variable]}), variable) == VALUES[variable]


@pytest.mark.parametrize("variable", REQUIRED)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_required_variable_is_asked_for_by_name(variable, value):
    """Missing and empty are the same: the message names the variable and says where its value is found."""
    with pytest.raises(ConfigurationError, match=rf"^{variable} is not set: it is .{{20,}}"):
        read(**{variable: value})


@pytest.mark.parametrize("variable", ["PARTITION_KEY", "SORT_KEY", "CLIENT_SECRET"])
def test_an_empty_optional_variable_is_unset(variable):
    """Templates leave empty values behind; they mean the default."""
    assert read(**{variable: ""}) == read()


@pytest.mark.parametrize("variable", VALUES)
def test_a_keyword_beats_the_variable(variable):
    """What the code says wins over the environment, also where the variable is not set."""
    for environ in ({variable: VALUES[variable]}, {variable: None}):
        found = read(keywords={variable.lower(): OTHERS[variable]}, **environ)
        assert field(found, variable) == OTHERS[variable]


@pytest.mark.parametrize("variable", VALUES)
@pytest.mark.parametrize("value", [None, ""], ids=["none", "empty"])
def test_a_keyword_without_value_is_not_given(variable, value):
    """None and the empty text leave the variable in force."""
    found = read(keywords={variable.lower(): value}, **{variable: VALUES[variable]})
    assert field(found, variable) == VALUES[variable]


MALFORMED = {
    "USER_POOL_ID": [
        "eu-central-1",
        "AbCdEf123",
        "eu-central-1_",
        "_AbC",
        "eu-central-1-AbC",
        "EU-CENTRAL-1_AbC",
        "eu-central-1_A\nB",
        "eu-central-1_\u200bA",
        "eu-central-1_A/../B",
        "eu-central-1_A.evil.example",
        "evil.example/_A",
        "arn:aws:cognito-idp:eu-central-1:1:userpool/eu-central-1_A",
        "eu-central-1_" + "A" * 56,
        "eu-central-1_\u00e4",
        "eu-central-\u0661_A",
    ],
    "CLIENT_ID": ["a b", "a-b", "a/b", "ab\nc", "\u00e4", "a" * 129, "abc,def", "\u0661"],
    "SESSION_TABLE": ["ab", "my table", "t\u00e4ble", "ta\nble", "a" * 256, "table;drop"],
    "PARTITION_KEY": ["user id", "su\nb", "a" * 256],
    "SORT_KEY": ["session id", "s\tid", "a" * 256],
    "CLIENT_SECRET": ["two words", "line\nend", "zero\u200bwidth"],
    "SESSION_SECRET_ARN": ["arn:aws:secretsmanager:eu-central-1:1:secret:a b"],
    "COGNITO_DOMAIN": ["my domain"],
    "APP_BASE_URL": ["https://app. example"],
}


@pytest.mark.parametrize(("variable", "value"), [(name, value) for name, values in MALFORMED.items() for value in values])
def test_a_malformed_value_is_refused_by_name(variable, value):
    """Wherever it comes from, it is a ConfigurationError that names the variable and what was expected."""
    with pytest.raises(ConfigurationError, match=f"^{variable}: expected "):
        read(**{variable: value})
    with pytest.raises(ConfigurationError, match=f"^{variable}: expected "):
        read(keywords={variable.lower(): value})


SPACED = [
    *(("SESSION_TABLE", "sessions"), ("PARTITION_KEY", "user"), ("SORT_KEY", "sid"), ("CLIENT_ID", "abc")),
    *(("CLIENT_SECRET", "s3cret+/="), ("USER_POOL_ID", "eu-central-1_A"), ("SESSION_KEYS", "1.x, 0.y")),
    *(("SESSION_SECRET_ARN", "arn:aws:secretsmanager:x"), ("COGNITO_DOMAIN", "mine"), ("APP_BASE_URL", "https://a.example")),
    ("SESSION_STORE", "sqlite:////var/lib/my app/s.db"),
]


@pytest.mark.parametrize("around", ["{} ", " {}", "{}\n", "{}\r\n", "\t{}\u00a0"], ids=repr)
@pytest.mark.parametrize(("variable", "value"), SPACED)
def test_white_space_around_a_setting_is_no_part_of_it(variable, value, around):
    """One rule for every setting, secrets too, from a variable and from a keyword: it is trimmed."""
    spaced = around.format(value)
    assert field(read(**{variable: spaced}), variable) == value
    assert field(read(keywords={variable.lower(): spaced}), variable) == value


@pytest.mark.parametrize("value", ["", " ", "\n", "\t "], ids=repr)
@pytest.mark.parametrize("variable", [name for name, _ in SPACED])
def test_nothing_but_white_space_is_unset(variable, value):
    """As an empty variable: required ones are missed, the others have their defaults."""
    if variable in ("CLIENT_ID", "USER_POOL_ID", "SESSION_TABLE"):
        with pytest.raises(ConfigurationError, match=f"{variable} is not set"):
            read(**{variable: value})
    else:
        assert read(**{variable: value}) == read()


@pytest.mark.parametrize("value", [7, b"abc", True, ["abc"], {"a": "b"}], ids=repr)
@pytest.mark.parametrize("variable", [name for name, _ in SPACED])
def test_a_keyword_of_another_type_is_refused(variable, value):
    """The error names the setting and the type, never the value."""
    with pytest.raises(ConfigurationError, match=f"^{variable}: expected a text, not {type(value).__name__}$"):
        read(keywords={variable.lower(): value})


WELL_FORMED = [
    ("USER_POOL_ID", "us-east-1_a"),
    ("USER_POOL_ID", "us-gov-west-1_AbC"),
    ("USER_POOL_ID", "ap-southeast-12_" + "A" * 55),
    ("CLIENT_ID", "1example23456789"),
    ("CLIENT_ID", "a_b+c"),
    ("SESSION_TABLE", "my_app-prod.sessions"),
    ("SESSION_TABLE", "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"),
    ("PARTITION_KEY", "user#id"),
    ("PARTITION_KEY", "key"),
    ("SORT_KEY", "sid"),
]


@pytest.mark.parametrize(("variable", "value"), WELL_FORMED)
def test_every_form_that_aws_gives_is_taken(variable, value):
    """Ids, names and ARNs as AWS makes them are taken as they are."""
    assert field(read(**{variable: value}), variable) == value


@pytest.mark.parametrize("variable", ALSO_PREFIXED)
def test_the_cognito_form_of_a_variable_works(variable):
    """COGNITO_ may stand before the name of what is Cognito's."""
    found = read(**{variable: None, f"COGNITO_{variable}": VALUES[variable]})
    assert field(found, variable) == VALUES[variable]


@pytest.mark.parametrize("variable", ALSO_PREFIXED)
def test_both_forms_may_agree_but_not_disagree(variable):
    """The same value twice, or an empty one beside it, is fine; two values are an error that names both variables."""
    one, two = VALUES[variable], OTHERS[variable]
    assert field(read(**{variable: one, f"COGNITO_{variable}": one}), variable) == one
    assert field(read(**{variable: "", f"COGNITO_{variable}": one}), variable) == one
    assert field(read(**{variable: one, f"COGNITO_{variable}": ""}), variable) == one
    with pytest.raises(ConfigurationError, match=f"^{variable} and COGNITO_{variable} disagree") as caught:
        read(**{variable: one, f"COGNITO_{variable}": two})
    assert one not in str(caught.value)
    assert two not in str(caught.value)


@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_an_empty_cognito_form_is_unset_too(value):
    """Empty in both forms is as good as missing: a required one is asked for, an empty secret is no secret."""
    assert read(CLIENT_SECRET=value, COGNITO_CLIENT_SECRET="").client_secret is None
    for variable in ("CLIENT_ID", "USER_POOL_ID"):
        with pytest.raises(ConfigurationError, match=f"^{variable} is not set"):
            read(**{variable: value, f"COGNITO_{variable}": ""})


@pytest.mark.parametrize("variable", ["SESSION_TABLE", "PARTITION_KEY", "SORT_KEY"])
def test_the_rest_has_no_cognito_form(variable):
    """COGNITO_SESSION_TABLE and the like are not read."""
    assert read(**{f"COGNITO_{variable}": "elsewhere"}) == read()


@pytest.mark.parametrize("variable", REQUIRED)
def test_a_prefix_is_part_of_every_name(variable):
    """With a prefix only prefixed variables are read, and messages use the whole name."""
    environ = {f"ADMIN_{name}": value for name, value in OTHERS.items()}
    found = Configuration.from_env({**VALUES, **environ}, prefix="ADMIN_")
    assert field(found, variable) == OTHERS[variable]
    with pytest.raises(ConfigurationError, match=f"^ADMIN_{variable} is not set"):
        Configuration.from_env({**VALUES, **environ, f"ADMIN_{variable}": ""}, prefix="ADMIN_")
    malformed = {**environ, f"ADMIN_{variable}": "\u00e4"}
    with pytest.raises(ConfigurationError, match=f"^ADMIN_{variable}: expected"):
        Configuration.from_env(malformed, prefix="ADMIN_")


def test_prefix_and_cognito_form_go_together():
    """The application's prefix stands before COGNITO_, in the variable as in the message."""
    environ = {"ADMIN_SESSION_TABLE": "sessions", "ADMIN_COGNITO_CLIENT_ID": "abc", "ADMIN_COGNITO_USER_POOL_ID": POOL}
    assert Configuration.from_env(environ, prefix="ADMIN_").client_id == "abc"
    with pytest.raises(ConfigurationError, match=r"^ADMIN_CLIENT_ID and ADMIN_COGNITO_CLIENT_ID disagree"):
        Configuration.from_env({**environ, "ADMIN_CLIENT_ID": "def"}, prefix="ADMIN_")


def _attributes_of_a_row() -> set[str]:
    """Every attribute that a record is read from and that a write sets, beside the two keys."""
    read_from: set[str] = set()

    class Row(dict):
        def get(self, name, default=None):
            read_from.add(name)
            return default

    record = SessionRecord.from_row(SessionKey("sub", "sid"), Row())
    changes = [writes.acquire(record, now=1.0, lease_id="l", length=6), writes.log_out(record, Reason.SESSION_ENDED, now=1)]
    return (read_from | {name for change in changes for name in (*change.put, *change.drop)}) - {"sub", "sid"}


@pytest.mark.parametrize("variable", ["PARTITION_KEY", "SORT_KEY"])
@pytest.mark.parametrize("name", sorted({*_attributes_of_a_row(), "timestamp", "ttl", "data"}))
def test_a_key_is_named_like_no_attribute_of_ours(variable, name):
    """A key column that a session also uses as an attribute would be written as one: refused, naming both variables."""
    with pytest.raises(ConfigurationError, match=r"PARTITION_KEY and SORT_KEY: expected two different names"):
        read(**{variable: name})


@pytest.mark.parametrize(
    ("partition", "sort"), [("sub", "sub"), ("pk", "pk"), ("sid", None), ("sid", "sk"), (None, "sub")], ids=repr
)
def test_the_two_keys_are_two(partition, sort):
    """The same name twice, or the session id as partition key, is refused."""
    with pytest.raises(ConfigurationError, match="PARTITION_KEY"):
        read(PARTITION_KEY=partition, SORT_KEY=sort)


@pytest.mark.parametrize(("pool", "region"), [(POOL, "eu-central-1"), ("us-gov-west-1_a", "us-gov-west-1")])
def test_the_pool_s_region_comes_from_its_id(pool, region):
    """The part before the underscore, whatever AWS_REGION says."""
    assert read(USER_POOL_ID=pool, AWS_REGION="ap-south-1").pool_region == region


def test_the_secret_is_not_shown():
    """Neither repr nor text of a configuration holds the client secret."""
    found = read(CLIENT_SECRET="hush-hush")
    assert found.client_secret == "hush-hush"
    assert "hush-hush" not in f"{found!r} {found!s}"


def test_reading_changes_nothing():
    """The environment handed in stays as it was."""
    environ = {**VALUES, "EXTRA": "x"}
    Configuration.from_env(environ)
    assert environ == {**VALUES, "EXTRA": "x"}


@pytest.mark.parametrize(
    ("environ", "regions"),
    [
        ({}, {}),
        ({"SESSION_TABLE_REGION": "eu-west-1"}, {"dynamodb": "eu-west-1"}),
        ({"SESSION_TABLE": "arn:aws-cn:dynamodb:cn-north-1:1:table/t"}, {"dynamodb": "cn-north-1"}),
        ({"SESSION_SECRET_ARN": "arn:aws:secretsmanager:us-east-2:1:secret:s-AbCdEf"}, {"secretsmanager": "us-east-2"}),
        ({"SESSION_SECRET_ARN": "a-name"}, {}),
    ],
)
def test_regions(environ, regions):
    """The pool's region is in its id, the table's in a variable or its ARN, the secret's in its ARN; else AWS_REGION holds."""
    assert read(**environ).regions == {"cognito-idp": "eu-central-1", **regions}


def test_two_regions_of_one_table():
    """A region that contradicts the table's ARN is an error, and so is one that is no region's name."""
    with pytest.raises(ConfigurationError, match="SESSION_TABLE_REGION is eu-west-1"):
        read(SESSION_TABLE="arn:aws:dynamodb:eu-west-2:1:table/t", SESSION_TABLE_REGION="eu-west-1")
    with pytest.raises(ConfigurationError, match="SESSION_TABLE_REGION: expected an AWS region"):
        read(SESSION_TABLE_REGION="Frankfurt")


def test_a_pool_of_the_european_sovereign_cloud():
    """Its regions' names begin with four letters."""
    assert read(USER_POOL_ID="eusc-de-east-1_AbC").pool_region == "eusc-de-east-1"


def test_all_missing_settings_are_named_at_once():
    """One error lists what is not set, with where each value is found; a table is not missed beside SESSION_STORE."""
    with pytest.raises(ConfigurationError) as caught:
        Configuration.from_env({}, prefix="ADMIN_")
    assert [part.partition(" is not set: it is ")[0] for part in str(caught.value).split("; ")] == [
        "ADMIN_SESSION_TABLE",
        "ADMIN_CLIENT_ID",
        "ADMIN_USER_POOL_ID",
    ]
    with pytest.raises(ConfigurationError, match=r"^CLIENT_ID is not set: .*; USER_POOL_ID is not set: "):
        Configuration.from_env({"SESSION_STORE": "sqlite:///a.db"})
