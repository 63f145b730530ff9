"""The entry points, one file a command: they read flags, compose a process, and turn errors into sentences."""

from securechat.cli.process import end_quietly_while_importing

end_quietly_while_importing()
