"""Keeps the requests from waiting long and from calling strangers. What is asked stays valid or invalid, as it was."""

import re

import schemathesis
from schemathesis import GenerationMode

LONGEST_URL = 2048
URL = re.compile(r"(https?)://[^/?#\\]*", re.IGNORECASE)


@schemathesis.hook
def before_call(context, case, kwargs):
    wait_briefly(case)
    body = case.body
    if isinstance(body, dict):
        for name in ("url", "base_url"):
            if isinstance(body.get(name), str) and len(body[name]) <= LONGEST_URL:
                # Nobody listens there.
                case.body = body = {**body, name: URL.sub(r"\1://localhost", body[name])}
    if isinstance(body, list) and is_right(case) and case.operation.path.startswith(("/api/rules", "/api/validate")):
        # No schema can say that no two of them may have the same name.
        names = ("project", "rule_id") if case.operation.path.startswith("/api/rules") else ("rule_id",)
        case.body = list({repr([rule.get(name) for name in names]): rule for rule in body}.values())


def is_right(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


def wait_briefly(case):
    query = case.query
    for parameter in case.operation.definition.raw.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] != "query" or name not in ("wait", "timeout"):
            continue
        given = query.get(name)
        # Without a timeout, an answer may take 30 s.
        implied = given is None and name == "timeout"
        if implied or (isinstance(given, str) and re.fullmatch(parameter["schema"]["pattern"].strip("^$"), given)):
            case.query = query = {**query, name: "50ms"}
