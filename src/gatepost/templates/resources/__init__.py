"""How each CloudFormation resource type is created, updated and deleted: one module for each service."""
