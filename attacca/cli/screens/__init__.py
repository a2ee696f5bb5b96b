"""What people see: text, tables, bars, help."""
