"""The protocol's official conformance suite, against the product's wiring with the suite's fixtures, and against the product as it is."""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from tests.conformance.product import product
from tests.conformance.serve import conformant

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]
PACKAGES = ["npx", "-y", "-p", "node@22", "-p", "@modelcontextprotocol/conformance@0.2.0-alpha.12"]
REVISIONS = ("2025-11-25", "2026-07-28")
LEAST = {"2025-11-25": 81, "2026-07-28": 194}
"""Checks that pass today: fewer would mean that scenarios are not found any more."""
WITHOUT_FIXTURES = {
    "2025-11-25": {
        "server-initialize",
        "ping",
        "completion-complete",
        "tools-list",
        "server-sse-multiple-streams",
        "resources-list",
        "prompts-list",
        "dns-rebinding-protection",
        "server-session-lifecycle",
    },
    "2026-07-28": {
        "completion-complete",
        "tools-list",
        "server-sse-multiple-streams",
        "resources-list",
        "sep-2164-resource-not-found",
        "prompts-list",
        "dns-rebinding-protection",
        "caching",
        "input-required-result-unsupported-methods",
        "http-header-validation",
    },
}


async def run(*command: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=STDOUT)
    try:
        printed, _ = await asyncio.wait_for(process.communicate(b""), 360)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, printed.decode()


@pytest.fixture(scope="module")
async def suite() -> tuple[str, ...]:
    """Node and the suite's program, which npx fetches once. Skips where they cannot be had."""
    if shutil.which("npx") is None:
        pytest.skip("the MCP conformance suite was NOT run: it needs Node.js (npx)")
    code, printed = await run(*PACKAGES, "-c", "command -v node && command -v conformance")
    found = tuple(line for line in printed.splitlines() if line.startswith("/"))  # beside what npm has to say
    if code != 0 or len(found) != 2:
        pytest.skip(f"the MCP conformance suite was NOT run: it could not be fetched ({printed.strip()[-120:]})")
    return found


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_suite_passes_on_the_products_wiring(suite: tuple[str, ...], tmp_path: Path, revision: str) -> None:
    async with conformant(tmp_path) as url:
        code, printed = await run(
            *suite, "server", "--url", url, "--requirements", revision, "--output-dir", str(tmp_path / "out")
        )
    assert code == 0, printed
    assert "✗" not in printed, printed
    total = re.search(r"Total: (\d+) passed, 0 failed", printed)
    assert total is not None, printed
    assert int(total[1]) >= LEAST[revision]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_what_needs_no_fixtures_passes_on_the_product_itself(
    suite: tuple[str, ...], tmp_path: Path, revision: str
) -> None:
    async with product(tmp_path) as url:
        _, printed = await run(
            *suite, "server", "--url", url, "--requirements", revision, "--output-dir", str(tmp_path / "out")
        )
    passed = {
        name for name, failed in re.findall(r"✓ ([\w-]+): [1-9]\d* passed, (\d+) failed", printed) if failed == "0"
    }
    assert passed >= WITHOUT_FIXTURES[revision], printed
