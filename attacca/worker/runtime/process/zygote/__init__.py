"""The fork server and what it forks, up to where the agent takes over: standard library only."""
