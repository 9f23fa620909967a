"""The imperative shell: gather, decide, perform, report."""
