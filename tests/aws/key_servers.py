"""Loopback servers that give temporary AWS keys: a container's endpoint, an instance's (IMDSv2), and STS.

Each counts what it was asked, gives a new key each time, and answers by its `plan`: a status, "hang", or "keys".
"""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
from urllib.parse import parse_qs

__all__ = ["Container", "Instance", "Sso", "Sts"]

SESSION_TOKEN = "IQoJb3/a-session-token+of=="


class KeyServer:
    """What the three have in common. `life_seconds` is how long the next keys live; `gate` holds answers back."""

    def __init__(self):
        self.life_seconds = 3600
        self.plan = "keys"
        self.asked = []
        self.given = 0
        self.gate = threading.Event()
        self.gate.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length).decode()
                outer.asked.append((self.command, self.path, dict(self.headers), body))
                outer.gate.wait(20)
                status, text = outer.answer(self.command, self.path, self.headers, body)
                if outer.plan != "keys":
                    status, text = outer.plan, ""
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("X-aws-ec2-metadata-token-ttl-seconds", "21600")
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names of the base class

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def keys(self):
        """The next keys, as the three spell them alike."""
        self.given += 1
        end = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.life_seconds)
        return {
            "AccessKeyId": f"ASIA{type(self).__name__.upper()}{self.given}",
            "SecretAccessKey": f"secret-{self.given}",
            "Token": SESSION_TOKEN,
            "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}",
        }

    def stop(self):
        """End the server."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()


class Container(KeyServer):
    """The endpoint of ECS, EKS Pod Identity and Lambda SnapStart; it wants the authorization that the process was given."""

    authorization = "a-container-token"

    def answer(self, method, path, headers, body):
        if headers.get("Authorization") != self.authorization:
            return 401, ""
        return 200, json.dumps(self.keys())


class Instance(KeyServer):
    """IMDSv2: first a token by PUT, then the role's name, then its keys."""

    def answer(self, method, path, headers, body):
        if method == "PUT" and path == "/latest/api/token":
            return 200, "an-imds-token"
        if headers.get("x-aws-ec2-metadata-token") != "an-imds-token":
            return 401, ""
        role = "/latest/meta-data/iam/security-credentials/"
        if path == role:
            return 200, "the-role"
        return (200, json.dumps({"Code": "Success", **self.keys()})) if path == f"{role}the-role" else (404, "")


class Sts(KeyServer):
    """AssumeRoleWithWebIdentity and AssumeRole."""

    def answer(self, method, path, headers, body):
        action = parse_qs(body)["Action"][0]
        keys = self.keys()
        keys["SessionToken"] = keys.pop("Token")
        told = "".join(f"<{name}>{value}</{name}>" for name, value in keys.items())
        return 200, (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>{told}'
            "</Credentials><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/app/s</Arn>"
            f"<AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
        )


class Sso(KeyServer):
    """IAM Identity Center's GetRoleCredentials, for any signed-in user."""

    bearer = "an-sso-token"

    def answer(self, method, path, headers, body):
        if headers.get("x-amz-sso_bearer_token") != self.bearer:
            return 401, ""
        keys, end = self.keys(), int((dt.datetime.now(dt.UTC).timestamp() + self.life_seconds) * 1000)
        found = {"accessKeyId": keys["AccessKeyId"], "secretAccessKey": keys["SecretAccessKey"]}
        return 200, json.dumps({"roleCredentials": {**found, "sessionToken": keys["Token"], "expiration": end}})
