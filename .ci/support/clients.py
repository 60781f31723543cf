"""Real clients of agents with Koor's hooks, each in a clean environment with a home of its own, driven by a scripted model.

What is looked at: the requests that reach the model, what Koor knows, and the files on disk.
Usage: clients.py <koor> <directory with node_modules> [scenario]...
"""

import functools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from scripted_model import Model, steps
from server import Koor

PROJECT = "Clients"
PATIENCE = 120


class Clients:
    """Where the programs are, and the server that all agents share."""

    def __init__(self, koor, programs, base):
        modules = programs / "node_modules"
        self.koor, self.base, self.directory = koor, base, programs
        self.node = modules / ".bin"
        self.programs = {
            "claude-code": [str(self.node / "claude")],
            "codex": [str(self.node / "codex")],
            "gemini": [str(self.node / "node"), str(modules / "@google/gemini-cli/bundle/gemini.js")],
            "opencode": [str(modules / "opencode-linux-x64/bin/opencode")],
            "kilo": [str(modules / "@kilocode/cli-linux-x64/bin/kilo")],
        }
        # The last two are driven where they are installed: `just clients all`.
        self.programs = {name: words for name, words in self.programs.items() if os.path.exists(words[-1])}
        packages = {"claude-code": "@anthropic-ai/claude-code", "codex": "@openai/codex", "gemini": "@google/gemini-cli",
                    "opencode": "opencode-ai", "kilo": "@kilocode/cli"}
        self.versions = {
            name: json.loads((modules / packages[name] / "package.json").read_text())["version"] for name in self.programs
        }

    def tokens(self, texts):
        """How many tokens each text has."""
        ran = subprocess.run([str(self.node / "node"), str(self.directory / "tokens.mjs")], input=json.dumps(texts),
                             capture_output=True, text=True, timeout=PATIENCE, check=True)
        return json.loads(ran.stdout)


class Ended:
    """How a client has ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Agent:
    """An agent: a clone of the project's repository, a client with a home of its own, and Koor's hooks in it."""

    def __init__(self, clients, server, client, name, policy="", hooks=True, project=PROJECT):
        self.clients, self.server, self.client, self.name = clients, server, client, name
        self.telemetry = ""
        self.home = clients.base / f"home-{project}-{name}"
        self.directory = clients.base / f"work-{project}-{name}"
        self.home.mkdir()
        (self.home / "tmp").mkdir()
        self.directory.mkdir()
        self.shell("git init -q . && git config user.email agent@example.com && git config user.name agent "
                   "&& printf 'settings.json\\n.koor\\n.claude\\n.codex\\n.gemini\\nopencode.json\\nkilo.json\\n' >> .git/info/exclude "
                   "&& printf 'line one\\n' > shared.txt && git add shared.txt && git commit -q -m begin")
        self.koor("register", name, "--workspace", project)
        if hooks:
            words = ["--policy", policy] if policy else []
            self.koor("hooks", "install", client, *words)

    def environment(self, **more):
        path = f"{self.clients.node}:{self.clients.koor.parent}:/usr/local/bin:/usr/bin:/bin"
        return {
            "PATH": path, "HOME": str(self.home), "TMPDIR": str(self.home / "tmp"), "LANG": "C.UTF-8", "TERM": "dumb",
            "NO_PROXY": "*", "no_proxy": "*", "KOOR_SERVER": self.server.url, **more,
        }

    def koor(self, *words, must=True):
        """What a command prints, typed in the agent's directory."""
        ran = subprocess.run([str(self.clients.koor), *words], cwd=self.directory, env=self.environment(),
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
        assert not must or ran.returncode == 0, f"koor {words}: {ran.returncode} {ran.stdout} {ran.stderr}"
        return ran.stdout

    def shell(self, line):
        ran = subprocess.run(["bash", "-c", line], cwd=self.directory, env=self.environment(), capture_output=True,
                             text=True, timeout=PATIENCE)
        assert ran.returncode == 0, f"{line}: {ran.returncode} {ran.stdout} {ran.stderr}"
        return ran.stdout

    def read(self, name):
        path = self.directory / name
        return path.read_text() if path.exists() else None

    def instance(self):
        return json.loads((self.directory / "settings.json").read_text())["instance_id"]

    def run(self, script, prompt="do your work", resume=False):
        """Runs the client with a prompt until it ends. Answers the model that it spoke to."""
        with Model(script, self.directory) as model:
            line, more = getattr(self, self.client.replace("-", "_"))(model.url, prompt, resume)
            ran = subprocess.run(line, cwd=self.directory, env=self.environment(**more), stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=PATIENCE)
        model.ended = Ended(ran.returncode, ran.stdout, ran.stderr)
        assert ran.returncode == 0, f"{self.client}: {ran.returncode}\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        assert model.conversation(), f"{self.client} has asked the model nothing:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"
        return model

    def claude_code(self, url, prompt, resume):
        line = [*self.clients.programs["claude-code"], "-p", prompt, "--output-format", "stream-json", "--verbose",
                "--dangerously-skip-permissions", *(["--continue"] if resume else [])]
        return line, {
            "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", "IS_SANDBOX": "1", "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def codex(self, url, prompt, resume):
        settings = self.home / ".codex/config.toml"
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(f"""
model = "gpt-6.1-sol"
model_provider = "scripted"
allow_login_shell = false
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[analytics]
enabled = false
[projects."{self.directory}"]
trust_level = "trusted"
[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
{self.telemetry}
""")
        words = ["resume", "--last", prompt] if resume else [prompt]
        # A person trusts hooks by /hooks; here is none.
        line = [*self.clients.programs["codex"], "exec", "--json", "--dangerously-bypass-hook-trust", *words]
        return line, {"SCRIPTED_KEY": "none"}

    def gemini(self, url, prompt, resume):
        settings = self.home / ".gemini/settings.json"
        settings.parent.mkdir(exist_ok=True)
        merged = json.loads(settings.read_text()) if settings.exists() else {}
        merged |= {
            "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "privacy": {"usageStatisticsEnabled": False},
        }
        settings.write_text(json.dumps(merged, indent=2))
        line = [*self.clients.programs["gemini"], "-m", "gemini-2.5-pro", "--yolo", "-o", "stream-json", "-p", prompt,
                *(["--resume", "latest"] if resume else [])]
        return line, {"GEMINI_API_KEY": "none", "GOOGLE_GEMINI_BASE_URL": url}

    def opencode(self, url, prompt, resume):
        return self.fork_of_opencode("opencode", "opencode.json", url, prompt, resume)

    def kilo(self, url, prompt, resume):
        return self.fork_of_opencode("kilo", "kilo.json", url, prompt, resume)

    def fork_of_opencode(self, name, settings, url, prompt, resume):
        models = {"scripted": {"name": "scripted", "tool_call": True, "limit": {"context": 200000, "output": 8000}}}
        options = {"baseURL": f"{url}/v1", "apiKey": "none"}
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "scripted", "options": options, "models": models}
        (self.directory / settings).write_text(json.dumps({
            "autoupdate": False, "share": "disabled", "model": "scripted/scripted", "small_model": "scripted/scripted",
            "provider": {"scripted": provider}, "permission": {"*": "allow"}, "snapshot": False,
        }))
        variables = ["DISABLE_AUTOUPDATE", "DISABLE_MODELS_FETCH", "DISABLE_LSP_DOWNLOAD", "DISABLE_DEFAULT_PLUGINS"]
        line = [*self.clients.programs[name], "run", *(["--auto"] if name == "kilo" else []),
                *(["--continue"] if resume else []), "--format", "json", prompt]
        return line, {
            **{f"{name.upper()}_{variable}": "1" for variable in variables},
            "KILO_TELEMETRY_LEVEL": "off", "npm_config_fetch_retries": "0",
        }


def worker(turn):
    """Does tasks as long as it is told that there are some."""
    if turn.number == 0 or "run `koor next`" in turn.last:
        return {"shell": "koor next"}
    if "then: koor done" in turn.last:
        return {"shell": "koor done --note finished"}
    return {"say": "That was it."}


def at_once(*calls):
    """Runs functions at the same time, and answers what they answer."""
    results, threads = [None] * len(calls), []

    def keep(at, call):
        try:
            results[at] = call()
        except BaseException as error:
            results[at] = error

    for at, call in enumerate(calls):
        threads.append(threading.Thread(target=keep, args=(at, call)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def tasks(server, project):
    return server.must("GET", f"/api/tasks/{project}")


def shares_a_queue(clients, server, first, second):
    """(a) Two different clients share six tasks without a double, and finish them."""
    project = f"Queue-{first}-{second}"
    one = Agent(clients, server, first, "one", "work", project=project)
    two = Agent(clients, server, second, "two", "work", project=project)
    for number in range(6):
        one.koor("task", "add", f"Task {number}")
    at_once(lambda: one.run(worker), lambda: two.run(worker))
    done = tasks(server, project)
    assert [task["status"] for task in done] == ["done"] * 6, done
    claimed = [event["data"] for event in events(server, "$task.claimed") if event["data"]["project"] == project]
    assert sorted(event["number"] for event in claimed) == [1, 2, 3, 4, 5, 6], claimed
    return {name: sum(event["name"] == name for event in claimed) for name in ["one", "two"]}


def events(server, topic):
    answer = server.must("GET", f"/api/events/history?topic={topic}&last=1000")
    return answer["events"] if isinstance(answer, dict) else answer


def is_refused_what_another_holds(clients, server, client):
    """(b) An edit of a file that another agent holds is refused; the model sees why, and edits after the release."""
    project = f"Held-{client}"
    agent = Agent(clients, server, client, "one", project=project)
    other = Agent(clients, server, client, "two", hooks=False, project=project)
    other.koor("lease", "take", "shared.txt", "--reason", "my refactoring")
    edit = {"edit": ["shared.txt", "line one", "line one, edited"]}
    model = agent.run(steps(edit, {"say": "It is held."}))
    reason = 'is held by \\"two\\" for \\"my refactoring\\" until'
    assert any(reason.replace("\\", "\\" * depth) in request.text() for request in model.conversation()
               for depth in (1, 3)), model.conversation()[-1].text()[-3000:]
    assert agent.read("shared.txt") == "line one\n", "the file was edited"
    other.koor("lease", "release")
    agent.run(steps(edit, {"say": "Done."}))
    assert agent.read("shared.txt") == "line one, edited\n"


def goes_on_with_a_waiting_task(clients, server, client):
    """(c) An agent that stops while a task is ready goes on."""
    project = f"Stop-{client}"
    agent = Agent(clients, server, client, "one", "work", project=project)
    agent.koor("task", "add", "Write it")
    model = agent.run(lambda turn: {"say": "I stop."} if turn.number == 0 else worker(turn))
    assert model.seen("A task is ready: run `koor next`")
    assert [task["status"] for task in tasks(server, project)] == ["done"]


def hears_a_message_on_the_next_turn(clients, server, client):
    """(d) A message that was sent while the agent was idle reaches the model on its next turn; receipts say how far it came."""
    project = f"Mail-{client}"
    agent = Agent(clients, server, client, "one", project=project)
    other = Agent(clients, server, client, "two", hooks=False, project=project)
    agent.run(steps({"say": "Nothing to do."}))
    sent = json.loads(other.koor("msg", "send", "one", "--subject", "The API has moved", "--body", "To /v2.", "--ack"))
    receipt = lambda: json.loads(other.koor("msg", "sent"))[0]
    path = f"/api/messages/{sent['id']}"
    before = server.must("GET", path)["receipts"][0]
    assert before["surfaced_at"] is None, before
    number = sent["id"]
    model = agent.run(steps({"shell": f"koor msg read {number}"}, {"shell": f"koor msg ack {number}"}, {"say": "Read."}))
    assert model.seen("The API has moved"), model.conversation()[0].text()[-3000:]
    after = server.must("GET", path)["receipts"][0]
    times = [after[step] for step in ["stored_at", "surfaced_at", "read_at", "acked_at"]]
    assert all(times) and times == sorted(times), after
    return receipt()["id"]


def hears_of_a_broken_rule(clients, server, client):
    """(e) A violation comes back to the model as context, beside the result of the tool."""
    project = f"Rule-{client}"
    agent = Agent(clients, server, client, "one", project=project)
    rule = {"rule_id": "no-todo", "pattern": "TODO", "severity": "error", "message": "finish it instead"}
    server.must("PUT", f"/api/validate/{project}/rules", [rule])
    model = agent.run(steps({"write": ["made.rs", "// TODO\n"]}, {"say": "Written."}))
    assert agent.read("made.rs") == "// TODO\n"
    assert model.seen("finish it instead"), model.conversation()[-1].text()[-3000:]


def works_on_without_a_server(clients, server, client):
    """(f) With the server gone, the agent works on and is told once; the guard before a commit does what its policy says."""
    with Koor(clients.koor) as own:
        agent = Agent(clients, own, client, "one", project="Away")
        agent.koor("hooks", "install", "git")
    model = agent.run(steps({"write": ["a.txt", "a\n"]}, {"write": ["b.txt", "b\n"]},
                            {"shell": "git add a.txt && git commit -q -m unchecked"}, {"say": "Done."}))
    assert (agent.read("a.txt"), agent.read("b.txt")) == ("a\n", "b\n")
    told = model.conversation()[-1].text().count("Koor could not check this")
    # The guard says it to the model, too: by what git prints.
    printed = model.conversation()[-1].text().count("The commit goes on, unchecked")
    assert (told - printed, printed) == (1, int(client in RUN_GIT_HOOKS)), (told, printed)
    assert agent.shell("git log --format=%s").startswith("unchecked")
    agent.koor("hooks", "install", *(["git"] if client in RUN_GIT_HOOKS else [client]), "--policy", "strict")
    model = agent.run(steps({"shell": "git add b.txt && git commit -q -m strict; true"}, {"say": "Refused."}))
    assert model.seen("the guard is strict" if client in RUN_GIT_HOOKS else "The policy of this project is strict")
    assert "strict" not in agent.shell("git log --format=%s")


def is_refused_at_the_commit(clients, server, client):
    """(g) A file that another agent holds, written through the shell behind the words of the command, is refused at the commit."""
    project = f"Shell-{client}"
    agent = Agent(clients, server, client, "one", project=project)
    agent.koor("hooks", "install", "git")
    other = Agent(clients, server, client, "two", hooks=False, project=project)
    other.koor("lease", "take", "shared.txt")
    line = "python3 -c \"open('shared.txt', 'w').write('by the shell')\""
    # The second commit is behind the words of a script, where only git's own hook sees it.
    behind = [{"shell": "git commit -q -a -m stolen; true"}]
    if client in RUN_GIT_HOOKS:
        behind.append({"shell": "printf 'git commit -q -a -m stolen' > /tmp/$$.sh; sh /tmp/$$.sh; rm /tmp/$$.sh"})
    model = agent.run(steps({"shell": line}, *behind, {"say": "Refused."}))
    assert agent.read("shared.txt") == "by the shell"
    assert model.seen("the command changed a file that another agent holds"), model.conversation()[1].text()[-3000:]
    assert model.seen("The commit is refused"), model.conversation()[-1].text()[-3000:]
    assert client not in RUN_GIT_HOOKS or model.seen("the commit is refused"), model.conversation()[-1].text()[-3000:]
    assert agent.shell("git log --format=%s") == "begin\n"


def content(request):
    """What a request says, without the definitions of tools."""
    body = {name: value for name, value in request.body.items() if name not in ("tools", "toolConfig")}
    return json.dumps(body, ensure_ascii=False)


def costs(clients, server, client):
    """Tokens of one cycle (take a task, report it done) beyond a session that does the same number of steps without Koor."""
    project = f"Cost-{client}"
    bare = Agent(clients, server, client, "bare", hooks=False, project=project)
    (bare.directory / "settings.json").unlink()
    plain = bare.run(steps({"shell": "true"}, {"shell": "true"}, {"say": "Done."}))
    hooked = Agent(clients, server, client, "hooked", "work", project=project)
    hooked.koor("skill", "install")
    hooked.koor("task", "add", "Write the page")
    with_hooks = hooked.run(steps({"shell": "koor next"}, {"shell": "koor done --note 'the page is there'"}, {"say": "Done."}))
    assert [task["status"] for task in tasks(server, project)] == ["done"]
    told = instructed(clients, server, client)
    slug = f"Told-{client}"
    by_hand = told.run(steps(
        {"shell": "./koor-cli activate"},
        {"shell": f"./koor-cli state get {slug}/told-task; ./koor-cli events history --last 1 --topic {slug.lower()}.told.done"},
        {"shell": f"""./koor-cli events publish {slug.lower()}.told.done --data '{{"task": 1, "summary": "the page is there"}}'"""},
        {"shell": f"./koor-cli events wait '{slug.lower()}.controller.told.*' --since 0 --timeout 1s; true"},
        {"say": "Done."}))
    runs = {"plain": plain, "hooks": with_hooks, "instructions": by_hand}
    sums = {name: sum(clients.tokens([content(one) for one in run.conversation()])) for name, run in runs.items()}
    last = dict(zip(runs, clients.tokens([content(run.conversation()[-1]) for run in runs.values()])))
    return {"sent in all requests": sums, "in the last one": last}


def instructed(clients, server, client):
    """An agent with the workspace of `koor init`: its instructions are in AGENTS.md."""
    agent = Agent(clients, server, client, "told", hooks=False, project=f"Told-{client}")
    agent.shell("rm settings.json")
    agent.koor("init", "--project", f"Told-{client}", "--agent", "told:generic", "--server", server.url, "--dir", ".", "--yes")
    agent.directory = agent.directory / f"told-{client}-told"
    shutil.rmtree(agent.directory / ".agents")
    shutil.rmtree(agent.directory / ".claude")
    task = {"id": 1, "title": "Write the page", "details": "", "done_when": ""}
    agent.koor("state", "set", f"Told-{client}/told-task", "--data", json.dumps(task))
    return agent


def packages_are_valid(clients):
    """The packages in packaging/, as the clients' own validators see them."""
    packaging = pathlib.Path(__file__).resolve().parents[2] / "packaging"
    home = clients.base / "home-packages"
    home.mkdir()
    environment = {"PATH": f"{clients.node}:/usr/bin:/bin", "HOME": str(home), "GEMINI_API_KEY": "none"}
    claude, gemini = clients.programs["claude-code"], clients.programs["gemini"]
    for line, says in [
        ([*claude, "plugin", "validate", str(packaging / "claude-plugin")], "Validation passed"),
        ([*claude, "plugin", "validate", str(packaging / "claude-plugin/koor")], "Validation passed"),
        ([*gemini, "extensions", "validate", str(packaging / "gemini-extension")], "successfully validated"),
        ([str(clients.node / "mcpb"), "validate", str(packaging / "mcpb/manifest.json")], "validation passes"),
    ]:
        ran = subprocess.run(line, env=environment, cwd=home, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 0 and says in ran.stdout + ran.stderr, f"{line}: {ran.stdout} {ran.stderr}"


def reports_what_it_costs(clients, server, client):
    """What the model has answered shows at this agent, in its project and, once it has a task, for that task."""
    project = f"Paid-{client}"
    agent = Agent(clients, server, client, "payer", project=project)
    if client == "codex":
        # It reads no settings of a project for this.
        agent.telemetry = agent.koor("mcp", "config", client, "--telemetry")
    else:
        agent.koor("mcp", "config", client, "--telemetry", "--write")
    agent.koor("task", "add", "Write the page")
    assert "no usage of this agent has arrived" in agent.koor("doctor", must=False)
    run = agent.run(steps({"shell": "koor next"}, {"shell": "true"}, {"say": "Done."}))
    answered = len(run.conversation())
    until = time.monotonic() + PATIENCE
    records = []
    while len(records) < answered and time.monotonic() < until:
        records = server.must("GET", f"/api/llm/usage?instance={agent.instance()}&limit=1000")
        time.sleep(0.2)
    assert len(records) >= answered, f"{len(records)} records of {answered} answers: {records}"
    assert all(record["project"] == project and record["tokens_out"] > 0 for record in records), records
    # The first answer was there before the task.
    tasks_of = [record["task"] for record in reversed(records)]
    assert tasks_of[0] == "" and set(tasks_of[1:]) == {f"{project}/1"}, tasks_of
    assert "usage of this agent has arrived" in agent.koor("doctor", must=False)
    return f"{len(records)} answers, {sum(record['tokens_in'] for record in records)} tokens in"


EACH = [is_refused_what_another_holds, goes_on_with_a_waiting_task, hears_a_message_on_the_next_turn,
        hears_of_a_broken_rule, works_on_without_a_server, is_refused_at_the_commit]
# Gemini CLI keeps git from running hooks (it sets core.hooksPath): there, the client's own hook is the guard.
RUN_GIT_HOOKS = ["claude-code", "codex", "opencode", "kilo"]
# Those that read AGENTS.md by themselves.
COSTS = ["claude-code", "codex"]
# Those that report what their models cost by settings alone.
REPORT = ["claude-code", "codex", "gemini"]
PAIRS = [("claude-code", "codex"), ("codex", "gemini")]


def main():
    koor, programs, wanted = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    with tempfile.TemporaryDirectory(prefix="koor-clients-") as base, Koor(koor) as server:
        clients = Clients(koor, programs, pathlib.Path(base).resolve())
        names = list(clients.programs)
        runs = [(f"{one.__name__} {client}", functools.partial(one, clients, server, client))
                for one in EACH for client in names]
        runs += [(f"{shares_a_queue.__name__} {first} {second}",
                  functools.partial(shares_a_queue, clients, server, first, second)) for first, second in PAIRS]
        runs += [(f"{reports_what_it_costs.__name__} {client}",
                  functools.partial(reports_what_it_costs, clients, server, client)) for client in REPORT]
        runs += [(f"{costs.__name__} {client}", functools.partial(costs, clients, server, client)) for client in COSTS]
        runs.append((packages_are_valid.__name__, functools.partial(packages_are_valid, clients)))
        print("versions: " + ", ".join(f"{name} {version}" for name, version in clients.versions.items()))
        for title, run in runs:
            if wanted and not any(word in title for word in wanted):
                continue
            begun = time.monotonic()
            found = run()
            print(f"  ok {title} ({time.monotonic() - begun:.1f} s)" + (f": {found}" if found else ""), flush=True)
            for directory in clients.base.iterdir():
                shutil.rmtree(directory)


if __name__ == "__main__":
    os.umask(0o022)
    main()
