"""The files around the code agree with it: license, version, changelog, workflow, issue forms, hooks."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from claude_local import __version__

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").iterdir())
FORMS = sorted(file for file in (GITHUB / "ISSUE_TEMPLATE").iterdir() if file.name != "config.yml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PINNED = re.compile(r"[\w-]+/[\w./-]+@(v\d+|[0-9a-f]{40})")
"""An action at a major version or at a commit."""


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema, which contains its schemas, says of these files."""
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def read_yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def steps_of(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in read_yaml(workflow)["jobs"].values() for step in job["steps"]]


# ---- License and version


def test_pyproject_names_the_license_that_is_there() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")

    assert text.startswith("MIT License\n\nCopyright (c) 2026 The claude-local authors\n")
    assert PROJECT["license"] == "MIT"
    assert PROJECT["license-files"] == ["LICENSE"]


def test_there_is_one_version_number() -> None:
    argv = [sys.executable, "-m", "invoke", "version"]
    printed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert PROJECT["version"] == __version__
    assert printed == f"claude-local {__version__}\n"


def test_the_changelog_begins_with_unreleased_and_then_has_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    headings = re.findall(r"^## \[([^]]+)\](.*)$", text, re.MULTILINE)

    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == __version__
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", headings[1][1])


# ---- Workflow


def test_every_workflow_follows_its_schema_and_has_timeouts() -> None:
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        done = check(schema, *WORKFLOWS)

        assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_of_workflows_refuses_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "ci.yml"
    broken.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "run-on:"))

    assert check("vendor.github-workflows", broken).returncode == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_only_read_and_pins_its_actions(workflow: Path) -> None:
    actions = [step["uses"] for step in steps_of(workflow) if "uses" in step]

    assert read_yaml(workflow)["permissions"] == {"contents": "read"}
    assert actions
    assert [action for action in actions if not PINNED.fullmatch(action)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_starts_programs_of_this_repository_that_are_there(workflow: Path) -> None:
    lines = [line for step in steps_of(workflow) for line in step.get("run", "").splitlines()]
    ours = [line.split()[0] for line in lines if re.match(r"\.?\w+/", line)]

    assert ours
    assert [program for program in ours if not os.access(ROOT / program, os.X_OK)] == []


def test_what_runs_in_the_container_is_what_continuous_integration_runs() -> None:
    script = (ROOT / ".ci" / "in-container").read_text(encoding="utf-8")

    assert re.findall(r'exec "\$COPY/(.+)"', script) == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# ---- Issue forms


def test_every_issue_form_follows_its_schema() -> None:
    done = check("vendor.github-issue-forms", *FORMS)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_of_issue_forms_refuses_a_misspelt_key(tmp_path: Path) -> None:
    broken = tmp_path / "bug.yml"
    broken.write_text(FORMS[0].read_text(encoding="utf-8").replace("validations:", "validation:"))

    assert check("vendor.github-issue-forms", broken).returncode == 1


def test_the_choice_of_issue_forms_follows_its_schema() -> None:
    done = check("vendor.github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("form", FORMS, ids=lambda file: file.name)
def test_no_choice_of_an_issue_form_is_read_as_a_boolean(form: Path) -> None:
    """YAML reads a bare `off` as false, and GitHub refuses the form."""
    choices = [choice for part in read_yaml(form)["body"] for choice in part["attributes"].get("options", [])]

    assert choices
    assert [choice for choice in choices if not isinstance(choice, str)] == []


# ---- Hooks and links


def test_every_hook_uses_a_module_and_files_that_are_there() -> None:
    hooks = [hook for repo in read_yaml(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    entries = [hook["entry"].split() for hook in hooks]

    modules = [words[words.index("-m") + 1] for words in entries if "-m" in words]
    files = [word for words in entries for word in words if word.startswith("tests/")]

    assert {"ruff", "mypy", "pytest"} == set(modules)
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_program_and_file_that_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/])(?:tests/[\w/]+\.py|scripts/[\w/.]+|\.ci/[\w-]+)", text))

    assert {"scripts/test", ".ci/in-container", "tests/support/refresh_golden.py"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
