"""What runs will take before they begin: from earlier runs where there are some, else from pilots."""
