"""Who may do what: credentials over every transport."""
