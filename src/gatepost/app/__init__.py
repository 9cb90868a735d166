"""The composition root: builds every object once, in order, for a role, and keeps the roles running."""
