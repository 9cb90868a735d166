"""What runs inside function processes: standard library only, loaded as `gatepost_worker` by the zygote's interpreter.

Nothing here may import the rest of Gatepost: these files run under another interpreter, in a sandbox, as another user.
They keep to Python 3.9's syntax because the interpreter is whichever the function asked for.
"""
