"""Keeps requests that wait for something from waiting long. What is asked stays valid or invalid, as it was."""

import re

import schemathesis

SPAN = re.compile(r"(([1-9]?[0-9]|[12][0-9]{2}|300)s?|[1-9][0-9]{0,4}ms|[1-4]m([1-5]?[0-9]s)?|5m)")


@schemathesis.hook
def before_call(context, case, kwargs):
    query = case.query
    if case.operation.path == "/api/events/wait" and "timeout" not in query:
        # The default is 30s.
        case.query = {**query, "timeout": "50ms"}
        return
    for name in ("wait", "timeout"):
        if SPAN.fullmatch(str(query.get(name, ""))):
            case.query = {**query, name: "50ms"}
