"""The same check as it is usually written: boto3's two clients and PyJWT."""

import os
import sys

import boto3
import jwt

pool = os.environ["USER_POOL_ID"]
region = pool.split("_")[0]
boto3.client("cognito-idp", region_name=region)
dynamodb = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
keys = jwt.PyJWKClient(f"{os.environ['AWS_ENDPOINT_URL']}/{pool}/.well-known/jwks.json")
token = sys.argv[1]
claims = jwt.decode(
    token, keys.get_signing_key_from_jwt(token).key, ["RS256"], issuer=f"https://cognito-idp.{region}.amazonaws.com/{pool}"
)
assert claims["token_use"] == "access"
assert claims["client_id"] == os.environ["CLIENT_ID"]
key = {"sub": {"S": claims["sub"]}}
item = dynamodb.get_item(TableName=os.environ["SESSION_TABLE"], Key=key, ConsistentRead=True)["Item"]
sys.exit(0 if item["state"]["S"] == "active" else 1)
