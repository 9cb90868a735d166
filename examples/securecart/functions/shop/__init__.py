"""What SecureCart's functions share."""
