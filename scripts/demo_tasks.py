"""The coordinated work of scripts/demo: tasks in every status, with their story, leases and messages, as a backup has them.

A restored backup brings times with it, so that the story of a task spans hours. What happens from then on goes by the API.
"""

from datetime import timedelta

PROJECT, OTHER = "Truck-Wash", "Fleet-Map"
MINUTE = 60_000

# number: title, and what differs from a plain task.
TASKS = {
    1: ("Plan the booking release", {"labels": ["plan"], "priority": 1}),
    2: ("Contract for trucks and bookings", {"labels": ["api"], "priority": 1, "after": [1], "review": True}),
    3: ("Table of slots, 20 minutes each", {"labels": ["api"], "needs": ["sql"], "after": [2]}),
    4: ("Truck form with plate check", {"labels": ["ui"], "after": [2]}),
    5: ("Design tokens for the cab screen", {"labels": ["ui"], "after": [1]}),
    6: ("Store the push token of a device", {"labels": ["mobile"], "after": [2]}),
    7: ("Booking form", {"labels": ["ui"], "priority": 1, "after": [8, 9, 10],
                         "body": "The whole form, on the cab screen and on a phone. Done when its three parts are."}),
    8: ("Slot picker with keyboard", {"labels": ["ui"], "priority": 1, "after": [3, 5], "parent": 7,
                                      "body": "A grid of slots for the chosen day.\n\nArrow keys move, Enter picks, Escape closes. "
                                              "Full slots are announced, not only grey.\n\nDone when axe finds nothing and the test "
                                              "`picker_by_keyboard` passes."}),
    9: ("Say which slot is free when one is taken", {"labels": ["ui"], "after": [8, 11], "parent": 7}),
    10: ("Confirmation mail", {"labels": ["api"], "after": [3], "parent": 7, "review": True}),
    11: ("Return 409 when a slot is taken twice", {"labels": ["api"], "needs": ["sql"], "priority": 0, "after": [3],
                                                   "body": "Two drivers book the same slot in the same second: one gets 201, the other 409 "
                                                           "with the time of the next free slot."}),
    12: ("Refund within a day", {"labels": ["payments"], "priority": 1, "after": [2]}),
    13: ("Reconcile refunds with the provider’s report", {"labels": ["payments"], "after": [12]}),
    14: ("Show the driver when the truck is clean", {"labels": ["mobile"], "after": [6]}),
    15: ("Quiet hours for notifications", {"labels": ["mobile"], "assignee": "mobile", "after": [6]}),
    16: ("Import the bookings of the old system", {"labels": ["data"], "needs": ["sql"], "after": [3]}),
    17: ("Load test: 200 bookings a minute", {"labels": ["test"], "priority": 1, "after": [3]}),
    18: ("Retry a refund that timed out", {"labels": ["payments"], "after": [2]}),
    19: ("Live map on the booking page", {"labels": ["ui"], "priority": 4}),
    20: ("Cancel a booking until 2 h before", {"labels": ["api", "ui"], "after": [2], "review": True}),
    21: ("Opening hours on holidays", {"labels": ["data"], "priority": 3}),
    22: ("Accessibility check of the form", {"labels": ["test"], "needs": ["review"], "after": [7]}),
    23: ("Release notes", {"labels": ["plan"], "priority": 3, "after": [7, 12, 22]}),
    24: ("Prices in the contract are integer cents", {"labels": ["api"], "priority": 3}),
}


class Story:
    """A project's tasks with everything that happened to them, told from the past to now."""

    def __init__(self, ids, now):
        self.ids, self.now, self.clock = ids, now, now
        self.tasks, self.notes, self.events, self.leases, self.messages = {}, {}, [], [], []

    def when(self, minutes=0):
        at = self.clock - timedelta(minutes=minutes)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def at(self, minutes_ago):
        """What follows happened so many minutes ago."""
        self.clock = self.now - timedelta(minutes=minutes_ago)

    def event(self, topic, data, by):
        self.events.append({"id": len(self.events) + 1, "topic": topic, "data": data, "source": self.ids.get(by, ""),
                            "created_at": self.when()})

    def tell(self, topic, task, by):
        self.event(f"$task.{topic}", {**{key: task[key] for key in ("project", "number", "title", "status", "assignee", "fence")},
                                      "name": by}, by)

    def create(self, project, number, title, by="controller", **more):
        task = {
            "project": project, "number": number, "title": title, "body": "", "status": "open", "blocked_by": [], "claimable": False,
            "priority": 2, "labels": [], "needs": [], "after": [], "parent": None, "assignee": None, "review": False, "claim": None,
            "fence": 0, "attempts": 0, "max_attempts": 3, "not_before": None, "result": None, "reason": None, "key": None,
            "created_by": by, "created_at": self.when(), "updated_at": self.when(), "version": 1, "revision": 1, "done_by": None,
            "notes": 0, **more,
        }
        self.tasks[project, number] = task
        self.notes[project, number] = []
        self.tell("created", task, by)
        self.settle(task)

    def settle(self, task):
        """Whether it can be claimed, and that it can be from now on."""
        was = task["claimable"]
        blocked = [n for n in task["after"] if self.tasks.get((task["project"], n), {}).get("status") != "done"]
        task["claimable"] = task["status"] == "open" and not blocked and not task["not_before"]
        if task["claimable"] and not was:
            self.tell("ready", task, "")

    def change(self, number, topic, by, note=None, project=PROJECT, **changes):
        task = self.tasks[project, number]
        task.update(changes, version=task["version"] + 1, revision=task["revision"] + 1, updated_at=self.when())
        if task["status"] != "claimed":
            task["claim"] = None
        if note:
            self.notes[project, number].append(
                {"id": task["notes"] + 1, "author": by, "text": note, "created_at": self.when()})
            task["notes"] += 1
        self.tell(topic, task, by)
        self.settle(task)
        for (_, other), dependent in self.tasks.items():
            if dependent["project"] == project and number in dependent["after"] and other != number:
                self.settle(dependent)

    def claim(self, number, by, lease=15, left=None, project=PROJECT):
        """Claims it for `lease` minutes, of which `left` are left now; an agent that works renews it by its calls."""
        fence = self.tasks[project, number]["fence"] + 1
        ends = self.now + timedelta(minutes=lease if left is None else left)
        claim = {"instance_id": self.ids[by], "name": by, "fence": fence, "claimed_at": self.when(),
                 "expires_at": ends.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "lease": lease * MINUTE}
        self.change(number, "claimed", by, project=project, status="claimed", claim=claim, fence=fence)

    def note(self, number, by, text, project=PROJECT):
        self.change(number, "noted", by, note=text, project=project)

    def done(self, number, by, note=None, project=PROJECT, **more):
        task = self.tasks[project, number]
        review = task["review"]
        held = task["claim"]
        by_whom = {"instance_id": held["instance_id"], "name": by} if held else None
        self.change(number, "review" if review else "done", by, note=note, project=project,
                    status="review" if review else "done", done_by=by_whom, **more)

    def approve(self, number, by, note=None):
        self.change(number, "done", by, note=note, status="done")

    def reject(self, number, by, note):
        done_by = self.tasks[PROJECT, number]["done_by"]["name"]
        self.change(number, "rejected", by, note=note, status="open", assignee=done_by, reason=note, done_by=None,
                    fence=self.tasks[PROJECT, number]["fence"] + 1)

    def fail(self, number, by, reason):
        task = self.tasks[PROJECT, number]
        attempts = task["attempts"] + 1
        last = attempts >= task["max_attempts"]
        self.change(number, "failed" if last else "released", by, note=reason, attempts=attempts, reason=reason,
                    status="failed" if last else "open", fence=task["fence"] + 1)

    def expire(self, number):
        task = self.tasks[PROJECT, number]
        reason = f"claim expired: {task['claim']['name']} was silent"
        self.change(number, "expired", "task-monitor", attempts=task["attempts"] + 1, reason=reason, status="open",
                    fence=task["fence"] + 1)

    def lease(self, by, paths, reason, lasts=30, left=None, mode="exclusive", task=None):
        number = len(self.leases) + 1
        ends = self.now + timedelta(minutes=lasts if left is None else left)
        self.leases.append({
            "project": PROJECT, "id": number, "paths": paths, "mode": mode, "name": by, "instance_id": self.ids[by],
            "reason": reason, "task": task, "created_at": self.when(), "lease": lasts * MINUTE,
            "expires_at": ends.isoformat(timespec="milliseconds").replace("+00:00", "Z")})
        self.event("$lease.taken", {"project": PROJECT, "id": number, "paths": paths, "mode": mode, "name": by, "fence": number,
                                    "task": task}, by)

    def send(self, by, to, subject, body, reply_to=None, ack=False, urgent=False, seen=None):
        """A message; `seen` has for each recipient after how many minutes it was shown, read and acknowledged."""
        number = len(self.events) + 1
        first = next((message["thread"] for message in self.messages if message["id"] == reply_to), number)
        seen = {name: (seen or {}).get(name, ()) for name in to}
        stamp = lambda name, step: self.when(-seen[name][step]) if step < len(seen[name]) else None
        address = [f"{PROJECT}/{name}" for name in sorted(seen)]
        common = {"id": number, "thread": first, "from": f"{PROJECT}/{by}", "subject": subject, "ack": ack, "urgent": urgent,
                  "reply_to": reply_to}
        self.messages.append({**common, "to": list(to), "body": body, "created_at": self.when(), "receipts": [
            {"project": PROJECT, "name": name, "stored_at": self.when(), "surfaced_at": stamp(name, 0), "read_at": stamp(name, 1),
             "acked_at": stamp(name, 2)} for name in sorted(seen)]})
        self.event("$message.sent", {**common, "recipients": address}, by)
        for name in sorted(seen):
            if len(seen[name]) > 2:
                self.event("$message.acked", {"id": number, "thread": first, "from": f"{PROJECT}/{by}", "project": PROJECT,
                                              "name": name}, name)
        return number


def coordination(ids, now):
    """The parts of a backup: `events` with their log, `tasks`, `leases`, `messages`."""
    story = Story(ids, now)
    tell(story)
    return {
        "log": {"pruned_user": 0, "pruned_system": 0},
        "events": story.events,
        "tasks": [{"task": task, "notes": story.notes[of]} for of, task in sorted(story.tasks.items())],
        "leases": story.leases,
        "last_leases": [{"project": PROJECT, "last": len(story.leases)}],
        "messages": story.messages,
    }


def tell(story):
    story.at(390)
    story.create(PROJECT, 1, TASKS[1][0], **TASKS[1][1])
    story.claim(1, "controller")
    story.at(372)
    for number in range(2, 25):
        title, more = TASKS[number]
        story.create(PROJECT, number, title, **{"key": f"booking-{number}", **more})
    for number, title in enumerate(["Positions every 30 s", "Cluster trucks that stand together", "Archive of a day"], 1):
        story.create(OTHER, number, title, after=[1] if number == 3 else [])
    story.done(1, "controller", note="The plan is in state Truck-Wash/plan.md.")
    story.send("controller", ["backend", "frontend", "mobile", "payments"], "The booking release",
               "The plan is in `Truck-Wash/plan.md`, the tasks are there. A slot is 20 minutes; money is integer cents. Ask me before you change a contract.",
               ack=True, seen={"backend": (1, 2, 3), "frontend": (2, 2, 4), "mobile": (6, 7, 9), "payments": (3, 5, 5)})
    story.at(366)
    story.claim(2, "backend")
    story.claim(5, "frontend")
    story.at(331)
    story.done(5, "frontend", result={"spec": "Truck-Wash/design-tokens"})
    story.at(322)
    story.note(2, "backend", "`slot` is a date-time with an offset: a driver may cross a border.")
    story.done(2, "backend", note="Both contracts are published; 14 payloads in the tests.", result={"contracts": ["trucks", "bookings"]})
    story.at(315)
    story.reject(2, "reviewer", "DELETE /api/bookings/{id} says nothing about an error. Add it.")
    story.at(313)
    story.claim(2, "backend")
    story.at(304)
    story.done(2, "backend", note="Errors are in.", result={"contracts": ["trucks", "bookings"], "version": 2})
    story.at(301)
    story.approve(2, "reviewer", "Clear now.")
    story.at(299)
    story.claim(3, "backend")
    story.claim(4, "frontend")
    story.claim(6, "mobile")
    story.claim(12, "payments")
    story.at(255)
    story.done(6, "mobile")
    story.done(4, "frontend", result={"tests": 31, "commit": "8c1f20aa41"})
    story.at(252)
    story.claim(20, "frontend")
    story.claim(14, "mobile")
    story.expire(12)
    story.at(241)
    story.done(3, "backend", note="Unique index over (bay, slot).", result={"migration": "0004_slots.sql", "tests": 22})
    story.at(238)
    story.claim(16, "backend")
    story.at(226)
    story.fail(16, "backend", "3 of 1,204 rows have no plate")
    story.at(214)
    story.claim(16, "backend")
    story.at(207)
    story.fail(16, "backend", "3 of 1,204 rows have no plate; the old system has none either")
    story.at(203)
    story.claim(16, "backend")
    story.at(198)
    story.fail(16, "backend", "No plate for 3 bookings: a person has to decide whether to drop them")
    story.at(195)
    story.claim(10, "backend")
    story.change(19, "cancelled", "controller", note="Fleet-Map does this.", status="cancelled", reason="Fleet-Map does this.")
    tomorrow = (story.now + timedelta(hours=15)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    story.change(21, "updated", "controller", not_before=tomorrow)
    story.at(151)
    story.done(10, "backend", note="Sent after the commit; plain text and HTML.", result={"tests": 9, "commit": "1b77e0c2d9"})
    story.at(96)
    story.done(20, "frontend", note="The last two hours show why it cannot be cancelled.", result={"tests": 12})
    question = story.send("frontend", ["backend"], "Slot is gone", "Which status do I get when the slot was taken meanwhile?",
                          ack=True, urgent=True, seen={"backend": (1, 1, 3)})
    story.at(93)
    story.send("backend", ["frontend"], "Re: Slot is gone", "409, with `next_free` in the body. Task 11 has it; I am on it.",
               reply_to=question, seen={"frontend": (0, 2)})
    story.at(92)
    story.claim(8, "frontend")
    story.claim(11, "backend")
    story.lease("frontend", ["web/booking/**"], "slot picker", task=8)
    story.lease("frontend", ["web/theme.css"], "tokens of the picker", mode="shared")
    story.lease("backend", ["internal/slots", "migrations/*.sql"], "409 on a taken slot", task=11)
    story.lease("backend", ["api/openapi.yaml"], "next_free in the error")
    story.at(64)
    story.claim(12, "payments", lease=180, left=116)
    story.claim(18, "payments", lease=60, left=4)
    story.lease("payments", ["internal/refunds/**"], "refunds", lasts=180, left=116, task=12)
    story.at(58)
    story.note(8, "frontend", "Arrow keys and Enter work. Escape loses the day that was chosen; fixing that next.")
    story.note(11, "backend", "The index answers in 0.3 ms. `next_free` needs one more query, still below 1 ms.")
    story.at(41)
    story.lease("mobile", ["app/lib/push", "app/ios/Runner/*.plist"], "the clean-truck push", task=14)
    story.lease("mobile", ["web/theme.css"], "reads the accent colour", mode="shared")
    story.send("controller", ["payments"], "Stop the refund job", "The job of 14 February ran twice. Stop it before you go on with task 12, and say so.",
               ack=True, urgent=True)
    story.at(33)
    story.send("mobile", ["backend"], "POST /api/devices", "Can the token be replaced without a DELETE before? Android changes it often.",
               ack=True, seen={"backend": (2, 4)})
    story.at(27)
    story.claim(1, "mobile", lease=240, project=OTHER)
    story.at(22)
    story.send("backend", ["reviewer"], "Task 10 is ready for review", "Confirmation mail. The template is in `internal/mail`.", seen={"reviewer": (4,)})
    story.send("frontend", ["controller"], "Task 20", "In review. May I take 17 after the picker?", seen={"controller": (1, 2)})
    story.at(9)
    story.note(8, "frontend", "Escape keeps the day now. Left: announce full slots.")
