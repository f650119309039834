"""What a person does in a session that gives a conversation another shape."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable

from support.conversations import PNG, Stage
from support.person import Person
from support.terminal import WAIT_SECONDS


def refuse(person: Person) -> None:
    person.say("do:ask first")
    person.terminal.wait_for("Do you want")
    person.interrupt()


def refuse_one_of_two(person: Person) -> None:
    person.say("do:asktwo first")
    person.terminal.wait_for("Do you want")
    person.interrupt()


def answer_no(person: Person) -> None:
    """The last choice of a question, which does not end the turn in every version."""
    person.say("do:ask first")
    screen = person.terminal.wait_for("Do you want")
    number = max(int(line.split(".")[0].strip(" ❯")) for line in screen.splitlines() if ". No" in line)
    before = person.stage.requests()
    person.terminal.keys(str(number))
    ended = person.shows("nterrupted")
    person.press("Enter", lambda: ended() or person.stage.requests() > before)


def allow(person: Person) -> None:
    person.say("do:ask first")
    person.terminal.wait_for("Do you want")
    person.press("Enter", person.shows(f"reply {person.stage.requests() + 1}."))


def type_meanwhile(person: Person) -> None:
    person.hold("do:holdtool first")
    person.type("do:ok second")
    person.stage.go_on.set()
    person.finish("do:ok second")


def resume(person: Person) -> None:
    person.ask("do:many first")
    person.leave()
    person.start("--continue")


def crash_at_a_question(person: Person) -> None:
    person.say("do:ask first")
    person.terminal.wait_for("Do you want")
    person.crash()
    person.start("--continue")


def crash_in_a_tool(person: Person) -> None:
    person.say("do:endless first")
    person.until(person.runs_tool)
    person.crash()
    person.start("--continue")


def crash_in_an_answer(person: Person) -> None:
    person.hold("do:hold first")
    person.crash()
    person.start("--continue")


def shell_line(person: Person) -> None:
    person.terminal.press_until("!", "! for")
    person.terminal.keys("-l", "ls")
    person.terminal.keys("Enter")
    person.terminal.wait_for("p.png")


def compact(person: Person) -> None:
    person.ask("do:many first")
    person.say("/compact")
    person.terminal.wait_for("ompacted")


def stop(prompt: str) -> Callable[[Person], None]:
    def during(person: Person) -> None:
        person.hold(prompt)
        person.interrupt()

    return during


def stop_a_tool(person: Person) -> None:
    person.say("do:endless first")
    person.until(person.runs_tool)
    person.press("Escape", lambda: not person.runs_tool())


def asks(*prompts: str, then: tuple[str, ...] = ()) -> Callable[[Person], None]:
    def all_of_them(person: Person) -> None:
        for prompt in prompts:
            person.say(prompt)
            person.finish(*then)

    return all_of_them


SITUATIONS: dict[str, Callable[[Person], None]] = {
    "answers with thinking": asks("do:think first"),
    "tools in parallel, an error, a picture": asks("do:many first"),
    "wrong calls": asks("do:invalid first"),
    "a PDF file": asks("do:pdf first"),
    "a file in the prompt": asks("do:ok first @note.txt "),
    "a picture in the prompt": asks("do:ok first @p.png "),
    "a subagent": asks("do:agent first"),
    "a subagent in the background": asks("do:later first", then=("task-notification",)),
    "a command in the background": asks("do:shell first", then=("task-notification",)),
    "a question allowed": allow,
    "Esc at a question": refuse,
    "Esc at two questions": refuse_one_of_two,
    "No at a question": answer_no,
    "Esc while a tool runs": stop_a_tool,
    "a thought and no answer": asks("do:thought first"),
    "Esc in an answer": stop("do:hold first"),
    "Esc in an answer with a call": stop("do:holdtool first"),
    "a prompt typed while it works": type_meanwhile,
    "a shell line": shell_line,
    "compacted": compact,
    "resumed": resume,
    "killed at a question": crash_at_a_question,
    "killed while a tool runs": crash_in_a_tool,
    "killed in an answer": crash_in_an_answer,
}
"""Each is followed by two prompts, so that what it leaves in the conversation is sent, with a tool after it."""


def play(name: str, person: Person) -> None:
    """Does it in a new conversation, then asks twice more."""
    SITUATIONS[name](person)
    person.ask("do:read second")
    person.ask("do:ok third")
    person.clear()


def headless(stage: Stage) -> None:
    """`claude -p` with a picture, a call that no one is there to allow, and the same conversation continued."""
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "do:ask first"}]
    line = json.dumps({"type": "user", "message": {"role": "user", "content": content}})
    form = ["--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    for options, text in (([*form], line), (["--continue"], "do:read second")):
        subprocess.run(
            [*stage.argv, "-p", *options],
            input=text,
            env=stage.environment,
            cwd=stage.workspace,
            text=True,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=WAIT_SECONDS,
        )
