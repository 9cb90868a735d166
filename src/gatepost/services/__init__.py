"""What exists: one folder for each AWS service. They meet through `kernel.ports` and never import each other."""
