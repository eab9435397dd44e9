"""Prints the requirements of the integrations that a test's Home Assistant loads. For scripts/homeassistant.mjs --renew."""

import json
import sys
from pathlib import Path

import homeassistant
from homeassistant.bootstrap import CORE_INTEGRATIONS, DEFAULT_INTEGRATIONS

COMPONENTS = Path(homeassistant.__file__).parent / "components"

# Beside what Home Assistant loads on its own account.
WANTED = {"api", "blueprint", "config", "history", "history_stats", "http", "logbook", "mobile_app", "mqtt", "recorder", "sun", "template"}
# Imported by default integrations that do not name them: analytics, http, camera.
IMPORTED = {"hassio": "aiohasupervisor", "isal": "isal", "stream": "numpy"}


def manifest(domain):
    return json.loads((COMPONENTS / domain / "manifest.json").read_text())


def closure(domains):
    seen = {}
    todo = list(domains)
    while todo:
        domain = todo.pop()
        if domain not in seen:
            seen[domain] = manifest(domain)
            todo += seen[domain].get("dependencies", [])
    return seen


ALSO = set(sys.argv[1:])  # Loaded too, although nobody names them.

requirements = {
    requirement
    for found in closure(WANTED | CORE_INTEGRATIONS | DEFAULT_INTEGRATIONS | ALSO).values()
    for requirement in found.get("requirements", [])
}
for domain, package in IMPORTED.items():
    requirements |= {found for found in manifest(domain)["requirements"] if found.startswith(f"{package}==")}
print("\n".join(sorted(requirements)))
