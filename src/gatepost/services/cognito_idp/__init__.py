"""Amazon Cognito user pools: the pools, who is in them, and how they sign in."""
