"""How it is launched: the console command, the local stack, the edge, the simulator, the pages."""
