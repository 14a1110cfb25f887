"""The ground of the suite: names, errors, the shell of the commands. Imports none of the other rooms."""
