"""Faults that strike the running system; afterwards the audit must hold."""
