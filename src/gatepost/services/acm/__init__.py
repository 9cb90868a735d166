"""AWS Certificate Manager: certificates that are imported, and those that the local authority issues."""
