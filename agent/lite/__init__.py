"""The lite engine: plays a playbook in a context of the shared warm Chromium, and proves the result."""
