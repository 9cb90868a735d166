"""Runs functions in processes of their own: part of the gateway process, reached by `kernel.ports.FunctionInvoker`."""
