"""Systems Manager's Parameter Store: texts, lists and sealed texts by name, with their history."""
