"""A model on loopback that follows a script, for clients that speak to Anthropic, OpenAI or Gemini.

A script is a function: it is given a Turn and answers a step, in words that no client owns:

    {"shell": line}  {"write": [path, text]}  {"edit": [path, old, new]}  {"say": text}

The tool that a step needs is found among those that the request offers. Nothing is kept of a conversation: the number of the turn
is that of the answers which the request holds already, so a client may retry. Requests are kept, for tests to look at.
"""

import dataclasses
import gzip
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Turn:
    number: int
    """What came since the last answer, as JSON."""
    last: str


@dataclasses.dataclass
class Request:
    wire: str
    body: dict
    """How many assistant's answers it holds; None for a question beside the conversation."""
    turn: int | None

    def text(self):
        return json.dumps(self.body, ensure_ascii=False)


def steps(*listed):
    """A script that is a list."""
    return lambda turn: listed[turn.number] if turn.number < len(listed) else {"say": "nothing is left to do"}


class Model:
    """The model, on a port of its own."""

    def __init__(self, script, directory):
        self.script, self.directory, self.requests = script, directory, []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def seen(self, text):
        """Whether the text reached the model."""
        return any(text in request.text() for request in self.requests)

    def conversation(self):
        """The requests of the conversation itself, without questions beside it."""
        return [request for request in self.requests if request.turn is not None]

    def answer(self, wire, body, number, last, tools):
        offered = list(named(tools))
        request = Request(wire, body, number if offered else None)
        with self.lock:
            self.requests.append(request)
        if not offered:
            return {"say": "a title"}, None
        step = self.script(Turn(number, last))
        return step, None if "say" in step else self.call(step, offered)

    def call(self, step, offered):
        """The tool and the arguments for a step."""
        by_name = {name: (schema, kind, namespace) for name, schema, kind, namespace in offered}
        kind, value = next(iter(step.items()))
        if "exec" in by_name and by_name["exec"][1] == "custom":
            # Codex's "code mode": one tool, which takes JavaScript.
            if kind == "shell":
                code = f"text(await tools.exec_command({json.dumps({'cmd': value})}));"
            else:
                code = f"text(await tools.apply_patch({json.dumps(patch(kind, value))}));"
            return "exec", code, "custom", by_name["exec"][2]
        if kind == "shell":
            names, known = ["Bash", "run_shell_command", "exec_command", "shell_command", "shell", "bash"], {
                "command": value, "cmd": value, "description": "a step"}
        elif kind == "write":
            path = os.path.join(self.directory, value[0])
            names, known = ["Write", "write_file", "write"], {"file_path": path, "filePath": path, "content": value[1]}
        else:
            path = os.path.join(self.directory, value[0])
            names, known = ["Edit", "replace", "edit"], {
                "file_path": path, "filePath": path, "old_string": value[1], "oldString": value[1],
                "new_string": value[2], "newString": value[2], "instruction": "a step"}
        for name in names:
            if name in by_name:
                schema, tool, namespace = by_name[name]
                return name, fitting(schema, known), tool, namespace
        if "apply_patch" in by_name:
            _, tool, namespace = by_name["apply_patch"]
            text = patch(kind, value)
            return "apply_patch", text if tool == "custom" else {"input": text}, tool, namespace
        return self.call({"shell": f"apply_patch <<'EOF'\n{patch(kind, value)}EOF"}, offered)

    def handler(model):
        wires = {"/messages": anthropic, "/responses": responses, "/chat/completions": chat}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.reply({}, 200)

            def do_GET(self):
                self.reply({"object": "list", "data": [{"id": "scripted", "object": "model"}], "models": []},
                           200 if "/models" in self.path else 404)

            def do_POST(self):
                raw = self.body()
                path = self.path.split("?")[0]
                if path.endswith(("count_tokens", ":countTokens")):
                    return self.reply({"input_tokens": len(raw) // 4, "totalTokens": len(raw) // 4})
                wire = next((wire for end, wire in wires.items() if path.endswith(end)), None)
                wire = gemini if "enerateContent" in path else wire
                if wire is None:
                    return self.reply({}, 404)
                body = json.loads(raw)
                whole, events = wire(model, body, len(raw) // 4)
                streams = body.get("stream") or path.endswith(":streamGenerateContent")
                return self.stream(events) if streams else self.reply(whole)

            def body(self):
                if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                    raw = b""
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        raw += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

            def reply(self, value, status=200):
                text = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def stream(self, events):
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for name, data in events:
                    data = data if isinstance(data, str) else json.dumps(data)
                    text = ((f"event: {name}\n" if name else "") + f"data: {data}\n\n").encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
                self.wfile.write(b"0\r\n\r\n")

        return Handler


def named(tools):
    """Name, schema, kind and namespace of each tool, on whatever wire."""
    for tool in tools or []:
        if declared := tool.get("functionDeclarations"):
            for one in declared:
                yield one["name"], one.get("parametersJsonSchema") or one.get("parameters") or {}, "function", None
        elif tool.get("type") == "namespace":
            for one in tool.get("tools", []):
                yield one["name"], one.get("parameters") or {}, one.get("type", "function"), tool["name"]
        elif "function" in tool:
            yield tool["function"]["name"], tool["function"].get("parameters") or {}, "function", None
        else:
            schema = tool.get("input_schema") or tool.get("parameters") or {}
            yield tool.get("name", tool.get("type")), schema, tool.get("type", "function"), None


def fitting(schema, known):
    """Of what is known, the arguments that a tool takes, and something for those it needs besides."""
    properties = schema.get("properties", {})
    arguments = {name: value for name, value in known.items() if name in properties}
    for name in schema.get("required", []):
        if name not in arguments:
            kind = properties.get(name, {}).get("type", "string")
            arguments[name] = {"boolean": False, "integer": 0, "number": 0, "array": [], "object": {}}.get(
                str(kind).lower(), "a step")
    return arguments


def patch(kind, value):
    """A change of a file in the form that Codex's models write."""
    lines = lambda sign, text: "".join(f"{sign}{line}\n" for line in text.splitlines())
    if kind == "write":
        body = f"*** Add File: {value[0]}\n{lines('+', value[1])}"
    else:
        body = f"*** Update File: {value[0]}\n@@\n{lines('-', value[1])}{lines('+', value[2])}"
    return f"*** Begin Patch\n{body}*** End Patch\n"


def since(items, is_answer):
    """How many answers there are, and what came after the last of them."""
    answers = [at for at, item in enumerate(items) if is_answer(item)]
    rest = items[answers[-1] + 1:] if answers else items
    return len(answers), json.dumps(rest, ensure_ascii=False)


def unique(prefix):
    return f"{prefix}_{time.time_ns()}"


def anthropic(model, body, size):
    number, last = since(body["messages"], lambda message: message["role"] == "assistant")
    step, call = model.answer("anthropic", body, number, last, body.get("tools"))
    usage = {"input_tokens": size, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20}
    if call is None:
        block, reason = {"type": "text", "text": step["say"]}, "end_turn"
        empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": step["say"]}
    else:
        block, reason = {"type": "tool_use", "id": unique("toolu"), "name": call[0], "input": call[1]}, "tool_use"
        empty, delta = dict(block, input={}), {"type": "input_json_delta", "partial_json": json.dumps(call[1])}
    message = {"id": unique("msg"), "type": "message", "role": "assistant", "model": body.get("model", "scripted"),
               "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return dict(message, content=[block], stop_reason=reason), [(event["type"], event) for event in events]


def responses(model, body, size):
    items = body["input"] if isinstance(body.get("input"), list) else []
    calls = ("function_call", "custom_tool_call")
    number, last = since(items, lambda item: item.get("type") in calls or item.get("role") == "assistant")
    tools = list(body.get("tools") or [])
    for item in items:
        # Newer models get tools as items of the conversation.
        if item.get("type") in ("additional_tools", "tool_search_output"):
            tools += item.get("tools") or []
    step, call = model.answer("responses", body, number, last, tools)
    if call is None:
        content = [{"type": "output_text", "text": step["say"], "annotations": []}]
        item = {"type": "message", "id": unique("m"), "role": "assistant", "status": "completed", "content": content}
    else:
        name, arguments, kind, namespace = call
        item = {"id": unique("c"), "call_id": unique("call"), "name": name, "status": "completed"}
        if kind == "custom":
            item |= {"type": "custom_tool_call", "input": arguments}
        else:
            item |= {"type": "function_call", "arguments": json.dumps(arguments)}
        if namespace and namespace != "functions":
            item["namespace"] = namespace
    usage = {"input_tokens": size, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 20,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": size + 20}
    whole = {"id": unique("resp"), "object": "response", "status": "completed", "model": body.get("model"),
             "output": [item], "usage": usage}
    begun = dict(whole, status="in_progress", output=[])
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": dict(item, status="in_progress")},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return whole, [(event["type"], event) for event in events]


def chat(model, body, size):
    number, last = since(body["messages"], lambda message: message["role"] == "assistant")
    step, call = model.answer("chat", body, number, last, body.get("tools"))
    if call is None:
        delta, reason = {"role": "assistant", "content": step["say"]}, "stop"
    else:
        function = {"name": call[0], "arguments": json.dumps(call[1])}
        tool = {"index": 0, "id": unique("call"), "type": "function", "function": function}
        delta, reason = {"role": "assistant", "content": None, "tool_calls": [tool]}, "tool_calls"
    base = {"id": unique("chatcmpl"), "object": "chat.completion.chunk", "created": 0, "model": body.get("model")}
    usage = {"prompt_tokens": size, "completion_tokens": 20, "total_tokens": size + 20}
    choice = lambda **more: [dict({"index": 0}, **more)]
    whole = dict(base, object="chat.completion", choices=choice(message=delta, finish_reason=reason), usage=usage)
    return whole, [
        (None, dict(base, choices=choice(delta=delta, finish_reason=None))),
        (None, dict(base, choices=choice(delta={}, finish_reason=reason))),
        (None, dict(base, choices=[], usage=usage)),
        (None, "[DONE]"),
    ]


def gemini(model, body, size):
    contents = body.get("contents", [])
    number, last = since(contents, lambda content: content.get("role") == "model")
    config = body.get("generationConfig", {})
    if config.get("responseMimeType") == "application/json":
        # A classifier beside the conversation wants JSON of its own form.
        schema = config.get("responseJsonSchema") or config.get("responseSchema") or {}
        value = {name: (one.get("enum") or ["a title"])[0] if one.get("type", "").lower() == "string" else 0
                 for name, one in schema.get("properties", {}).items()}
        with model.lock:
            model.requests.append(Request("gemini", body, None))
        step, call = {"say": json.dumps(value)}, None
    else:
        step, call = model.answer("gemini", body, number, last, body.get("tools"))
    part = {"text": step["say"]} if call is None else {"functionCall": {"name": call[0], "args": call[1]}}
    whole = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": size, "candidatesTokenCount": 20, "totalTokenCount": size + 20},
        "modelVersion": "scripted", "responseId": unique("r"),
    }
    return whole, [(None, whole)]

