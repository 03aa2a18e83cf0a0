"""The local stack: everything `overround run` starts on one machine, each part a real one."""
