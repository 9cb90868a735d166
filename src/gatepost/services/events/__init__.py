"""Amazon EventBridge, thin: rules by schedule that invoke functions."""
